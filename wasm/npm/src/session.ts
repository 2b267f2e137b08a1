import type { ConnectionEvent } from './calls.js';
import type { Remote } from './remote.js';
import { MailkeepError } from './errors.js';
import { Broadcast } from './queue.js';
import type { Credentials, SyncScope, SyncSummary } from './types.js';

/** Asked for credentials when the server wants them; `null` where there are none, which ends the connection. */
export type CredentialsProvider = (ask: { mechanisms: string[] }) => Credentials | null | Promise<Credentials | null>;

/** An event of a connection; the last one is `closed`. */
export type SessionEvent =
  | Exclude<ConnectionEvent, { type: 'closed' } | { type: 'need-credentials' }>
  | { type: 'closed'; error: MailkeepError | null };

/** How a call can be taken back. */
export interface CallOptions {
  signal?: AbortSignal;
}

/** One connection of one account. Events are hints; the change feed is the truth. */
export class Connection {
  readonly #remote: Remote;
  readonly #credentials: CredentialsProvider;
  readonly #events = new Broadcast<SessionEvent>();
  readonly #closed: Promise<MailkeepError | null>;
  #end!: (error: MailkeepError | null) => void;
  #over = false;

  /** @internal Made by `Mailkeep.connect`. */
  constructor(
    readonly id: number,
    readonly account: number,
    remote: Remote,
    credentials: CredentialsProvider,
  ) {
    this.#remote = remote;
    this.#credentials = credentials;
    this.#closed = new Promise((resolve) => (this.#end = resolve));
  }

  /** Whether it is of no more use. */
  get isClosed(): boolean {
    return this.#over;
  }

  /** Settles when the connection is over: with why, or `null` where it was signed out. */
  get closed(): Promise<MailkeepError | null> {
    return this.#closed;
  }

  /** Brings the account, or some mailboxes, into step with the server. */
  sync(scope: SyncScope = {}, options: CallOptions = {}): Promise<SyncSummary> {
    return this.#remote.call('sync', [this.id, scope], options.signal);
  }

  /** Brings one message here whole. */
  fetch(message: number, options: CallOptions = {}): Promise<void> {
    return this.#remote.call('fetch', [this.id, message, null], options.signal);
  }

  /** Brings one part of a message here, by its number, without the rest. */
  fetchPart(message: number, number: string, options: CallOptions = {}): Promise<void> {
    return this.#remote.call('fetch', [this.id, message, number], options.signal);
  }

  /** Watches mailboxes and keeps them in step, until it is taken back or the connection ends. */
  watch(mailboxes: readonly number[], options: CallOptions = {}): Promise<void> {
    return this.#remote.call('watch', [this.id, mailboxes], options.signal);
  }

  /** Watches no longer. */
  stopWatching(): Promise<void> {
    return this.#remote.call('stopWatching', [this.id]);
  }

  /** Signs out, when everything asked before is done, and closes. */
  async logout(): Promise<void> {
    await this.#remote.call('logout', [this.id]);
    await this.#closed;
  }

  /** Closes at once. What came whole is stored; what was under way goes on with the next connection. */
  async close(): Promise<void> {
    if (this.#over) return;
    await this.#remote.call('disconnect', [this.id]);
    await this.#closed;
  }

  /** Events from now on. */
  events(options: CallOptions = {}): AsyncIterableIterator<SessionEvent> {
    return this.#events.iterate(options.signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  hear(event: ConnectionEvent): void {
    if (event.type === 'need-credentials') {
      void this.#answer(event.mechanisms);
    } else if (event.type === 'closed') {
      this.finish(event.error && new MailkeepError(event.error));
    } else {
      this.#events.push(event);
    }
  }

  async #answer(mechanisms: string[]): Promise<void> {
    let credentials: Credentials | null = null;
    try {
      credentials = await this.#credentials({ mechanisms });
    } finally {
      await this.#remote.call('provideCredentials', [this.id, credentials]).catch(() => undefined);
    }
  }

  /** @internal */
  finish(error: MailkeepError | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.push({ type: 'closed', error });
    this.#events.end();
    this.#end(error);
  }
}
