// The run loop of one connection: bytes in, bytes and events out, in slices between which other calls are served.
import type { ConnectionEvent } from '../calls.js';
import { Code, type ErrorRecord, MailkeepError, browserError } from '../errors.js';
import type { RawConnection } from '../wasm.js';
import type { Credentials, SyncSummary } from '../types.js';
import type { ByteStreams, TlsLayer } from './streams.js';

/** What one slice takes at most: a few milliseconds of work. */
const SLICE_OCTETS = 64 * 1024;
const SLICE_RESPONSES = 256;
/** Octets that wait here before the transport is left unread. */
const MOST_WAITING = 1 << 20;
/** The longest that `setTimeout` can wait. */
const LONGEST_TIMER_MS = 0x7fffffff;

/**
 * How long a new connection waits to be told what it is for, in milliseconds. Known ahead, it goes out with the login.
 */
const FIRST_WISH_MS = 50;

/** Events as the engine writes them. */
type EngineEvent =
  | ConnectionEvent
  | { type: 'start-tls' }
  | { type: 'done'; request: number; summary: SyncSummary | null; error: ErrorRecord | null };

/** What a connection needs of the worker around it. */
export interface Surroundings {
  /** Calls into the engine; what it throws is an error of the engine, or the end of it. */
  guard<T>(call: () => T): T;
  tell(event: ConnectionEvent): void;
  /** Something is stored. */
  stored(): void;
  /** After anything that may have woken another connection. */
  wakes(): void;
  tls: TlsLayer | undefined;
}

export interface ServerAddress {
  host: string;
  port: number;
  user: string;
}

interface Waiting {
  resolve(summary: SyncSummary | null): void;
  reject(error: MailkeepError): void;
}

export class Session {
  readonly #raw: RawConnection;
  readonly #around: Surroundings;
  readonly #server: ServerAddress;
  readonly #requests = new Map<number, Waiting>();
  readonly #input: Uint8Array[] = [];
  #streams: ByteStreams;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #waiting = 0;
  #ended = false;
  #woken = false;
  /** Nothing more is done on it, and the client knows. */
  #closed = false;
  #freed = false;
  /** TLS is being started: what comes is the layer's. */
  #toLayer: ReadableStreamDefaultController<Uint8Array> | undefined;
  #startTls = false;
  readonly #wished: Promise<void>;
  #firstWish!: () => void;
  #signal: (() => void) | undefined;
  #roomAgain: (() => void) | undefined;

  constructor(raw: RawConnection, streams: ByteStreams, server: ServerAddress, around: Surroundings) {
    this.#raw = raw;
    this.#streams = streams;
    this.#server = server;
    this.#around = around;
    this.#writer = streams.writable.getWriter();
    this.#writer.closed.catch(() => undefined);
    this.#wished = new Promise((resolve) => (this.#firstWish = resolve));
    raw.setWorkLimit(SLICE_OCTETS, SLICE_RESPONSES);
  }

  get id(): number {
    return this.#raw.id();
  }

  /** Runs until the connection is of no more use. */
  async run(): Promise<void> {
    void this.#read(this.#streams.readable, false);
    await Promise.race([this.#wished, new Promise((resolve) => setTimeout(resolve, FIRST_WISH_MS))]);
    try {
      this.#around.guard(() => this.#raw.handleTimeout());
      const { binding } = this.#streams;
      if (binding) this.#around.guard(() => this.#raw.handleTlsStarted(binding.kind, binding.data));
      for (this.#drain(); !this.#closed && !this.#raw.isClosed(); this.#drain()) {
        if (this.#startTls) await this.#secure();
        else if (this.#step()) await nextTask();
        else await this.#wait();
      }
      this.#drain();
    } catch (error) {
      this.#fail(error instanceof MailkeepError ? error : browserError(Code.WorkerLost, String(error)));
    } finally {
      this.#close();
    }
  }

  /** One call of the connection; false where there is nothing to do yet. */
  #step(): boolean {
    const raw = this.#raw;
    if (this.#woken) {
      this.#woken = false;
      this.#around.guard(() => raw.handleWake());
      return true;
    }
    if (raw.timeoutIn() === 0) {
      this.#around.guard(() => raw.handleTimeout());
      return true;
    }
    const next = this.#input[0];
    if (next || raw.more()) {
      const consumed = this.#around.guard(() => raw.handleInput(next ?? new Uint8Array()));
      if (next) this.#consumed(next, consumed);
      return true;
    }
    if (this.#ended) {
      this.#around.guard(() => raw.handleEof());
      return true;
    }
    return false;
  }

  /** What was not taken is given again, in front of what comes next. */
  #consumed(given: Uint8Array, count: number): void {
    this.#waiting -= count;
    const rest = given.subarray(count);
    this.#input.shift();
    const following = this.#input[0];
    if (rest.length > 0 && following && !this.#raw.more()) {
      const joined = new Uint8Array(rest.length + following.length);
      joined.set(rest);
      joined.set(following, rest.length);
      this.#input[0] = joined;
    } else if (rest.length > 0) {
      this.#input.unshift(rest);
    }
    if (this.#waiting < MOST_WAITING) this.#roomAgain?.();
  }

  async #wait(): Promise<void> {
    const after = this.#raw.timeoutIn();
    await new Promise<void>((resolve) => {
      const timer = after === undefined ? undefined : setTimeout(resolve, Math.min(after, LONGEST_TIMER_MS));
      this.#signal = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#signal = undefined;
  }

  /** Everything that the connection gives out. */
  #drain(): void {
    if (this.#freed) return;
    for (const bytes of this.#raw.takeTransmit() as Uint8Array[]) {
      // A transport that broke shows in what is read from it.
      this.#writer.write(bytes).catch(() => this.#end());
    }
    const events = this.#around.guard(() => this.#raw.takeEvents());
    if (events) for (const event of JSON.parse(events) as EngineEvent[]) this.#event(event);
    this.#around.wakes();
  }

  #event(event: EngineEvent): void {
    switch (event.type) {
      case 'start-tls':
        this.#startTls = true;
        break;
      case 'done': {
        const waiting = this.#requests.get(event.request);
        // A connection that ended says why behind this: that is what whoever waits wants to know.
        if (event.error?.code === Code.Disconnected && this.#raw.isClosed()) break;
        this.#requests.delete(event.request);
        if (event.error) waiting?.reject(new MailkeepError(event.error));
        else waiting?.resolve(event.summary);
        break;
      }
      case 'stored':
        this.#around.stored();
        this.#around.tell(event);
        break;
      case 'closed':
        this.#fail(event.error ? new MailkeepError(event.error) : null);
        break;
      default:
        this.#around.tell(event);
    }
  }

  /** Reads the transport, or the layer over it, to its end. */
  async #read(readable: ReadableStream<Uint8Array>, isLayer: boolean): Promise<void> {
    const reader = readable.getReader();
    const layer = (): ReadableStreamDefaultController<Uint8Array> | undefined => (isLayer ? undefined : this.#toLayer);
    try {
      for (let piece = await reader.read(); !piece.done && !this.#closed; piece = await reader.read()) {
        const over = layer();
        if (over) {
          over.enqueue(piece.value);
          continue;
        }
        this.#input.push(piece.value);
        this.#waiting += piece.value.length;
        this.#signal?.();
        if (this.#waiting >= MOST_WAITING) await new Promise<void>((resolve) => (this.#roomAgain = resolve));
      }
    } catch {
      // How a transport broke says nothing that its end does not.
    }
    if (this.#closed) reader.cancel().catch(() => undefined);
    const over = layer();
    if (over) over.close();
    else this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#signal?.();
  }

  /** STARTTLS was agreed to: the layer inside this worker takes the transport over. */
  async #secure(): Promise<void> {
    this.#startTls = false;
    const layer = this.#around.tls;
    if (!layer) {
      const why = 'the server wants STARTTLS, and this worker was made without a TLS layer';
      this.#fail(browserError(Code.Transport, why));
      this.#around.guard(() => this.#raw.handleEof());
      return;
    }
    const readable = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#toLayer = controller) });
    const writer = this.#writer;
    const writable = new WritableStream<Uint8Array>({
      write: (chunk) => writer.write(chunk),
      close: () => writer.close(),
    });
    let inside: ByteStreams;
    try {
      inside = await layer({ readable, writable, secure: false }, { host: this.#server.host });
    } catch (error) {
      this.#fail(browserError(Code.Transport, `TLS could not be started: ${String(error)}`));
      this.#around.guard(() => this.#raw.handleEof());
      return;
    }
    if (this.#closed) return;
    this.#streams = inside;
    this.#writer = inside.writable.getWriter();
    this.#writer.closed.catch(() => undefined);
    // From here on the layer's plain bytes are the input; the transport's go to the layer alone.
    void this.#read(this.#streams.readable, true);
    const binding = this.#streams.binding;
    this.#around.guard(() => this.#raw.handleTlsStarted(binding?.kind, binding?.data));
  }

  /** Makes a wish, and waits until it is done. */
  request(wish: (raw: RawConnection) => number, signal: AbortSignal): Promise<SyncSummary | null> {
    if (this.#closed)
      return Promise.reject(
        new MailkeepError({ code: Code.Disconnected, fault: 'server', message: 'the connection is closed' }),
      );
    return new Promise((resolve, reject) => {
      const request = this.#around.guard(() => wish(this.#raw));
      this.#requests.set(request, { resolve, reject });
      this.#firstWish();
      const cancel = (): void => {
        if (this.#requests.has(request)) this.act((raw) => raw.cancel(request));
      };
      if (signal.aborted) cancel();
      else signal.addEventListener('abort', cancel, { once: true });
      this.#signal?.();
    });
  }

  /** Tells the connection something. */
  act(tell: (raw: RawConnection) => void): void {
    if (this.#closed) return;
    this.#around.guard(() => tell(this.#raw));
    this.#signal?.();
  }

  /** Another connection, or the user, made something for this one to do. */
  wake(): void {
    this.#woken = true;
    this.#signal?.();
  }

  provide(credentials: Credentials | null): void {
    const { user: known, host, port } = this.#server;
    this.act((raw) => {
      if (credentials === null) raw.declineCredentials();
      else if ('password' in credentials)
        raw.providePassword(credentials.user ?? known, credentials.password, credentials.authzid);
      else if ('token' in credentials) raw.provideToken(credentials.user ?? known, credentials.token, host, port);
      else if ('external' in credentials) raw.provideExternal(credentials.authzid);
      else raw.provideAnonymous(credentials.anonymous);
    });
  }

  /** Ends it now: what came whole is stored. */
  disconnect(): void {
    this.#input.length = 0;
    this.#end();
  }

  /** Ends it in this very call, because the store is about to be closed. */
  disconnectAtOnce(): void {
    if (this.#closed) return;
    try {
      this.#drain();
      if (!this.#raw.isClosed()) this.#raw.handleEof();
      this.#drain();
    } finally {
      this.#fail(browserError(Code.TabLost, 'the tab that held the connection was put to sleep'));
      this.#close();
    }
  }

  /** Whatever was asked fails; the client is told once. */
  #fail(error: MailkeepError | null): void {
    if (this.#closed) return;
    this.#closed = true;
    const cause = error ?? new MailkeepError({ code: Code.Disconnected, fault: 'server', message: 'signed out' });
    for (const waiting of this.#requests.values()) waiting.reject(cause);
    this.#requests.clear();
    this.#around.tell({ type: 'closed', error: error?.toRecord() ?? null });
  }

  #close(): void {
    this.#closed = true;
    this.#writer.close().catch(() => undefined);
    this.#roomAgain?.();
    this.#signal?.();
    if (!this.#freed) this.#raw.free();
    this.#freed = true;
  }
}

const turns: (() => void)[] = [];
let channel: MessageChannel | undefined;

/** Lets every message that has come meanwhile be served first. */
function nextTask(): Promise<void> {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => turns.shift()?.();
  }
  const { port2 } = channel;
  return new Promise((resolve) => {
    turns.push(resolve);
    port2.postMessage(0);
  });
}
