import type { Calls, ConnectRecord, ConnectionEvent, StartTimes } from './calls.js';
import { Code, MailkeepError, browserError } from './errors.js';
import { decodeChanges, decodePage } from './packed.js';
import { askToPersist, followPage } from './page.js';
import { Broadcast } from './queue.js';
import { Remote } from './remote.js';
import { type CallOptions, Connection, type CredentialsProvider } from './session.js';
import { onFile, packageWorker } from './store-file.js';
import { type Transport, transportRecord } from './transport.js';
import type * as T from './types.js';

export interface OpenOptions {
  /** The store's name within the origin: one database file. */
  name: string;
  /** `auto` (the default) keeps the store in the origin's private file system, or in memory where there is none. */
  backend?: 'auto' | 'memory';
  /** Whether the browser is asked to keep the store when the disk fills; true unless said otherwise. */
  persist?: boolean;
  /** Makes the worker, where the app's bundler cannot follow the package's own: see `mailkeep/worker`. */
  worker?: () => Worker;
  /** Where the `.wasm` is, if not where the package has it. */
  wasm?: string | URL;
}

export interface ConnectOptions extends CallOptions {
  transport: Transport;
  /** What to sign in with, or who is asked for it. Never stored. */
  credentials: T.Credentials | CredentialsProvider;
  /** How long the server may be silent while an answer is due; 120,000 ms unless said otherwise. */
  timeoutMs?: number;
  /** How long one IDLE lasts at most. */
  idleReissueMs?: number;
  /** How often mailboxes are looked at that no IDLE or NOTIFY watches. */
  pollMs?: number;
}

/** What happens to the store as a whole. */
export type MailkeepEvent =
  /** Something changed: ask `changesSince`. */
  | { type: 'changed' }
  /** This tab holds the store now, or another does. */
  | { type: 'leader'; self: boolean }
  /** Where the store lives; `memory` means that nothing stays. */
  | { type: 'storage'; storage: T.StorageState }
  /** The storage failed. Nothing that was acknowledged is lost; `reopen` goes on once the cause is gone. */
  | { type: 'storage-failed'; error: MailkeepError };

/** Everything that changed, as it changes. */
export type ChangeFeed = AsyncIterableIterator<T.Changes>;

const BODY_PIECE = 256 * 1024;

/**
 * An open store of mail.
 *
 * It lives in a worker; nothing here blocks the page. Of several tabs with one name one holds the store, the others
 * use it through that one, and when it goes another takes its place: a call that may or may not have been done by
 * then fails with code 401, every other is made again.
 */
export class Mailkeep {
  readonly #remote: Remote;
  readonly #events = new Broadcast<MailkeepEvent>();
  readonly #connections = new Map<number, Connection>();
  /** Events of connections whose number has not arrived yet. */
  readonly #early = new Map<number, ConnectionEvent[]>();
  #storage: T.StorageState = { backend: 'memory', reason: null, persisted: null };
  #isLeader = false;
  #startTimes: StartTimes | null = null;
  #unlisten: () => void = () => undefined;

  private constructor(options: OpenOptions) {
    const { name, backend = 'auto', wasm } = options;
    const makeWorker = options.worker ?? packageWorker;
    const listener = {
      changed: () => this.#events.push({ type: 'changed' }),
      leader: (self: boolean, storage: Omit<T.StorageState, 'persisted'>, times: StartTimes | null) =>
        this.#led(self, storage, times),
      storageFailed: (error: MailkeepError) => this.#events.push({ type: 'storage-failed', error }),
      session: (id: number, event: ConnectionEvent) => this.#hear(id, event),
      lostConnections: (error: MailkeepError) => this.#lose(error),
    };
    this.#remote = new Remote({
      name,
      backend,
      wasm: wasm === undefined ? null : new URL(wasm, location.href).href,
      makeWorker,
      listener,
    });
  }

  /**
   * Opens a store, making it where there is none.
   *
   * Fails with code 102, 103 or 104 where the file cannot be used: it is left as it is, and {@link
   * Mailkeep.exportFile} gives its bytes. Fails with 402 or 403 where the engine cannot be loaded.
   */
  static async open(options: OpenOptions): Promise<Mailkeep> {
    const mail = new Mailkeep(options);
    const persisted = options.persist === false ? Promise.resolve(null) : askToPersist();
    await mail.#remote.ready;
    mail.#storage = { ...mail.#storage, persisted: await persisted };
    mail.#events.push({ type: 'storage', storage: mail.#storage });
    mail.#unlisten = followPage((message) => mail.#remote.post(message));
    return mail;
  }

  /** The bytes of a store's file as they are, for a copy of one that cannot be opened any more. */
  static async exportFile(name: string, options: Pick<OpenOptions, 'worker'> = {}): Promise<Blob> {
    const bytes = await onFile('export', name, null, options.worker);
    if (!bytes) throw browserError(Code.Gone, `there is no store named ${name}`);
    return bytes;
  }

  /** Puts a backup, or other bytes of a database file, in the place of a store that no tab has open. */
  static async restoreFile(name: string, data: Blob, options: Pick<OpenOptions, 'worker'> = {}): Promise<void> {
    await onFile('restore', name, data, options.worker);
  }

  /** Deletes a store that no tab has open. */
  static async removeFile(name: string, options: Pick<OpenOptions, 'worker'> = {}): Promise<void> {
    await onFile('remove', name, null, options.worker);
  }

  /** Where the store lives. */
  get storage(): T.StorageState {
    return this.#storage;
  }

  /** Whether this tab holds the store. */
  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** What opening took, where this tab's worker did it. */
  get startTimes(): StartTimes | null {
    return this.#startTimes;
  }

  /** Events from now on. */
  events(options: CallOptions = {}): AsyncIterableIterator<MailkeepEvent> {
    return this.#events.iterate(options.signal);
  }

  /** Gives the store back. Where this tab held it, another takes it over; its connections end. */
  async close(): Promise<void> {
    this.#unlisten();
    await this.#remote.close();
    this.#events.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // Accounts

  /** Adds an account and answers its id. */
  addAccount(settings: T.NewAccount): Promise<number> {
    return this.#call('addAccount', settings);
  }

  /** Changes those settings that are given. The protocol changes by {@link Mailkeep.convertAccount} only. */
  updateAccount(account: number, settings: Partial<T.NewAccount>): Promise<void> {
    return this.#call('updateAccount', account, settings);
  }

  /** Removes an account and its mail from this device. */
  removeAccount(account: number): Promise<void> {
    return this.#call('removeAccount', account);
  }

  accounts(): Promise<T.Account[]> {
    return this.#call('accounts');
  }

  /** What the server said of how it keeps a POP3 account's mail. */
  popServer(account: number): Promise<T.PopServer> {
    return this.#call('popServer', account);
  }

  /** What the next sync of a POP3 account would delete from its server, and why. Nothing is changed. */
  retentionPlan(account: number): Promise<T.RetentionEntry[]> {
    return this.#call('retentionPlan', account);
  }

  /** Points an account at another server that has the same mail, whose next sync matches what is here. */
  convertAccount(account: number, settings: T.NewAccount): Promise<void> {
    return this.#call('convertAccount', account, settings);
  }

  conversion(account: number): Promise<T.Conversion> {
    return this.#call('conversion', account);
  }

  /** Ends a conversion, and says how many messages were sent on or kept. */
  finishConversion(account: number, action: T.LeftoverAction): Promise<number> {
    return this.#call('finishConversion', account, action);
  }

  // Mailboxes

  mailboxes(account: number): Promise<T.Mailbox[]> {
    return this.#call('mailboxes', account);
  }

  mailbox(mailbox: number): Promise<T.Mailbox> {
    return this.#call('mailbox', mailbox);
  }

  /** Says what a mailbox is for: a role, none, or whatever the server says. */
  setRole(mailbox: number, role: T.Role | 'none' | 'server'): Promise<void> {
    return this.#call('setRole', mailbox, role);
  }

  createMailbox(account: number, mailbox: T.NewMailbox): Promise<number> {
    return this.#call('createMailbox', account, mailbox);
  }

  /** Gives a mailbox another full name. Those below it go with it. */
  renameMailbox(mailbox: number, name: string): Promise<void> {
    return this.#call('renameMailbox', mailbox, name);
  }

  deleteMailbox(mailbox: number): Promise<void> {
    return this.#call('deleteMailbox', mailbox);
  }

  subscribe(mailbox: number, on: boolean): Promise<void> {
    return this.#call('subscribe', mailbox, on);
  }

  /** Marks everything read that is in a mailbox now. */
  markAllRead(mailbox: number): Promise<number> {
    return this.#call('markAllRead', mailbox);
  }

  /** Deletes everything for good that is in a mailbox now. */
  emptyMailbox(mailbox: number): Promise<number> {
    return this.#call('emptyMailbox', mailbox);
  }

  // Messages

  /** A page of a mailbox's messages, newest first. `after` is the `next` of the page before. */
  async messages(mailbox: number, options: { after?: Uint8Array | null; limit?: number } = {}): Promise<T.Page> {
    return decodePage(await this.#call('messages', mailbox, options.after ?? null, options.limit ?? 50));
  }

  /**
   * A page from a place in the list on, 0 being the newest: for lists that are scrolled to any place at once. It walks
   * over what is before; whoever reads in order uses {@link Mailkeep.messages}.
   */
  async messagesAt(mailbox: number, position: number, options: { limit?: number } = {}): Promise<T.Page> {
    return decodePage(await this.#call('messagesAt', mailbox, position, options.limit ?? 50));
  }

  /** Every message of a mailbox, newest first, read page by page while it is iterated. */
  async *allMessages(mailbox: number, pageSize = 200): AsyncGenerator<T.MessageRow, void, void> {
    let after: Uint8Array | null = null;
    do {
      const page: T.Page = await this.messages(mailbox, { after, limit: pageSize });
      yield* page.rows;
      after = page.next;
    } while (after);
  }

  /** One message with everything known of it but its bytes. */
  async message(message: number): Promise<T.Message> {
    const { row, details } = await this.#call('message', message);
    const [only] = decodePage(row).rows;
    if (!only) throw browserError(Code.WrongBuild, 'a message without a row');
    return { row: only, details };
  }

  /** Octets of the raw message from `offset`, fewer at its end; `null` where it is not here. */
  body(message: number, offset = 0, length = Number.MAX_SAFE_INTEGER): Promise<Uint8Array | null> {
    return this.#call('body', message, offset, length);
  }

  /** The raw message as a stream that reads as it is read from; `null` where it is not here. */
  async bodyStream(message: number): Promise<ReadableStream<Uint8Array> | null> {
    const first = await this.body(message, 0, BODY_PIECE);
    if (!first) return null;
    let piece: Uint8Array | null = first;
    let offset = 0;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const bytes = piece ?? (await this.body(message, offset, BODY_PIECE));
          piece = null;
          if (bytes && bytes.length > 0) {
            offset += bytes.length;
            controller.enqueue(bytes);
          }
          if (!bytes || bytes.length < BODY_PIECE) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** The text for reading; `null` where the message is not here. */
  text(message: number): Promise<string | null> {
    return this.#call('text', message);
  }

  /** The HTML as sent: not safe to show without a sandbox. `null` where there is none or the message is not here. */
  html(message: number): Promise<string | null> {
    return this.#call('html', message);
  }

  /** A part by its number (`1.2`), decoded; `null` where there is none or it is not here. */
  part(message: number, number: string): Promise<Uint8Array | null> {
    return this.#call('part', message, number);
  }

  // What a person does: durable when the promise settles, shown at once, and told to the server by the next connection.

  /** Sets and clears flags and keywords, or replaces them all. */
  setFlags(messages: readonly number[], change: T.FlagChange): Promise<number> {
    return this.#call('setFlags', messages, change);
  }

  move(messages: readonly number[], to: number): Promise<number> {
    return this.#call('moveMessages', messages, to);
  }

  /** Copies messages and answers the copies. */
  async copy(messages: readonly number[], to: number): Promise<number[]> {
    return [...(await this.#call('copyMessages', messages, to))];
  }

  /** Deletes messages into the Trash; out of it for good. */
  delete(messages: readonly number[]): Promise<number> {
    return this.#call('deleteMessages', messages);
  }

  /** Deletes messages for good, wherever they are. */
  expunge(messages: readonly number[]): Promise<number> {
    return this.#call('expungeMessages', messages);
  }

  /** Moves messages to the account's archive. */
  archive(messages: readonly number[]): Promise<number> {
    return this.#call('archiveMessages', messages);
  }

  /** Puts a message from this device into a mailbox: a draft, what was sent, an import. */
  append(to: number, draft: T.Draft): Promise<number> {
    return this.#call('append', to, draft);
  }

  /** Saves a draft in the place of an older version. */
  replaceDraft(old: number, draft: T.Draft): Promise<number> {
    return this.#call('replaceDraft', old, draft);
  }

  /** What was done and no server has confirmed, oldest first. */
  pending(account?: number): Promise<T.Operation[]> {
    return this.#call('pending', account ?? null);
  }

  /** Takes an operation back that waits, or forgets one that was set aside. */
  cancelOperation(operation: number): Promise<void> {
    return this.#call('cancelOperation', operation);
  }

  /** Tries an operation again that was set aside. */
  retryOperation(operation: number): Promise<void> {
    return this.#call('retryOperation', operation);
  }

  // Changes

  /** What changed since a commit. */
  async changesSince(commit: number): Promise<T.Changes> {
    return decodeChanges(await this.#call('changesSince', commit));
  }

  /** What changes from a commit on, as it changes; from now on unless a commit is named. */
  async *changes(since?: number, options: CallOptions = {}): AsyncGenerator<T.Changes, void, void> {
    const hints = this.events(options);
    let from = since ?? (await this.stats()).commit;
    for (;;) {
      const news = await this.changesSince(from);
      if (news.tooOld || news.changes.length > 0) yield news;
      from = news.next;
      if ((await hints.next()).done) return;
    }
  }

  /** New mail that nobody has acknowledged, oldest first: what a notification should name. */
  async newMail(limit = 100): Promise<number[]> {
    return [...(await this.#call('newMail', limit))];
  }

  /** The person has been told of these: they are new no more. */
  acknowledgeNewMail(messages: readonly number[]): Promise<void> {
    return this.#call('acknowledgeNewMail', messages);
  }

  // Room, and the store's life

  stats(): Promise<T.Stats> {
    return this.#call('stats');
  }

  /** What a rule would take from the server, oldest first. {@link Mailkeep.move} into a local mailbox does it. */
  planArchive(account: number, rule: T.ArchiveRule): Promise<T.ArchiveEntry[]> {
    return this.#call('planArchive', account, rule);
  }

  /** Lets go of bodies until those that are left take at most `budget` octets; call it until `more` is false. */
  evictBodies(budget: number): Promise<T.Evicted> {
    return this.#call('evictBodies', budget);
  }

  /** Compresses some of the bodies that have not been looked at, about so many octets of them. */
  shrink(octets: number): Promise<T.ShrinkProgress> {
    return this.#call('shrink', octets);
  }

  /** Gives unused space back; nothing else of the store runs meanwhile. */
  compact(): Promise<boolean> {
    return this.#call('compact');
  }

  /** Reads everything and says what is not as it should be. */
  verify(): Promise<T.VerifyReport> {
    return this.#call('verify');
  }

  /** A consistent copy of the whole store as a database file. It is good until the next backup is made. */
  backup(): Promise<Blob> {
    return this.#call('backup');
  }

  /** The number that names this store and no copy of it. */
  incarnation(): Promise<string> {
    return this.#call('incarnation');
  }

  /** Opens the storage again after it failed and the cause is gone. Everything acknowledged is there. */
  reopen(): Promise<void> {
    return this.#call('reopen');
  }

  // Connections

  /** Begins a connection for an account over a transport. */
  async connect(account: number, options: ConnectOptions): Promise<Connection> {
    const { credentials: given, transport, signal, timeoutMs, idleReissueMs, pollMs } = options;
    const ask: CredentialsProvider = typeof given === 'function' ? given : () => null;
    const credentials = typeof given === 'function' ? await given({ mechanisms: [] }) : given;
    const { record, moved } = transportRecord(transport);
    const crossing: ConnectRecord = {
      transport: record,
      credentials,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(idleReissueMs !== undefined && { idleReissueMs }),
      ...(pollMs !== undefined && { pollMs }),
    };
    const id = await this.#remote.call('connect', [account, crossing], signal, moved);
    const connection = new Connection(id, account, this.#remote, ask);
    this.#connections.set(id, connection);
    for (const event of this.#early.get(id) ?? []) this.#hear(id, event);
    this.#early.delete(id);
    return connection;
  }

  #call<M extends keyof Calls>(method: M, ...args: Parameters<Calls[M]>): Promise<ReturnType<Calls[M]>> {
    return this.#remote.call(method, args);
  }

  #hear(id: number, event: ConnectionEvent): void {
    const connection = this.#connections.get(id);
    if (!connection) {
      this.#early.set(id, [...(this.#early.get(id) ?? []), event]);
      return;
    }
    if (event.type === 'closed') this.#connections.delete(id);
    connection.hear(event);
  }

  #lose(error: MailkeepError): void {
    for (const connection of this.#connections.values()) connection.finish(error);
    this.#connections.clear();
    this.#early.clear();
  }

  #led(self: boolean, storage: Omit<T.StorageState, 'persisted'>, times: StartTimes | null): void {
    this.#isLeader = self;
    this.#startTimes = times ?? this.#startTimes;
    this.#storage = { ...storage, persisted: this.#storage.persisted };
    this.#events.push({ type: 'leader', self });
    this.#events.push({ type: 'storage', storage: this.#storage });
    // Whatever was missed while the store changed hands is in the feed.
    this.#events.push({ type: 'changed' });
  }
}
