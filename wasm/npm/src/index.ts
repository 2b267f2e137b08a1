// `mailkeep`: what an app on the main thread uses. Importing it touches nothing of the browser, so that it can be
// imported where pages are made on a server; only `Mailkeep.open` and its like do.
export { Mailkeep } from './client.js';
export type { ChangeFeed, ConnectOptions, MailkeepEvent, OpenOptions } from './client.js';
export { Connection } from './session.js';
export type { CallOptions, CredentialsProvider, SessionEvent } from './session.js';
export { Code, MailkeepError } from './errors.js';
export type { ErrorRecord, Fault } from './errors.js';
export type { StreamTransport, Transport, WebSocketTransport } from './transport.js';
export type { ChannelBinding, StartTimes } from './calls.js';
export type * from './types.js';
