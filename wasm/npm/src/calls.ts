// What crosses between a tab's client, its worker, and the worker that leads.
import type { ErrorRecord } from './errors.js';
import type { PipeMessage } from './pipe.js';
import type {
  Account,
  ArchiveEntry,
  ArchiveRule,
  Conversion,
  Credentials,
  Draft,
  Evicted,
  FlagChange,
  LeftoverAction,
  Mailbox,
  MessageDetails,
  NewAccount,
  NewMailbox,
  Operation,
  PopServer,
  Quota,
  RetentionEntry,
  Role,
  ShrinkProgress,
  Stats,
  StorageState,
  SyncScope,
  SyncSummary,
  VerifyReport,
} from './types.js';

/** Every call that a client makes of the worker that holds the store. Pages and number lists cross packed. */
export interface Calls {
  addAccount(settings: NewAccount): number;
  updateAccount(account: number, settings: Partial<NewAccount>): void;
  removeAccount(account: number): void;
  accounts(): Account[];
  mailboxes(account: number): Mailbox[];
  mailbox(mailbox: number): Mailbox;
  setRole(mailbox: number, role: Role | 'none' | 'server'): void;
  messages(mailbox: number, after: Uint8Array | null, limit: number): Uint8Array;
  messagesAt(mailbox: number, position: number, limit: number): Uint8Array;
  message(message: number): { row: Uint8Array; details: MessageDetails };
  body(message: number, offset: number, length: number): Uint8Array | null;
  text(message: number): string | null;
  html(message: number): string | null;
  part(message: number, number: string): Uint8Array | null;
  changesSince(commit: number): Float64Array;
  newMail(limit: number): Float64Array;
  acknowledgeNewMail(messages: readonly number[]): void;
  stats(): Stats;

  setFlags(messages: readonly number[], change: FlagChange): number;
  moveMessages(messages: readonly number[], to: number): number;
  copyMessages(messages: readonly number[], to: number): Float64Array;
  deleteMessages(messages: readonly number[]): number;
  expungeMessages(messages: readonly number[]): number;
  archiveMessages(messages: readonly number[]): number;
  append(to: number, draft: Draft): number;
  replaceDraft(old: number, draft: Draft): number;
  markAllRead(mailbox: number): number;
  emptyMailbox(mailbox: number): number;
  createMailbox(account: number, mailbox: NewMailbox): number;
  renameMailbox(mailbox: number, name: string): void;
  deleteMailbox(mailbox: number): void;
  subscribe(mailbox: number, on: boolean): void;
  pending(account: number | null): Operation[];
  cancelOperation(operation: number): void;
  retryOperation(operation: number): void;
  convertAccount(account: number, settings: NewAccount): void;
  conversion(account: number): Conversion;
  finishConversion(account: number, action: LeftoverAction): number;

  shrink(octets: number): ShrinkProgress;
  compact(): boolean;
  verify(): VerifyReport;
  backup(): Blob;
  incarnation(): string;
  reopen(): void;
  planArchive(account: number, rule: ArchiveRule): ArchiveEntry[];
  evictBodies(budget: number): Evicted;
  retentionPlan(account: number): RetentionEntry[];
  popServer(account: number): PopServer;

  connect(account: number, options: ConnectRecord): number;
  sync(session: number, scope: SyncScope): SyncSummary;
  fetch(session: number, message: number, part: string | null): void;
  watch(session: number, mailboxes: readonly number[]): void;
  stopWatching(session: number): void;
  provideCredentials(session: number, credentials: Credentials | null): void;
  logout(session: number): void;
  disconnect(session: number): void;
}

export type Method = keyof Calls;

/**
 * Calls that may be made again when it is not known whether they were done: those that read, and those that say what
 * shall be so. The others would do their work twice.
 */
export const REPEATABLE: ReadonlySet<Method> = new Set<Method>([
  'accounts',
  'mailboxes',
  'mailbox',
  'messages',
  'messagesAt',
  'message',
  'body',
  'text',
  'html',
  'part',
  'changesSince',
  'newMail',
  'stats',
  'pending',
  'conversion',
  'incarnation',
  'planArchive',
  'retentionPlan',
  'popServer',
  'verify',
  'backup',
  'acknowledgeNewMail',
  'updateAccount',
  'setRole',
  'setFlags',
  'moveMessages',
  'markAllRead',
  'subscribe',
  'renameMailbox',
  'shrink',
  'compact',
  'evictBodies',
  'reopen',
]);

/** How a connection is to be made, as it crosses. */
export interface ConnectRecord {
  transport: TransportRecord;
  /** The credentials, where they are known already. */
  credentials: Credentials | null;
  timeoutMs?: number;
  idleReissueMs?: number;
  pollMs?: number;
}

/**
 * A transport as it crosses: streams that were transferred, pipes that carry an app's streams, or a WebSocket to open.
 */
export type TransportRecord =
  | {
      kind: 'streams';
      readable: ReadableStream<Uint8Array>;
      writable: WritableStream<Uint8Array>;
      secure: boolean;
      binding?: ChannelBinding;
    }
  | { kind: 'pipes'; up: number; down: number; secure: boolean; binding?: ChannelBinding }
  | { kind: 'web-socket'; url: string; protocols: string[]; secure: boolean };

/** What ties a login to its TLS connection (RFC 5056), where the TLS layer tells. */
export interface ChannelBinding {
  kind: string;
  data: Uint8Array;
}

/** What a connection tells. */
export type ConnectionEvent =
  | { type: 'authenticated' }
  | { type: 'need-credentials'; mechanisms: string[] }
  | { type: 'alert'; text: string }
  | { type: 'problem'; text: string }
  | { type: 'mailboxes-listed' }
  | { type: 'progress'; mailbox: number; done: number; total: number }
  | { type: 'stored'; commit: number }
  | { type: 'new-mail'; mailbox: number; message: number }
  | { type: 'opened'; message: number }
  | { type: 'quota-warning'; quota: Quota }
  | { type: 'set-aside'; operation: number }
  | { type: 'closed'; error: ErrorRecord | null };

/** From a client to its worker. */
export type ToWorker =
  | { t: 'open'; name: string; client: string; backend: 'auto' | 'memory'; wasm: string | null }
  | { t: 'call'; id: number; method: Method; args: unknown[] }
  | { t: 'abort'; id: number }
  | { t: 'sleep' }
  | { t: 'wake' }
  | { t: 'close' }
  | { t: 'file'; id: number; action: 'export' | 'remove' | 'restore'; name: string; data: Blob | null }
  | PipeMessage;

/** From the worker, its own or the one that leads, to a client. */
export type ToClient =
  | { t: 'leader'; epoch: string; self: boolean; storage: Omit<StorageState, 'persisted'>; times: StartTimes | null }
  | { t: 'failed'; error: ErrorRecord }
  | { t: 'closed' }
  | { t: 'result'; id: number; value: unknown }
  | { t: 'error'; id: number; error: ErrorRecord }
  | { t: 'changed' }
  | { t: 'storage-failed'; error: ErrorRecord }
  | { t: 'session'; session: number; event: ConnectionEvent }
  | PipeMessage;

/** Milliseconds that the parts of a start took. */
export interface StartTimes {
  compileMs: number;
  startMs: number;
  openMs: number;
}
