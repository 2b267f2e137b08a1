// Writing a draft. It is kept in the Drafts mailbox, here at once and on the server with the next sync; each saving
// replaces the version before.
import type { Account, Message } from 'mailkeep';
import { button, el, put } from '../dom.js';
import type { Reader } from '../reader.js';
import { fullDate, longName } from '../words.js';
import { type Letter, write } from './letter.js';

/** How long after the last key a draft is saved, in milliseconds. */
const SAVE_MS = 3_000;

export class MailCompose extends HTMLElement {
  #reader!: Reader;
  #account: Account | undefined;
  #draft: number | undefined;
  #replyTo: Pick<Letter, 'inReplyTo' | 'references'> = { inReplyTo: [], references: [] };
  #saved = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<boolean> | undefined;
  readonly #to = field('to');
  readonly #cc = field('cc');
  readonly #subject = field('subject');
  readonly #text = el('textarea', { id: 'compose-text', rows: 12 });
  readonly #state = el('span', { class: 'compose-state', role: 'status' });
  readonly #dialog = el('dialog', { class: 'compose', 'aria-labelledby': 'compose-title' });

  start(reader: Reader): void {
    this.#reader = reader;
    put(
      this.#dialog,
      el(
        'header',
        {},
        el('h2', { id: 'compose-title' }, 'Draft'),
        this.#state,
        button('close', 'Save and close', () => void this.#close()),
      ),
      labelled('To', this.#to),
      labelled('Cc', this.#cc),
      labelled('Subject', this.#subject),
      el('label', { for: 'compose-text', class: 'visually-hidden' }, 'Text'),
      this.#text,
      el(
        'footer',
        {},
        el('p', { class: 'hint' }, 'A draft is kept in Drafts. Sending is left to another program.'),
        button('trash', 'Discard', () => void this.#discard(), { shown: true }),
        button('pencil', 'Save draft', () => void this.#save(), { shown: true, class: 'primary' }),
      ),
    );
    put(this, this.#dialog);
    this.#dialog.addEventListener('input', () => {
      this.#state.textContent = 'Not saved yet';
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#save(), SAVE_MS);
    });
    this.#dialog.addEventListener('keydown', (event) => {
      if (event.key !== 's' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      void this.#save();
    });
    // Escape closes it as the button does.
    this.#dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      void this.#close();
    });
  }

  /** An empty draft, or an answer to a message. */
  async compose(account: Account, answerTo?: Message): Promise<void> {
    this.#begin(account, undefined);
    if (answerTo) {
      const { row, details } = answerTo;
      const to = details.replyTo.length > 0 ? details.replyTo : row.from;
      this.#to.value = to.map(longName).join(', ');
      this.#subject.value = /^re:/i.test(row.subject) ? row.subject : `Re: ${row.subject}`;
      const ids = row.messageId === null ? [] : [bracketed(row.messageId)];
      this.#replyTo = { inReplyTo: ids, references: [...details.references.map(bracketed), ...ids] };
      const text = (await this.#reader.mail.text(row.id)) ?? '';
      const quoted = text
        .trimEnd()
        .split(/\r?\n/)
        .map((line) => (line.startsWith('>') ? `>${line}` : `> ${line}`));
      const who = row.from.map(longName).join(', ');
      this.#text.value = `\n\nOn ${fullDate(row.date ?? row.internalDate)}, ${who} wrote:\n${quoted.join('\n')}\n`;
    }
    this.#open(answerTo ? this.#text : this.#to);
  }

  /** Goes on with a draft that was saved. */
  async edit(account: Account, message: Message): Promise<void> {
    const { row, details } = message;
    this.#begin(account, row.id);
    this.#to.value = details.to.map(longName).join(', ');
    this.#cc.value = details.cc.map(longName).join(', ');
    this.#subject.value = row.subject;
    this.#replyTo = { inReplyTo: details.inReplyTo.map(bracketed), references: details.references.map(bracketed) };
    this.#text.value = ((await this.#reader.mail.text(row.id)) ?? '').replace(/\r\n/g, '\n');
    this.#open(this.#text);
  }

  #begin(account: Account, draft: number | undefined): void {
    this.#account = account;
    this.#draft = draft;
    this.#replyTo = { inReplyTo: [], references: [] };
    for (const input of [this.#to, this.#cc, this.#subject, this.#text]) input.value = '';
    this.#state.textContent = '';
  }

  #open(first: HTMLElement & { setSelectionRange?(from: number, to: number): void }): void {
    this.#saved = this.#written();
    this.#dialog.showModal();
    first.focus();
    first.setSelectionRange?.(0, 0);
  }

  #written(): string {
    return JSON.stringify([this.#to.value, this.#cc.value, this.#subject.value, this.#text.value]);
  }

  /** Saves what is not saved; one saving at a time, for each is of what the one before left. */
  async #save(): Promise<boolean> {
    clearTimeout(this.#timer);
    while (this.#saving) await this.#saving;
    if (this.#written() === this.#saved) return true;
    this.#saving = this.#store();
    try {
      return await this.#saving;
    } finally {
      this.#saving = undefined;
    }
  }

  async #store(): Promise<boolean> {
    const account = this.#account;
    if (!account) return false;
    const written = this.#written();
    const raw = write({
      from: ownAddress(account),
      to: this.#to.value,
      cc: this.#cc.value,
      subject: this.#subject.value,
      text: this.#text.value,
      ...this.#replyTo,
    });
    const flags = ['\\Draft', '\\Seen'];
    const { mail } = this.#reader;
    const id = await this.#reader.attempt(async () =>
      this.#draft === undefined
        ? mail.append(await this.#drafts(account), { raw, flags })
        : mail.replaceDraft(this.#draft, { raw, flags }),
    );
    if (id === undefined) return false;
    this.#draft = id;
    this.#saved = written;
    this.#state.textContent = 'Saved on this device';
    return true;
  }

  /** The mailbox for drafts, which is made where there is none. */
  async #drafts(account: Account): Promise<number> {
    const { mail } = this.#reader;
    const there = (await mail.mailboxes(account.id)).find(({ role }) => role === 'drafts');
    return there?.id ?? mail.createMailbox(account.id, { name: 'Drafts', role: 'drafts' });
  }

  async #close(): Promise<void> {
    if (!(await this.#save())) return;
    this.#dialog.close();
  }

  /** Lets go of what was written, saved versions too. */
  async #discard(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#saving) await this.#saving;
    const draft = this.#draft;
    if (draft !== undefined) await this.#reader.attempt(() => this.#reader.mail.delete([draft]));
    this.#dialog.close();
  }
}

function ownAddress({ settings }: Account): string {
  const { user, host, extra } = settings;
  return extra['address'] ?? (user.includes('@') ? user : `${user}@${host}`);
}

function bracketed(id: string): string {
  return id.startsWith('<') ? id : `<${id}>`;
}

function field(name: string): HTMLInputElement {
  return el('input', {
    id: `compose-${name}`,
    type: 'text',
    autocomplete: 'off',
    spellcheck: name === 'subject' ? 'true' : 'false',
  });
}

function labelled(words: string, input: HTMLInputElement): HTMLElement {
  return el('div', { class: 'compose-field' }, el('label', { for: input.id }, words), input);
}

customElements.define('mail-compose', MailCompose);

declare global {
  interface HTMLElementTagNameMap {
    'mail-compose': MailCompose;
  }
}
