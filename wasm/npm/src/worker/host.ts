// The worker that leads: it holds the store and the connections, and serves the clients of every tab.
import { CHANGING, type EngineMethod, METHODS } from './methods.js';
import {
  type Calls,
  type ConnectRecord,
  type Method,
  REPEATABLE,
  type StartTimes,
  type ToClient,
  type TransportRecord,
} from '../calls.js';
import { Code, type ErrorRecord, MailkeepError, browserError, toRecord } from '../errors.js';
import type { PipeMessage } from '../pipe.js';
import { Pipes } from '../pipe.js';
import type { Account, StorageState } from '../types.js';
import { RawEngine, load } from '../wasm.js';
import { OpenFile, removeFile, whyNoFiles } from './files.js';
import { Session } from './run.js';
import { type ByteStreams, type TlsLayer, openWebSocket } from './streams.js';

/** How messages reach one client. */
export interface ClientPort {
  post(message: ToClient, transfer?: Transferable[]): void;
}

interface Client {
  port: ClientPort;
  pipes: Pipes;
  /** Calls under way. */
  calls: Map<number, AbortController>;
}

export interface HostOptions {
  name: string;
  backend: 'auto' | 'memory';
  wasm: string | null;
  tls: TlsLayer | undefined;
  /** The engine is broken beyond repair: the worker is to be thrown away. */
  broken(error: MailkeepError): void;
}

/** Who calls, and how the call is taken back. */
interface Caller {
  client: string;
  signal: AbortSignal;
}

type OwnMethod = Exclude<Method, EngineMethod>;

type OwnTable = {
  [M in OwnMethod]: (
    caller: Caller,
    ...args: Parameters<Calls[M]>
  ) => ReturnType<Calls[M]> | Promise<ReturnType<Calls[M]>>;
};

export class Host {
  readonly #options: HostOptions;
  readonly #engine: RawEngine;
  readonly #file: OpenFile | undefined;
  readonly #clients = new Map<string, Client>();
  readonly #sessions = new Map<number, { session: Session; client: string }>();
  #changed = false;
  #closed = false;

  private constructor(
    options: HostOptions,
    engine: RawEngine,
    file: OpenFile | undefined,
    readonly storage: Omit<StorageState, 'persisted'>,
    readonly times: StartTimes,
  ) {
    this.#options = options;
    this.#engine = engine;
    this.#file = file;
  }

  static async open(options: HostOptions): Promise<Host> {
    const loading = load(options.wasm ?? undefined);
    const reason = options.backend === 'memory' ? 'the app asked for it' : await whyNoFiles();
    const file = reason === null ? await OpenFile.open(options.name) : undefined;
    try {
      const { compileMs, startMs } = await loading;
      const begin = performance.now();
      const engine = opened(() =>
        file ? RawEngine.open(options.name, file, seed()) : RawEngine.openMemory(undefined, seed()),
      );
      const times = { compileMs, startMs, openMs: performance.now() - begin };
      return new Host(options, engine, file, { backend: file ? 'opfs' : 'memory', reason }, times);
    } catch (error) {
      file?.close();
      throw error;
    }
  }

  attach(id: string, port: ClientPort): void {
    this.#clients.set(id, {
      port,
      pipes: new Pipes((message, transfer) => port.post(message, transfer)),
      calls: new Map(),
    });
  }

  /** A client is gone, and what it had under way with it. */
  detach(id: string): void {
    const client = this.#clients.get(id);
    this.#clients.delete(id);
    for (const call of client?.calls.values() ?? []) call.abort();
    for (const held of this.#sessions.values()) if (held.client === id) held.session.disconnect();
    client?.pipes.close();
  }

  pipe(client: string, message: PipeMessage): void {
    this.#clients.get(client)?.pipes.receive(message);
  }

  abort(client: string, call: number): void {
    this.#clients.get(client)?.calls.get(call)?.abort();
  }

  /** Serves one call. */
  async call(clientId: string, id: number, method: Method, args: unknown[]): Promise<void> {
    const client = this.#clients.get(clientId);
    if (!client) return;
    const abort = new AbortController();
    client.calls.set(id, abort);
    try {
      const value = await this.#perform(clientId, method, args, abort.signal);
      client.port.post({ t: 'result', id, value }, transferable(value));
    } catch (error) {
      client.port.post({ t: 'error', id, error: toRecord(error) });
      if (error instanceof MailkeepError && error.fault === 'store') this.#storageFailed(error.toRecord());
    } finally {
      client.calls.delete(id);
    }
  }

  async #perform(client: string, method: Method, args: unknown[], signal: AbortSignal): Promise<unknown> {
    const own = this.#own[method as OwnMethod] as ((caller: Caller, ...args: unknown[]) => unknown) | undefined;
    if (own) return own({ client, signal }, ...args);
    const call = METHODS[method as EngineMethod] as ((engine: RawEngine, ...args: unknown[]) => unknown) | undefined;
    if (!call) throw browserError(Code.WrongBuild, `this build knows no call ${method}`);
    const value = await this.#withFile(method, () => this.#guard(() => call(this.#engine, ...args)));
    if (CHANGING.has(method)) {
      this.#wakes();
      this.#tellChanged();
    }
    return value;
  }

  /** Where the browser took the file back (a tab that slept), it is opened again, and what can be repeated is. */
  async #withFile<T>(method: Method, call: () => T): Promise<T> {
    try {
      return call();
    } catch (error) {
      const lost = error instanceof MailkeepError && error.storage === 'lost';
      if (!lost || !this.#file) throw error;
      await this.reopen();
      if (!REPEATABLE.has(method)) throw error;
      return call();
    }
  }

  /** Opens the file again after it failed. */
  async reopen(): Promise<void> {
    await this.#file?.take();
    this.#guard(() => this.#engine.reopen());
  }

  /** Calls that the engine cannot answer by itself. */
  readonly #own: OwnTable = {
    connect: (caller, account, options) => this.#connect(caller, account, options),
    sync: async ({ signal }, session, { mailboxes, bodies }) => {
      const only = mailboxes && Float64Array.from(mailboxes);
      const summary = await this.#session(session).request((raw) => raw.sync(only, bodies), signal);
      if (!summary) throw browserError(Code.WrongBuild, 'a sync ends with a summary');
      return summary;
    },
    fetch: async ({ signal }, session, message, part) => {
      await this.#session(session).request((raw) => raw.fetch(message, part), signal);
    },
    watch: async ({ signal }, session, mailboxes) => {
      await this.#session(session).request((raw) => raw.watch(Float64Array.from(mailboxes)), signal);
    },
    stopWatching: (_, session) => this.#session(session).act((raw) => raw.stopWatching()),
    provideCredentials: (_, session, credentials) => this.#session(session).provide(credentials),
    logout: async ({ signal }, session) => {
      await this.#session(session).request((raw) => raw.logout(), signal);
    },
    disconnect: (_, session) => this.#sessions.get(session)?.session.disconnect(),
    backup: () => this.#backup(),
    reopen: () => this.reopen(),
  };

  #session(id: number): Session {
    const held = this.#sessions.get(id);
    if (!held)
      throw new MailkeepError({ code: Code.Disconnected, fault: 'server', message: 'the connection is closed' });
    return held.session;
  }

  async #connect({ client: clientId, signal }: Caller, account: number, options: ConnectRecord): Promise<number> {
    const accounts = JSON.parse(this.#guard(() => this.#engine.accounts())) as Account[];
    const settings = accounts.find(({ id }) => id === account)?.settings;
    if (!settings) throw new MailkeepError({ code: Code.Gone, fault: 'caller', message: 'no such account' });
    let streams = await this.#streams(clientId, options.transport, signal);
    if (settings.security === 'tls' && !streams.secure && this.#options.tls) {
      streams = await this.#options.tls(streams, { host: settings.host });
    }
    const { timeoutMs, idleReissueMs, pollMs } = options;
    const random = crypto.getRandomValues(new Uint8Array(32));
    const made = { secure: streams.secure, timeoutMs, idleReissueMs, pollMs };
    const raw = this.#guard(() => this.#engine.connect(account, random, made));
    const session: Session = new Session(raw, streams, settings, {
      guard: (call) => this.#guard(call),
      tell: (event) => {
        this.#clients.get(clientId)?.port.post({ t: 'session', session: id, event });
        if (event.type === 'closed' && event.error?.fault === 'store') this.#storageFailed(event.error);
      },
      stored: () => this.#tellChanged(),
      wakes: () => this.#wakes(),
      tls: this.#options.tls,
    });
    const id = session.id;
    this.#sessions.set(id, { session, client: clientId });
    if (options.credentials) session.provide(options.credentials);
    // The client must know the connection before it hears of it.
    setTimeout(() => void session.run().finally(() => this.#sessions.delete(id)));
    return id;
  }

  async #streams(client: string, transport: TransportRecord, signal: AbortSignal): Promise<ByteStreams> {
    switch (transport.kind) {
      case 'streams': {
        const { readable, writable, secure, binding } = transport;
        return { readable, writable, secure, ...(binding && { binding }) };
      }
      case 'pipes': {
        const { up, down, secure, binding } = transport;
        const pipes = this.#clients.get(client)?.pipes;
        if (!pipes) throw browserError(Code.TabLost, 'the client is gone');
        return { readable: pipes.source(up), writable: pipes.sink(down), secure, ...(binding && { binding }) };
      }
      case 'web-socket':
        return openWebSocket(transport.url, transport.protocols, transport.secure, signal);
    }
  }

  async #backup(): Promise<Blob> {
    if (!this.#file) return new Blob([this.#guard(() => this.#engine.backupBytes(seed())) as Uint8Array<ArrayBuffer>]);
    const name = `${this.#options.name}.backup`;
    await removeFile(name).catch(() => undefined);
    const target = await OpenFile.open(name);
    try {
      this.#guard(() => this.#engine.backupTo(name, target, seed()));
    } finally {
      target.close();
    }
    return target.bytes();
  }

  #wakes(): void {
    if (this.#closed) return;
    for (const id of this.#engine.takeWakes()) this.#sessions.get(id)?.session.wake();
  }

  /** Tells every client once for all changes of a moment. */
  #tellChanged(): void {
    if (this.#changed) return;
    this.#changed = true;
    setTimeout(() => {
      this.#changed = false;
      for (const { port } of this.#clients.values()) port.post({ t: 'changed' });
    }, 10);
  }

  #storageFailed(error: ErrorRecord): void {
    for (const { port } of this.#clients.values()) port.post({ t: 'storage-failed', error });
  }

  /**
   * Calls into the engine. What it throws as text is its error; anything else is a trap, after which nothing of it
   * can be trusted.
   */
  #guard<T>(call: () => T): T {
    if (this.#closed) throw new MailkeepError({ code: Code.Closed, fault: 'store', message: 'the engine is closed' });
    return thrown(call, (error) => {
      this.#closed = true;
      this.#file?.close();
      this.#options.broken(error);
    });
  }

  /** Gives everything back. What came whole is stored. */
  close(): void {
    if (this.#closed) return;
    for (const { session } of this.#sessions.values()) session.disconnectAtOnce();
    this.#closed = true;
    this.#engine.close();
    this.#engine.free();
    this.#file?.close();
  }
}

/** Opens the store. An engine that stops on a file finds nonsense where its checksums and lengths promise sense. */
function opened(open: () => RawEngine): RawEngine {
  try {
    return thrown(open);
  } catch (error) {
    if (!(error instanceof MailkeepError) || error.code !== Code.WorkerLost) throw error;
    const message = `the database is damaged: the engine stopped while opening it; its bytes can be exported`;
    throw new MailkeepError({ code: Code.Corrupt, fault: 'store', message });
  }
}

function thrown<T>(call: () => T, trapped?: (error: MailkeepError) => void): T {
  try {
    return call();
  } catch (error) {
    const record = toRecord(error);
    if (record.code !== Code.WorkerLost) throw new MailkeepError(record);
    const why = `the engine stopped (${record.message}); where that happens again and again, the store may be damaged: its bytes can be exported`;
    const made = new MailkeepError({ ...record, message: why });
    trapped?.(made);
    throw made;
  }
}

/** Randomness below 2^53. */
function seed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number];
  return (high & 0x1fffff) * 2 ** 32 + low;
}

/** The buffers in an answer, which move instead of being copied. */
function transferable(value: unknown): Transferable[] {
  if (value instanceof Uint8Array || value instanceof Float64Array) return [value.buffer];
  if (typeof value === 'object' && value !== null && 'row' in value && value.row instanceof Uint8Array)
    return [value.row.buffer];
  return [];
}
