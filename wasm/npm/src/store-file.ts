// The worker, and what it does to a store's file that nobody has open.
import type { ToClient, ToWorker } from './calls.js';
import { Code, MailkeepError, browserError } from './errors.js';

/** The package's own worker. Bundlers know this form and follow it. */
export function packageWorker(): Worker {
  return new Worker(new URL('./worker-entry.js', import.meta.url), { type: 'module', name: 'mailkeep' });
}

/** Has a worker of its own do something to a file. */
export async function onFile(
  action: 'export' | 'remove' | 'restore',
  name: string,
  data: Blob | null,
  makeWorker: () => Worker = packageWorker,
): Promise<Blob | null> {
  const worker = makeWorker();
  try {
    return await new Promise<Blob | null>((resolve, reject) => {
      worker.onmessage = ({ data: answer }: MessageEvent<ToClient>) => {
        if (answer.t === 'result') resolve(answer.value as Blob | null);
        else if (answer.t === 'error') reject(new MailkeepError(answer.error));
      };
      worker.onerror = (event) => reject(browserError(Code.NotLoaded, `the worker failed: ${event.message}`));
      worker.postMessage({ t: 'file', id: 0, action, name, data } satisfies ToWorker);
    });
  } finally {
    worker.terminate();
  }
}
