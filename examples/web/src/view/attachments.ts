// What came with a mail: shown by name and size, saved under a name that no system trips over.
import type { MailkeepError, Message, Part } from 'mailkeep';
import { el, icon } from '../dom.js';
import type { Reader } from '../reader.js';
import { octets } from '../words.js';

/** The parts that a person would call attachments, but for those that the HTML shows. */
export function attachmentsOf({ details }: Message, shown: ReadonlySet<string>): Part[] {
  return details.parts.filter((part) => part.attachment && !shown.has(part.number));
}

export function attachmentList(reader: Reader, message: Message, parts: readonly Part[]): HTMLElement | null {
  if (parts.length === 0) return null;
  const items = parts.map((part) => {
    const name = part.safeFileName;
    const save = (): void => void reader.attempt(() => savePart(reader, message, part));
    return el(
      'li',
      {},
      el(
        'button',
        { type: 'button', class: 'attachment', title: `Save ${name}`, onclick: save },
        icon('attach'),
        el('span', { class: 'visually-hidden' }, 'Save '),
        el('span', { class: 'attachment-name' }, name),
        el('span', { class: 'attachment-size' }, octets(part.size)),
      ),
    );
  });
  return el('ul', { class: 'attachments', 'aria-label': 'Attachments' }, ...items);
}

/** A part's bytes: from this device, or from the server where they are not here yet. */
export async function partBytes(reader: Reader, { row }: Message, part: Part): Promise<Uint8Array | null> {
  const { mail } = reader;
  const here = await mail.part(row.id, part.number);
  if (here) return here;
  const mailbox = reader.mailbox(row.mailbox);
  const account = mailbox && reader.account(mailbox.account);
  if (!account || !(await reader.link(account).fetch(row.id, part.number))) return null;
  return mail.part(row.id, part.number);
}

async function savePart(reader: Reader, message: Message, part: Part): Promise<void> {
  const bytes = await partBytes(reader, message, part).catch((error: MailkeepError) => {
    reader.failed.tell(error);
    return undefined;
  });
  if (bytes === undefined) return;
  if (bytes === null) {
    reader.said.tell(`${part.safeFileName} is not on this device yet: connect to have it brought`);
    return;
  }
  save(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' }), part.safeFileName);
  reader.said.tell(`Saved ${part.safeFileName}`);
}

/** Hands a file to the browser. It is a download whatever is in it: nothing of it is opened in the page. */
export function save(data: Blob, name: string): void {
  const url = URL.createObjectURL(data);
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
