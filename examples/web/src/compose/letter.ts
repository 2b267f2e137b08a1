// Writing a message as RFC 5322 has it: plain text in UTF-8, with the few header fields that a draft needs.

export interface Letter {
  from: string;
  to: string;
  cc: string;
  subject: string;
  text: string;
  /** Message-IDs with their brackets. */
  inReplyTo: string[];
  references: string[];
}

/** The octets of a letter, dated now. */
export function write(letter: Letter, now = new Date()): Uint8Array {
  const domain = /@([\w.-]+)>?\s*$/.exec(letter.from)?.[1] ?? 'localhost';
  const fields: [string, string][] = [
    ['Date', date(now)],
    ['From', addresses(letter.from)],
    ['To', addresses(letter.to)],
    ['Cc', addresses(letter.cc)],
    ['Subject', encoded(oneLine(letter.subject))],
    ['Message-ID', `<${crypto.randomUUID()}@${domain}>`],
    ['In-Reply-To', letter.inReplyTo.join('\r\n ')],
    ['References', letter.references.join('\r\n ')],
    ['MIME-Version', '1.0'],
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Transfer-Encoding', 'base64'],
  ];
  const head = fields.filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${value}\r\n`);
  const text = letter.text.replace(/\r\n|\r|\n/g, '\r\n');
  return new TextEncoder().encode(`${head.join('')}\r\n${inLines(base64(new TextEncoder().encode(text)))}`);
}

/** A header field ends with its line: nothing that a person types begins another. */
function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').trim();
}

function date(now: Date): string {
  const [, day = '', , month = '', year = '', time = ''] =
    /^(\w+), (\d+) (\w+) (\d+) ([\d:]+)/.exec(now.toUTCString()) ?? [];
  return `${day}, ${now.getUTCDate()} ${month} ${year} ${time} +0000`;
}

/** Addresses separated by commas, each folded onto a line of its own; names that are not ASCII are encoded. */
export function addresses(text: string): string {
  return splitAddresses(oneLine(text)).map(address).join(',\r\n ');
}

/** Commas within quotes separate nothing. */
function splitAddresses(text: string): string[] {
  const parts = text.match(/(?:"(?:\\.|[^"\\])*"|[^,])+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function address(text: string): string {
  const named = /^(.*?)\s*<([^<>]*)>$/.exec(text);
  if (!named) return text;
  const [, given = '', mailbox = ''] = named;
  const name = given.replace(/^"(.*)"$/, '$1').replace(/\\(.)/g, '$1');
  if (name === '') return `<${mailbox}>`;
  if (!isAscii(name)) return `${encoded(name)} <${mailbox}>`;
  return /^[\w !#$%&'*+/=?^`{|}~-]+$/.test(name)
    ? `${name} <${mailbox}>`
    : `"${name.replace(/["\\]/g, '\\$&')}" <${mailbox}>`;
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

/** Octets in one encoded word: in base64, and behind a field's name, they stay within a line of 76 (RFC 2047 §2). */
const WORD = 39;

/** Text for a header field: as encoded words where it is not ASCII (RFC 2047), cut between characters. */
function encoded(text: string): string {
  if (isAscii(text)) return text;
  const encoder = new TextEncoder();
  const words: string[] = [];
  let word = '';
  for (const character of text) {
    if (encoder.encode(word + character).length > WORD) {
      words.push(word);
      word = '';
    }
    word += character;
  }
  if (word !== '') words.push(word);
  return words.map((piece) => `=?utf-8?B?${base64(encoder.encode(piece))}?=`).join('\r\n ');
}

function base64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}

function inLines(text: string): string {
  return (text.match(/.{1,76}/g) ?? []).map((line) => `${line}\r\n`).join('');
}
