// `mailkeep/worker`: the code of the dedicated worker. An app that wants its own worker file, for a TLS layer or for
// a bundler that cannot follow the package's, writes `import { serve } from 'mailkeep/worker'; serve();` in it.
import { type ToClient, type ToWorker } from '../calls.js';
import { type ErrorRecord, MailkeepError, toRecord } from '../errors.js';
import { exportFile, removeFile, restoreFile } from './files.js';
import type { TlsLayer } from './streams.js';
import { Tab } from './tab.js';

export type { ByteStreams, TlsLayer } from './streams.js';
export type { ChannelBinding } from '../calls.js';

export interface ServeOptions {
  /** Puts TLS over transports that have none: for accounts whose security is `tls` or `starttls`. */
  tls?: TlsLayer;
}

interface WorkerScope {
  postMessage(message: ToClient, transfer: Transferable[]): void;
  onmessage: ((message: MessageEvent<ToWorker>) => void) | null;
  close(): void;
}

/** Serves the client that made this worker. */
export function serve(options: ServeOptions = {}): void {
  const scope = globalThis as unknown as WorkerScope;
  const post = (message: ToClient, transfer: Transferable[] = []): void => scope.postMessage(message, transfer);
  let tab: Tab | undefined;
  scope.onmessage = ({ data }) => {
    if (data.t === 'open') {
      tab = new Tab(data, options.tls, post);
    } else if (data.t === 'file') {
      void onFile(data, post);
    } else if (data.t === 'close') {
      tab?.close();
      post({ t: 'closed' });
      scope.close();
    } else {
      tab?.receive(data);
    }
  };
}

/** What is done to a file that is not open. */
async function onFile(request: ToWorker & { t: 'file' }, post: (message: ToClient) => void): Promise<void> {
  const { id, action, name, data } = request;
  const perform = async (): Promise<Blob | null> => {
    if (action === 'export') return exportFile(name);
    await alone(name, () => (action === 'remove' ? removeFile(name) : restoreFile(name, data ?? new Blob())));
    return null;
  };
  try {
    post({ t: 'result', id, value: await perform() });
  } catch (error) {
    post({ t: 'error', id, error: toRecord(error) });
  }
}

/** Does something while no tab has the store open. */
async function alone(name: string, act: () => Promise<void>): Promise<void> {
  const locked: ErrorRecord = {
    code: 105,
    fault: 'store',
    message: 'the database is open: close it in every tab first',
  };
  await navigator.locks.request(`mailkeep:${name}`, { ifAvailable: true }, async (lock) => {
    if (!lock) throw new MailkeepError(locked);
    await act();
  });
}
