// The calls of a client, on the engine.
import type { Calls, Method } from '../calls.js';
import type { RawEngine } from '../wasm.js';
import type { Draft, LeftoverAction } from '../types.js';

/** Those that the engine answers by itself. The others need the worker around it: connections and files. */
export type EngineMethod = Exclude<
  Method,
  | 'connect'
  | 'sync'
  | 'fetch'
  | 'watch'
  | 'stopWatching'
  | 'provideCredentials'
  | 'logout'
  | 'disconnect'
  | 'backup'
  | 'reopen'
>;

type Table = { [M in EngineMethod]: (engine: RawEngine, ...args: Parameters<Calls[M]>) => ReturnType<Calls[M]> };

const read = <T>(json: string): T => JSON.parse(json) as T;
const ids = (messages: readonly number[]): Float64Array => Float64Array.from(messages);

export const METHODS: Table = {
  addAccount: (engine, settings) => engine.addAccount(settings),
  updateAccount: (engine, account, settings) => engine.updateAccount(account, settings),
  removeAccount: (engine, account) => engine.removeAccount(account),
  accounts: (engine) => read(engine.accounts()),
  mailboxes: (engine, account) => read(engine.mailboxes(account)),
  mailbox: (engine, mailbox) => read(engine.mailbox(mailbox)),
  setRole: (engine, mailbox, role) => engine.setRole(mailbox, role),
  messages: (engine, mailbox, after, limit) => engine.messages(mailbox, after, limit),
  messagesAt: (engine, mailbox, position, limit) => engine.messagesAt(mailbox, position, limit),
  message: (engine, message) => ({ row: engine.messageRow(message), details: read(engine.messageDetails(message)) }),
  body: (engine, message, offset, length) => engine.body(message, offset, length) ?? null,
  text: (engine, message) => engine.text(message) ?? null,
  html: (engine, message) => engine.html(message) ?? null,
  part: (engine, message, number) => engine.part(message, number) ?? null,
  changesSince: (engine, commit) => engine.changesSince(commit),
  newMail: (engine, limit) => engine.newMail(limit),
  acknowledgeNewMail: (engine, messages) => engine.acknowledgeNewMail(ids(messages)),
  stats: (engine) => read(engine.stats()),

  setFlags: (engine, messages, change) =>
    'exactly' in change
      ? engine.replaceFlags(ids(messages), [...change.exactly])
      : engine.setFlags(ids(messages), [...(change.add ?? [])], [...(change.remove ?? [])]),
  moveMessages: (engine, messages, to) => engine.moveMessages(ids(messages), to),
  copyMessages: (engine, messages, to) => engine.copyMessages(ids(messages), to),
  deleteMessages: (engine, messages) => engine.deleteMessages(ids(messages)),
  expungeMessages: (engine, messages) => engine.expungeMessages(ids(messages)),
  archiveMessages: (engine, messages) => engine.archiveMessages(ids(messages)),
  append: (engine, to, draft) => engine.append(to, ...parts(draft)),
  replaceDraft: (engine, old, draft) => engine.replaceDraft(old, ...parts(draft)),
  markAllRead: (engine, mailbox) => engine.markAllRead(mailbox),
  emptyMailbox: (engine, mailbox) => engine.emptyMailbox(mailbox),
  createMailbox: (engine, account, { name, local, role }) => engine.createMailbox(account, name, local ?? false, role),
  renameMailbox: (engine, mailbox, name) => engine.renameMailbox(mailbox, name),
  deleteMailbox: (engine, mailbox) => engine.deleteMailbox(mailbox),
  subscribe: (engine, mailbox, on) => engine.subscribe(mailbox, on),
  pending: (engine, account) => read(engine.pending(account ?? undefined)),
  cancelOperation: (engine, operation) => engine.cancelOperation(operation),
  retryOperation: (engine, operation) => engine.retryOperation(operation),
  convertAccount: (engine, account, settings) => engine.convertAccount(account, settings),
  conversion: (engine, account) => read(engine.conversion(account)),
  finishConversion: (engine, account, action) => engine.finishConversion(account, ...actionParts(action)),

  shrink: (engine, octets) => read(engine.shrink(octets)),
  compact: (engine) => engine.compact(),
  verify: (engine) => read(engine.verify()),
  incarnation: (engine) => engine.incarnation(),
  planArchive: (engine, account, rule) => read(engine.planArchive(account, rule)),
  evictBodies: (engine, budget) => read(engine.evictBodies(budget)),
  retentionPlan: (engine, account) => read(engine.retentionPlan(account)),
  popServer: (engine, account) => read(engine.popServer(account)),
};

/** Calls that change what a list shows. */
export const CHANGING: ReadonlySet<Method> = new Set<Method>([
  'addAccount',
  'updateAccount',
  'removeAccount',
  'setRole',
  'setFlags',
  'moveMessages',
  'copyMessages',
  'deleteMessages',
  'expungeMessages',
  'archiveMessages',
  'append',
  'replaceDraft',
  'markAllRead',
  'emptyMailbox',
  'createMailbox',
  'renameMailbox',
  'deleteMailbox',
  'subscribe',
  'cancelOperation',
  'retryOperation',
  'convertAccount',
  'finishConversion',
  'acknowledgeNewMail',
  'evictBodies',
]);

function parts({ raw, flags, internalDate }: Draft): [Uint8Array, string[], number | undefined] {
  return [raw, [...(flags ?? [])], internalDate];
}

function actionParts(action: LeftoverAction): [string, number | undefined] {
  return typeof action === 'string' ? [action, undefined] : ['keep', action.keepIn];
}
