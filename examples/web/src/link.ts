// One account's connection: made when the person wants it, kept watching, made again when it breaks.
import { type Account, type Connection, type Mailkeep, type SessionEvent, Code, MailkeepError } from 'mailkeep';
import type { AskPassword } from './reader.js';
import { counted, inWords } from './words.js';

export type LinkState =
  | { kind: 'offline'; why: string | null }
  | { kind: 'connecting' }
  | { kind: 'syncing'; mailbox: number | null; done: number; total: number }
  | { kind: 'online' };

interface Around {
  account(): Account | undefined;
  inbox(): number | undefined;
  ask: AskPassword;
  say(text: string): void;
  changed(): void;
}

/** How long to wait before the first new try, and at most, in milliseconds. */
const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 120_000;
/** How often a POP3 server is looked at, in milliseconds: a connection that stays locks the maildrop (RFC 1939 §8). */
const POP_MS = 300_000;
/** Progress is shown at most so often, in milliseconds. */
const SHOW_MS = 100;

export class Link {
  state: LinkState = { kind: 'offline', why: null };
  readonly #mail: Mailkeep;
  readonly #id: number;
  readonly #around: Around;
  #connection: Connection | undefined;
  /** In this page's memory only, for connecting again. */
  #password: string | undefined;
  #refused = false;
  /** The person wants to be connected. */
  #wanted = false;
  #retryMs = FIRST_RETRY_MS;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #syncing: Promise<void> | undefined;
  #shown = 0;

  constructor(mail: Mailkeep, id: number, around: Around) {
    this.#mail = mail;
    this.#id = id;
    this.#around = around;
    addEventListener('online', () => this.#wanted && void this.sync());
  }

  get isOpen(): boolean {
    return this.#connection !== undefined && !this.#connection.isClosed;
  }

  /** Brings the account into step, connecting where that is needed; then watches it. */
  sync(): Promise<void> {
    this.#wanted = true;
    clearTimeout(this.#retry);
    this.#syncing ??= this.#sync().finally(() => (this.#syncing = undefined));
    return this.#syncing;
  }

  async #sync(): Promise<void> {
    try {
      const connection = this.isOpen && this.#connection ? this.#connection : await this.#connect();
      if (!connection) return;
      this.#show({ kind: 'syncing', mailbox: null, done: 0, total: 0 });
      const summary = await connection.sync();
      this.#retryMs = FIRST_RETRY_MS;
      const isPop = this.#around.account()?.settings.protocol === 'pop3';
      if (isPop) await this.#leave(connection);
      else this.#show({ kind: 'online' });
      const { messagesAdded: added, operationsSetAside: aside } = summary;
      this.#around.say(added > 0 ? `In step with the server: ${added} new here` : 'In step with the server');
      if (aside > 0) this.#around.say(`The server refused ${aside} of what was done here: see what is pending`);
      if (!isPop) void this.#watch(connection);
    } catch (error) {
      // A connection that ended has said why already.
      if (this.state.kind !== 'offline') this.#lost(error);
    }
  }

  async #connect(): Promise<Connection | undefined> {
    const account = this.#around.account();
    if (!account) return undefined;
    this.#show({ kind: 'connecting' });
    this.#password ??= (await this.#around.ask(account, this.#refused)) ?? undefined;
    if (this.#password === undefined) {
      this.#wanted = false;
      this.#show({ kind: 'offline', why: null });
      return undefined;
    }
    const connection = await this.#mail.connect(this.#id, {
      transport: { webSocket: relayAddress(account) },
      credentials: { password: this.#password },
    });
    this.#connection = connection;
    void this.#hear(connection);
    return connection;
  }

  async #hear(connection: Connection): Promise<void> {
    let news: number[] = [];
    for await (const event of connection.events()) {
      if (event.type === 'new-mail') news.push(event.message);
      else if (event.type === 'stored' && news.length > 0) {
        if (this.state.kind === 'online') this.#around.say(`New: ${counted(news.length)}`);
        await this.#mail.acknowledgeNewMail(news).catch(() => undefined);
        news = [];
      } else this.#told(connection, event);
    }
  }

  #told(connection: Connection, event: SessionEvent): void {
    switch (event.type) {
      case 'authenticated':
        this.#refused = false;
        break;
      case 'progress':
        this.#progress(event.mailbox, event.done, event.total);
        break;
      case 'alert':
        this.#around.say(`The server says: ${event.text}`);
        break;
      case 'quota-warning':
        this.#around.say(`The mailbox on the server is ${event.quota.percent} % full`);
        break;
      case 'closed':
        if (this.#connection === connection) this.#lost(event.error);
        break;
      default:
    }
  }

  #progress(mailbox: number, done: number, total: number): void {
    const now = performance.now();
    if (this.state.kind !== 'syncing' || (now - this.#shown < SHOW_MS && done < total)) return;
    this.#shown = now;
    this.#show({ kind: 'syncing', mailbox, done, total });
  }

  /** Signs out, and comes back after a while. */
  async #leave(connection: Connection): Promise<void> {
    this.#connection = undefined;
    await connection.logout();
    this.#show({ kind: 'offline', why: `Looked at a moment ago; again in ${POP_MS / 60_000} minutes.` });
    this.#retry = setTimeout(() => void this.sync(), POP_MS);
  }

  async #watch(connection: Connection): Promise<void> {
    const inbox = this.#around.inbox();
    // It ends with the connection, which says why.
    if (inbox !== undefined) await connection.watch([inbox]).catch(() => undefined);
  }

  /** The connection is gone, or never came to be. */
  #lost(error: unknown): void {
    this.#connection = undefined;
    const code = error instanceof MailkeepError ? error.code : undefined;
    if (code === Code.LoginRefused) {
      this.#password = undefined;
      this.#refused = true;
      this.#wanted = false;
    }
    this.#show({
      kind: 'offline',
      why: error && this.#wanted ? inWords(error) : this.#refused ? inWords(error) : null,
    });
    if (!this.#wanted || this.#password === undefined) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.sync(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }

  /** Brings a message here whole, or one part of it, where there is a connection. */
  async fetch(message: number, part?: string): Promise<boolean> {
    const connection = this.#connection;
    if (!connection || connection.isClosed) return false;
    await (part === undefined ? connection.fetch(message) : connection.fetchPart(message, part));
    return true;
  }

  /** Disconnects, and stays so. */
  async close(): Promise<void> {
    this.#wanted = false;
    clearTimeout(this.#retry);
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
    this.#show({ kind: 'offline', why: null });
  }

  #show(state: LinkState): void {
    this.state = state;
    this.#around.changed();
  }
}

/** The relay's address for an account's server. */
export function relayAddress({ settings }: Account): string {
  const url = new URL(settings.extra['relay'] ?? '');
  url.searchParams.set('to', `${settings.host}:${settings.port}`);
  return url.href;
}
