// Records of the engine, as plain objects that can be cloned and stored. Ids, counts and sizes are numbers below 2^53;
// times are milliseconds since 1970.

/** What a mail account's server speaks. */
export type Protocol = 'imap' | 'pop3';

/** How the connection is protected: TLS from the first byte, STARTTLS before anything is said, or not at all. */
export type Security = 'tls' | 'starttls' | 'insecure';

/** Which bodies a sync brings: all, none (each comes when it is opened), or those of each mailbox's newest messages. */
export type BodyPolicy = 'all' | 'none' | { readonly newest: number };

/** Which messages of a mailbox are kept in step. */
export type Window = 'everything' | { readonly newest: number } | { readonly lastDays: number };

/** What becomes of the mail on a POP3 server once it is here. */
export type Keep = 'delete' | 'until-deleted-here' | 'forever' | { readonly days: number };

/** What a mailbox is for (RFC 6154, RFC 8457). */
export type Role = 'inbox' | 'drafts' | 'sent' | 'trash' | 'junk' | 'archive' | 'all' | 'flagged' | 'important';

/** What an app says about an account. Passwords and tokens are no part of it: they are never stored. */
export interface AccountSettings {
  /** The name an app shows; unique in the store. */
  name: string;
  protocol: Protocol;
  host: string;
  port: number;
  security: Security;
  user: string;
  /** The only SASL mechanism to use, by its registered name; `null` for the strongest that both sides have. */
  mechanism: string | null;
  bodies: BodyPolicy;
  window: Window;
  /** Whether COMPRESS=DEFLATE is asked for. */
  compress: boolean;
  /** Milliseconds between two full audits of a mailbox. */
  auditIntervalMs: number;
  /** Percent of a quota from which on a warning is told; 0 for never. */
  quotaWarning: number;
  keep: Keep;
  /** Octets above which a message on a POP3 server is fetched only when it is opened; `null` for no limit. */
  popSizeLimit: number | null;
  /** The app's own settings, kept and never read by the engine. */
  extra: Record<string, string>;
}

/** Settings of a new account. What is left out has the protocol's usual value: TLS, its registered port, everything. */
export type NewAccount = Pick<AccountSettings, 'name' | 'host' | 'user'> & Partial<AccountSettings>;

/** One limit on what an account may hold (RFC 9208). `STORAGE` counts in units of 1024 octets. */
export interface Quota {
  root: string;
  resource: string;
  usage: number;
  limit: number;
  percent: number;
}

export interface Account {
  id: number;
  settings: AccountSettings;
  /** The server's name for itself, where it told. */
  server: string | null;
  quotas: Quota[];
}

export interface Mailbox {
  /** Stays when the mailbox is renamed. */
  id: number;
  account: number;
  /** The full name for a person, levels separated by the delimiter. */
  name: string;
  delimiter: string | null;
  /** On the IMAP server, the one inbox of a POP3 server, or on this device only. */
  kind: 'server' | 'pop-inbox' | 'local';
  role: Role | null;
  selectable: boolean;
  subscribed: boolean;
  /** Something was done to it that the server has not confirmed. */
  pending: boolean;
  total: number;
  unseen: number;
  /** Octets of its messages together. */
  size: number;
  uidValidity: number;
  uidNext: number;
  /** Every message within the window has been seen here. */
  complete: boolean;
}

export interface Address {
  name: string | null;
  address: string;
}

/** A row of a message list. */
export interface MessageRow {
  /** Stays when the message moves or the server renumbers it. */
  id: number;
  mailbox: number;
  /** What the message says; shared by every copy of it. */
  content: number;
  /** The server's handle, or 0 where it has none. */
  uid: number;
  /** Flags and keywords by their spelling on the wire (`\Seen`, `$Forwarded`, `todo`). */
  flags: string[];
  pending: boolean;
  /** INTERNALDATE. */
  internalDate: number;
  size: number;
  /** SHA-256 of the raw message in hexadecimal digits; `null` while it is not here whole. */
  sha256: string | null;
  from: Address[];
  to: Address[];
  subject: string;
  /** The Date field; `null` where there is none to be read. */
  date: number | null;
  messageId: string | null;
  preview: string;
  attachments: number;
  /** The message could not be read fully. */
  degraded: boolean;
  /** The parts are known, and so `attachments` is no guess. */
  structured: boolean;
}

/** A page of rows, newest first. */
export interface Page {
  rows: MessageRow[];
  /** Where the next page starts; `null` at the end. Opaque. */
  next: Uint8Array | null;
}

/** A part of a message that is no multipart. */
export interface Part {
  /** The number that names it in IMAP, such as `1.2`. */
  number: string;
  mediaType: string;
  charset: string | null;
  /** The file name as sent: it may hold anything. To save, use `safeFileName`. */
  name: string | null;
  safeFileName: string;
  disposition: 'inline' | 'attachment' | null;
  contentId: string | null;
  /** Octets as encoded. */
  size: number;
  attachment: boolean;
}

/** What a reader shows besides the row and the text. */
export interface MessageDetails {
  sender: Address[];
  replyTo: Address[];
  to: Address[];
  cc: Address[];
  bcc: Address[];
  inReplyTo: string[];
  references: string[];
  listId: string | null;
  parts: Part[];
  /** `parts` are all there are, and their sizes are right. */
  partsComplete: boolean;
}

export interface Message {
  row: MessageRow;
  details: MessageDetails;
}

/** What an operation of the journal is. */
export type OperationKind =
  | { type: 'set-flags'; message: number; add: string[]; remove: string[] }
  | { type: 'move'; message: number; to: number }
  | { type: 'copy'; message: number; source: number; to: number }
  | { type: 'delete'; message: number }
  | { type: 'append'; message: number; to: number }
  | { type: 'create-mailbox'; mailbox: number }
  | { type: 'rename-mailbox'; mailbox: number }
  | { type: 'delete-mailbox'; mailbox: number }
  | { type: 'subscribe'; mailbox: number; on: boolean }
  | { type: 'unknown' };

/** Something that a person did and the server has not confirmed. */
export interface Operation {
  id: number;
  account: number;
  createdMs: number;
  kind: OperationKind;
  /**
   * It waits and can be taken back; it may have reached the server; or it was refused for good, and `reason` says why.
   */
  state: 'waiting' | 'sent' | 'set-aside' | 'unknown';
  reason: string | null;
}

/** One thing that a screen may have to draw again. */
export type Change =
  | { type: 'account'; account: number }
  | { type: 'mailbox'; mailbox: number }
  | { type: 'message-added' | 'message-changed' | 'message-removed'; mailbox: number; message: number };

/** An answer of the change feed. Where it is `tooOld`, read everything anew. */
export interface Changes {
  tooOld: boolean;
  changes: Change[];
  /** Ask from here next. */
  next: number;
}

export interface Stats {
  accounts: number;
  mailboxes: number;
  messages: number;
  octets: number;
  /** The number of the last commit in the change feed. */
  commit: number;
}

export interface VerifyReport {
  mailboxes: number;
  messages: number;
  bodies: number;
  octets: number;
  /** What is wrong, one line each. */
  problems: string[];
}

export interface ShrinkProgress {
  read: number;
  saved: number;
  done: boolean;
}

export interface Evicted {
  messages: number;
  octets: number;
  octetsLeft: number;
  more: boolean;
}

/**
 * Which messages are to leave the server: what was received before a time, or the oldest until a quota is used so
 * little.
 */
export type ArchiveRule = { readonly beforeMs: number } | { readonly quotaPercent: number };

export interface ArchiveEntry {
  message: number;
  mailbox: number;
  size: number;
  internalDate: number;
  subject: string;
}

export interface RetentionEntry {
  message: number | null;
  uidl: string;
  size: number;
  subject: string;
  why: { type: 'here' | 'deleted-here' | 'moved-here' | 'unknown' } | { type: 'age'; days: number };
}

export interface PopServer {
  loginDelayS: number;
  expire: 'never' | { days: number } | null;
}

export interface Leftover {
  message: number;
  mailbox: number;
  mailboxName: string;
  subject: string;
  size: number;
  internalDate: number;
  /** Whether it is here whole. One that is not can be given to nobody. */
  whole: boolean;
}

export interface Conversion {
  underWay: boolean;
  /** Messages that the new server was not found to have. */
  leftovers: Leftover[];
}

/** What becomes of messages that only this device has when a conversion ends. */
export type LeftoverAction = 'upload' | 'forget' | { readonly keepIn: number };

/** What to do to flags and keywords: some set and some cleared, or all replaced. */
export type FlagChange =
  { readonly add?: readonly string[]; readonly remove?: readonly string[] } | { readonly exactly: readonly string[] };

export interface NewMailbox {
  /** Its full name, levels separated by the account's delimiter. */
  name: string;
  /** On this device only. */
  local?: boolean;
  role?: Role;
}

/** A message from this device on its way into a mailbox. */
export interface Draft {
  /** An RFC 5322 message. */
  raw: Uint8Array;
  flags?: readonly string[];
  /** Its INTERNALDATE where that is not now: for imports. */
  internalDate?: number;
}

/** What a sync covers: the account, or some mailboxes. */
export interface SyncScope {
  mailboxes?: readonly number[];
  /** Another policy than the account's, this time. */
  bodies?: BodyPolicy;
}

export interface SyncSummary {
  messagesAdded: number;
  messagesRemoved: number;
  flagsChanged: number;
  operationsReplayed: number;
  operationsSetAside: number;
  bytesReceived: number;
  bytesSent: number;
  roundTrips: number;
  commands: number;
}

/** What authenticates the user. Asked for when needed and never stored. */
export type Credentials =
  | { readonly password: string; readonly user?: string; readonly authzid?: string }
  | { readonly token: string; readonly user?: string }
  | { readonly external: true; readonly authzid?: string }
  | { readonly anonymous: string };

/** Where the store lives, and what the browser says of it. */
export interface StorageState {
  /** In the origin's private file system, or in memory and gone with the tab. */
  backend: 'opfs' | 'memory';
  /** Why it is in memory. */
  reason: string | null;
  /**
   * Whether the browser keeps it when the disk fills (`navigator.storage.persist()`); `null` where it was not asked.
   */
  persisted: boolean | null;
}
