// What crosses packed. Pages as the engine packs them, layout version 1: a head, rows of fixed width, all texts in one
// piece, a cursor; the layout is described in the engine's module `packed`. Changes as numbers.
import { Code, browserError } from './errors.js';
import type { Address, Change, Changes, MessageRow, Page } from './types.js';

const LAYOUT = 1;
const HEAD = 16;

/** The spelling of the flags that have a bit, lowest first. */
const FLAGS = [
  '\\Seen',
  '\\Answered',
  '\\Flagged',
  '\\Deleted',
  '\\Draft',
  '$Forwarded',
  '$MDNSent',
  '$Junk',
  '$NotJunk',
  '$Phishing',
];

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Reads a packed page. */
export function decodePage(bytes: Uint8Array): Page {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = view.getUint16(0, true);
  if (layout !== LAYOUT)
    throw browserError(Code.WrongBuild, `pages have layout ${layout}, this package reads ${LAYOUT}`);
  const width = view.getUint16(2, true);
  const count = view.getUint32(4, true);
  const textLength = view.getUint32(8, true);
  const cursorLength = view.getUint32(12, true);
  const textStart = HEAD + width * count;
  const cursorStart = textStart + textLength;
  const texts = decoder.decode(bytes.subarray(textStart, cursorStart)).split('\0');
  let next = 0;
  const text = (): string => texts[next++] ?? '';
  const rows: MessageRow[] = [];
  for (let row = 0; row < count; row++) rows.push(decodeRow(view, HEAD + row * width, text));
  const cursor = bytes.slice(cursorStart, cursorStart + cursorLength);
  return { rows, next: cursor.length > 0 ? cursor : null };
}

function decodeRow(view: DataView, at: number, text: () => string): MessageRow {
  const number = (offset: number): number => Number(view.getBigInt64(at + offset, true));
  const bits = view.getUint8(at + 92);
  const named = view.getUint16(at + 84, true);
  const subject = text();
  const preview = text();
  const messageId = text();
  const flags = FLAGS.filter((_, bit) => named & (1 << bit));
  for (let left = view.getUint16(at + 88, true); left > 0; left--) flags.push(text());
  const addresses = (count: number): Address[] =>
    Array.from({ length: count }, () => ({ name: text() || null, address: text() }));
  const from = addresses(view.getUint8(at + 90));
  const to = addresses(view.getUint8(at + 91));
  return {
    id: number(0),
    mailbox: view.getUint32(at + 76, true),
    content: number(8),
    uid: view.getUint32(at + 72, true),
    flags,
    pending: (bits & 1) !== 0,
    internalDate: number(16),
    size: number(32),
    sha256: bits & 2 ? hash(view, at + 40) : null,
    from,
    to,
    subject,
    date: bits & 16 ? number(24) : null,
    messageId: messageId || null,
    preview,
    attachments: view.getUint16(at + 86, true),
    degraded: (bits & 4) !== 0,
    structured: (bits & 8) !== 0,
  };
}

function hash(view: DataView, at: number): string {
  let digits = '';
  for (let byte = 0; byte < 32; byte++) digits += HEX[view.getUint8(at + byte)];
  return digits;
}

const CHANGE_KINDS = ['account', 'mailbox', 'message-added', 'message-changed', 'message-removed'] as const;

/** Reads an answer of the change feed: a head of two numbers, then three for each change. */
export function decodeChanges(numbers: Float64Array): Changes {
  const changes: Change[] = [];
  for (let at = 2; at + 2 < numbers.length; at += 3) {
    const type = CHANGE_KINDS[numbers[at] ?? -1];
    const place = numbers[at + 1] ?? 0;
    if (type === 'account') changes.push({ type, account: place });
    else if (type === 'mailbox') changes.push({ type, mailbox: place });
    else if (type) changes.push({ type, mailbox: place, message: numbers[at + 2] ?? 0 });
  }
  return { tooOld: numbers[0] === 0, changes, next: numbers[1] ?? 0 };
}
