// The client's end of the border: calls go out with a number, answers find their way back by it. When another tab
// takes the store over, what can be made again is made again, and the rest fails plainly.
import {
  type Calls,
  type ConnectRecord,
  type Method,
  REPEATABLE,
  type StartTimes,
  type ToClient,
  type ToWorker,
} from './calls.js';
import { Code, type ErrorRecord, MailkeepError, browserError } from './errors.js';
import { Pipes } from './pipe.js';
import { streamsCanMove } from './transport.js';
import type { StorageState } from './types.js';

interface Pending {
  method: Method;
  args: unknown[];
  /** What moves with the call; once it has moved, the call cannot be made again. */
  moved: Transferable[];
  sent: boolean;
  resolve(value: unknown): void;
  reject(error: MailkeepError): void;
}

/** How long a worker may take to close, in milliseconds, before it is ended. */
const CLOSE_MS = 5_000;

/** What the rest of the client hears. */
export interface RemoteListener {
  changed(): void;
  leader(self: boolean, storage: Omit<StorageState, 'persisted'>, times: StartTimes | null): void;
  storageFailed(error: MailkeepError): void;
  session(id: number, event: (ToClient & { t: 'session' })['event']): void;
  /** Every connection ended with the tab or worker that held it. */
  lostConnections(error: MailkeepError): void;
}

export interface RemoteOptions {
  name: string;
  backend: 'auto' | 'memory';
  wasm: string | null;
  makeWorker(): Worker;
  listener: RemoteListener;
}

export class Remote {
  readonly #options: RemoteOptions;
  readonly #client = crypto.randomUUID();
  readonly #pending = new Map<number, Pending>();
  readonly #pipes = new Pipes((message, transfer) => this.#worker.postMessage(message, transfer ?? []));
  readonly ready: Promise<void>;
  #worker: Worker;
  #epoch: string | undefined;
  #nextId = 1;
  #nextPipe = 1;
  #opened!: () => void;
  #failed!: (error: MailkeepError) => void;
  #closed: () => void = () => undefined;
  #wasOpen = false;
  #over: MailkeepError | undefined;

  constructor(options: RemoteOptions) {
    this.#options = options;
    this.ready = new Promise((resolve, reject) => {
      this.#opened = resolve;
      this.#failed = reject;
    });
    this.#worker = this.#start();
  }

  #start(): Worker {
    const { name, backend, wasm } = this.#options;
    const worker = this.#options.makeWorker();
    worker.onmessage = ({ data }: MessageEvent<ToClient>) => this.#receive(data);
    worker.onerror = (event) =>
      this.#lost({
        code: Code.NotLoaded,
        fault: 'browser',
        message: `the worker failed: ${event.message || 'it could not be loaded'}`,
      });
    worker.postMessage({ t: 'open', name, backend, wasm, client: this.#client } satisfies ToWorker);
    return worker;
  }

  /** Makes a call. */
  call<M extends Method>(
    method: M,
    args: Parameters<Calls[M]>,
    signal?: AbortSignal,
    moved: Transferable[] = [],
  ): Promise<ReturnType<Calls[M]>> {
    if (this.#over) return Promise.reject(this.#over);
    if (signal?.aborted) return Promise.reject(browserError(Code.Cancelled, 'cancelled'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const call: Pending = { method, args, moved, sent: false, resolve: resolve as (value: unknown) => void, reject };
      this.#pending.set(id, call);
      signal?.addEventListener('abort', () => this.#abort(id), { once: true });
      if (this.#epoch !== undefined) this.#send(id, call);
    });
  }

  #send(id: number, call: Pending): void {
    call.sent = true;
    const args = call.method === 'connect' && !streamsCanMove() ? this.#carried(call) : call.args;
    this.#worker.postMessage(
      { t: 'call', id, method: call.method, args } satisfies ToWorker,
      args === call.args ? call.moved : [],
    );
  }

  /** Streams that this browser cannot move are carried piece by piece. */
  #carried(call: Pending): unknown[] {
    const [account, options] = call.args as [number, ConnectRecord];
    const { transport } = options;
    if (transport.kind !== 'streams') return call.args;
    const [up, down] = [this.#nextPipe++, this.#nextPipe++];
    transport.readable.pipeTo(this.#pipes.sink(up)).catch(() => undefined);
    this.#pipes
      .source(down)
      .pipeTo(transport.writable)
      .catch(() => undefined);
    const { secure, binding } = transport;
    return [account, { ...options, transport: { kind: 'pipes', up, down, secure, ...(binding && { binding }) } }];
  }

  /** A call that has not gone out is dropped; one that has is taken back where that can be. */
  #abort(id: number): void {
    const call = this.#pending.get(id);
    if (!call) return;
    if (call.sent) {
      this.#worker.postMessage({ t: 'abort', id } satisfies ToWorker);
    } else {
      this.#pending.delete(id);
      call.reject(browserError(Code.Cancelled, 'cancelled'));
    }
  }

  #receive(message: ToClient): void {
    switch (message.t) {
      case 'result':
        this.#take(message.id)?.resolve(message.value);
        break;
      case 'error':
        this.#take(message.id)?.reject(new MailkeepError(message.error));
        break;
      case 'changed':
        this.#options.listener.changed();
        break;
      case 'session':
        this.#options.listener.session(message.session, message.event);
        break;
      case 'storage-failed':
        this.#options.listener.storageFailed(new MailkeepError(message.error));
        break;
      case 'pipe':
        this.#pipes.receive(message);
        break;
      case 'leader':
        this.#led(message);
        break;
      case 'failed':
        this.#lost(message.error);
        break;
      case 'closed':
        this.#closed();
    }
  }

  #take(id: number): Pending | undefined {
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    return call;
  }

  /** A worker leads: ours or another tab's, for the first time or instead of one that went. */
  #led({ epoch, self, storage, times }: ToClient & { t: 'leader' }): void {
    if (epoch === this.#epoch) return;
    const first = this.#epoch === undefined;
    this.#epoch = epoch;
    const lost = browserError(
      Code.TabLost,
      'the tab that held the store went; this call may or may not have been done',
    );
    if (!first) {
      this.#pipes.close();
      this.#options.listener.lostConnections(lost);
    }
    for (const [id, call] of this.#pending) {
      if (!call.sent || REPEATABLE.has(call.method)) {
        this.#send(id, call);
      } else {
        this.#pending.delete(id);
        call.reject(lost);
      }
    }
    this.#wasOpen = true;
    this.#opened();
    this.#options.listener.leader(self, storage, times);
  }

  /**
   * The worker is of no more use. Before the first opening that is final; later another is made, and the store opened
   * again.
   */
  #lost(record: ErrorRecord): void {
    const error = new MailkeepError(record);
    this.#worker.terminate();
    for (const call of this.#pending.values()) call.reject(error);
    this.#pending.clear();
    this.#pipes.close();
    if (this.#wasOpen && record.code === Code.WorkerLost) {
      this.#epoch = undefined;
      this.#options.listener.lostConnections(error);
      this.#worker = this.#start();
      return;
    }
    this.#over = error;
    this.#failed(error);
    if (this.#wasOpen) {
      this.#options.listener.lostConnections(error);
      this.#options.listener.storageFailed(error);
    }
  }

  post(message: { t: 'sleep' } | { t: 'wake' }): void {
    this.#worker.postMessage(message satisfies ToWorker);
  }

  /** Closes the worker; calls under way fail. Settles when the store's file is given back. */
  async close(): Promise<void> {
    if (this.#over) return;
    const closed = new Promise<void>((resolve) => (this.#closed = resolve));
    this.#over = new MailkeepError({ code: Code.Closed, fault: 'caller', message: 'closed' });
    this.#worker.postMessage({ t: 'close' } satisfies ToWorker);
    for (const call of this.#pending.values()) call.reject(this.#over);
    this.#pending.clear();
    this.#pipes.close();
    this.#options.listener.lostConnections(this.#over);
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_MS))]);
    this.#worker.terminate();
  }
}
