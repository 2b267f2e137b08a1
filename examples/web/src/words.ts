// What records of the engine are called in front of a person.
import { type Address, type Mailbox, type MessageRow, type Role, Code, MailkeepError } from 'mailkeep';

const today = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const thisYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const earlier = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

/** A date for a row of a list: shorter the nearer it is. */
export function shortDate(ms: number, now = Date.now()): string {
  const date = new Date(ms);
  const present = new Date(now);
  if (date.toDateString() === present.toDateString()) return today.format(date);
  return (date.getFullYear() === present.getFullYear() ? thisYear : earlier).format(date);
}

export function fullDate(ms: number): string {
  return full.format(new Date(ms));
}

export function counted(messages: number): string {
  return messages === 1 ? '1 message' : `${messages.toLocaleString()} messages`;
}

/** Octets as a person counts them. */
export function octets(count: number): string {
  if (count < 1000) return `${count} bytes`;
  const units = ['kB', 'MB', 'GB'];
  let value = count / 1000;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function shortName({ name, address }: Address): string {
  return name ?? (address || 'Unknown');
}

export function longName({ name, address }: Address): string {
  return name && name !== address ? `${name} <${address}>` : address;
}

/** Whom a row is about: who wrote it, or who it goes to where the person wrote it. */
export function people(row: MessageRow, own: boolean): string {
  const named = (own ? row.to : row.from).map(shortName).join(', ');
  if (own) return named ? `To: ${named}` : 'No recipient yet';
  return named || 'Unknown sender';
}

export function subject(row: MessageRow): string {
  return row.subject || 'No subject';
}

export const has = (row: MessageRow, flag: string): boolean => row.flags.includes(flag);

const ROLES: Partial<Record<Role, string>> = {
  inbox: 'Inbox',
  drafts: 'Drafts',
  sent: 'Sent',
  trash: 'Trash',
  junk: 'Junk',
  archive: 'Archive',
};

/** A mailbox by its role where it has a usual one, else by the last level of its name. */
export function mailboxName({ name, role, delimiter }: Mailbox): string {
  const usual = role && ROLES[role];
  if (usual) return usual;
  return (delimiter && name.split(delimiter).at(-1)) || name;
}

/** In the order that people know: the inbox first, the rest by name. */
export function inOrder(mailboxes: readonly Mailbox[]): Mailbox[] {
  const known = Object.keys(ROLES);
  const rank = ({ role }: Mailbox): number => (role && known.includes(role) ? known.indexOf(role) : known.length);
  return [...mailboxes].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

const FAULTS = {
  server: 'The mail server',
  caller: 'This app',
  store: 'The store on this device',
  browser: 'The browser',
} as const;

/** What a person can do about an error. */
function advice({ code, storage }: MailkeepError): string {
  if (storage === 'full') return ' Make room on this device, then try again.';
  switch (code) {
    case Code.LoginRefused:
      return ' Check the user name and the password.';
    case Code.Disconnected:
    case Code.TimedOut:
      return ' What is here stays here; the next sync goes on.';
    case Code.Transport:
      return ' Is the relay running, and does it allow this server?';
    case Code.TabLost:
      return ' Another tab holds the mail now; try again.';
    default:
      return '';
  }
}

/** An error in words, with whose fault it is. */
export function inWords(error: unknown): string {
  if (!(error instanceof MailkeepError)) return `This app: ${error instanceof Error ? error.message : String(error)}`;
  return `${FAULTS[error.fault]}: ${error.message.replace(/\.$/, '')}.${advice(error)}`;
}
