// One message: who and when, what it says, what came with it.
import { type Message, type Part, Code, MailkeepError } from 'mailkeep';
import { button, el, icon, put } from '../dom.js';
import type { Reader } from '../reader.js';
import { fullDate, has, longName, subject } from '../words.js';
import { attachmentList, attachmentsOf, partBytes } from './attachments.js';
import { plainText } from './plain-text.js';
import { contentId, safeHtml } from './safe-html.js';

/** HTML above so many characters is shown as its text: to take it apart would hold the page up. */
const LONGEST_HTML = 2_000_000;
/** Octets of one inline image, and of all, above which they are not shown in the text. */
const LARGEST_IMAGE = 4 << 20;
const ALL_IMAGES = 16 << 20;
/** What a frame with mail may do: open links in tabs, which are free of it. Never scripts, never our origin. */
const SANDBOX = 'allow-popups allow-popups-to-escape-sandbox';

export interface ViewEvents {
  toolbar(message: Message): HTMLElement;
  back(): void;
  editDraft(message: Message): void;
  gone(): void;
}

interface Shown {
  body: HTMLElement;
  notice: HTMLElement | null;
  /** Parts that the body shows. */
  parts: ReadonlySet<string>;
}

export class MailView extends HTMLElement {
  #reader!: Reader;
  #events!: ViewEvents;
  #message: Message | undefined;
  #id: number | undefined;
  #turn = 0;
  readonly #head = el('header', { class: 'message-head' });
  readonly #content = el('div', { class: 'message-content' });

  start(reader: Reader, events: ViewEvents): void {
    this.#reader = reader;
    this.#events = events;
    this.clear();
  }

  get message(): Message | undefined {
    return this.#message;
  }

  clear(): void {
    this.#turn += 1;
    this.#id = undefined;
    this.#message = undefined;
    put(this, el('p', { class: 'hint' }, 'Choose a message to read it here.'));
  }

  /** Shows a message; marks it read where it was not. */
  async show(id: number): Promise<void> {
    const turn = ++this.#turn;
    this.#id = id;
    try {
      let message = await this.#reader.mail.message(id);
      if (turn !== this.#turn) return;
      this.#message = message;
      this.#drawHead(message);
      put(this.#content, el('p', { class: 'hint', role: 'status' }, 'Opening …'));
      put(this, this.#head, this.#content);
      if (message.row.sha256 === null && (await this.#bring(id))) message = await this.#reader.mail.message(id);
      const shown = await this.#body(message);
      if (turn !== this.#turn) return;
      this.#message = message;
      this.#drawHead(message);
      const attachments = attachmentList(this.#reader, message, attachmentsOf(message, shown.parts));
      put(this.#content, shown.notice, attachments, shown.body);
      if (!has(message.row, '\\Seen')) await this.#reader.mail.setFlags([id], { add: ['\\Seen'] });
    } catch (error) {
      if (turn !== this.#turn) return;
      if (error instanceof MailkeepError && error.code === Code.Gone) {
        this.clear();
        this.#events.gone();
      } else this.#reader.failed.tell(error);
    }
  }

  /** Flags may have changed, or the message may be gone. */
  async refresh(): Promise<void> {
    const turn = this.#turn;
    if (this.#id === undefined || !this.#message) return;
    try {
      const message = await this.#reader.mail.message(this.#id);
      if (turn !== this.#turn) return;
      this.#message = message;
      this.#drawHead(message);
    } catch (error) {
      if (turn !== this.#turn || !(error instanceof MailkeepError) || error.code !== Code.Gone) return;
      this.clear();
      this.#events.gone();
    }
  }

  /** Brings a message that is not here whole, where there is a connection. */
  async #bring(id: number): Promise<boolean> {
    const mailbox = this.#reader.mailbox(this.#message?.row.mailbox ?? -1);
    const account = mailbox && this.#reader.account(mailbox.account);
    if (!account) return false;
    try {
      return await this.#reader.link(account).fetch(id);
    } catch (error) {
      this.#reader.failed.tell(error);
      return false;
    }
  }

  #drawHead(message: Message): void {
    const { row, details } = message;
    const field = (name: string, addresses: typeof row.from): HTMLElement | null =>
      addresses.length === 0
        ? null
        : el('div', { class: 'field' }, el('dt', {}, name), el('dd', {}, addresses.map(longName).join(', ')));
    // Focus on one of the buttons outlives their being drawn anew.
    const focused = this.#head.contains(document.activeElement)
      ? document.activeElement?.getAttribute('data-act')
      : null;
    const title = el('h2', { tabindex: -1 }, subject(row));
    const isDraft = has(row, '\\Draft');
    put(
      this.#head,
      el(
        'div',
        { class: 'view-bar' },
        button('back', 'Back to the list', () => this.#events.back(), { class: 'back' }),
        this.#events.toolbar(message),
      ),
      title,
      el(
        'dl',
        { class: 'fields' },
        field('From', row.from),
        field('To', details.to.length > 0 ? details.to : row.to),
        field('Cc', details.cc),
        el('div', { class: 'field' }, el('dt', {}, 'Date'), el('dd', {}, fullDate(row.date ?? row.internalDate))),
      ),
      row.degraded &&
        el('p', { class: 'notice' }, icon('help'), 'Not all of this message could be read; what could is shown.'),
      isDraft &&
        button('pencil', 'Edit this draft', () => this.#events.editDraft(message), {
          shown: true,
          class: 'edit-draft',
        }),
    );
    if (focused) this.#head.querySelector<HTMLElement>(`[data-act="${focused}"]`)?.focus();
  }

  focusTitle(): void {
    this.#head.querySelector('h2')?.focus();
  }

  async #body(message: Message): Promise<Shown> {
    const { mail } = this.#reader;
    const { id } = message.row;
    const html = await mail.html(id);
    if (html !== null && html.length <= LONGEST_HTML) return this.#framed(message, html);
    const text = await mail.text(id);
    const parts = new Set<string>();
    if (text !== null) return { body: plainText(text), notice: null, parts };
    const words = 'This message is not on this device yet. Connect to have it brought.';
    return { body: el('p', { class: 'hint' }, words), notice: null, parts };
  }

  async #framed(message: Message, html: string): Promise<Shown> {
    const { inline, parts } = await this.#inlineImages(message, html);
    const { document, blocked } = safeHtml(html, inline);
    const frame = el('iframe', {
      class: 'mail-frame',
      sandbox: SANDBOX,
      referrerpolicy: 'no-referrer',
      title: `Message: ${subject(message.row)}`,
      srcdoc: document,
    });
    return { body: frame, notice: blocked.length > 0 ? blockedNotice(blocked) : null, parts };
  }

  /** The images that came with a mail for its text, as addresses that hold them. */
  async #inlineImages(message: Message, html: string): Promise<{ inline: Map<string, string>; parts: Set<string> }> {
    const inline = new Map<string, string>();
    const parts = new Set<string>();
    if (!/cid:/i.test(html)) return { inline, parts };
    let room = ALL_IMAGES;
    const wanted = message.details.parts.filter(isImage);
    for (const part of wanted) {
      if (part.size > LARGEST_IMAGE || part.size > room || part.contentId === null) continue;
      // A Content-ID that the text does not name is an attachment like any other.
      if (!html.includes(contentId(part.contentId))) continue;
      const bytes = await partBytes(this.#reader, message, part).catch(() => null);
      if (!bytes) continue;
      room -= bytes.length;
      inline.set(contentId(part.contentId), await dataAddress(bytes, part.mediaType));
      parts.add(part.number);
    }
    return { inline, parts };
  }
}

/** Kinds of image that hold no script and nothing to load. */
function isImage({ mediaType, contentId: id }: Part): boolean {
  return id !== null && /^image\/(png|jpeg|gif|webp|bmp|avif)$/i.test(mediaType);
}

async function dataAddress(bytes: Uint8Array, type: string): Promise<string> {
  const reader = new FileReader();
  return new Promise((resolve, reject) => {
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error('an image cannot be read'));
    reader.readAsDataURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
  });
}

/** Says that something was not loaded, and from where it would have come. */
function blockedNotice(hosts: readonly string[]): HTMLElement {
  return el(
    'details',
    { class: 'notice blocked' },
    el('summary', { role: 'button' }, icon('shield'), 'Remote content is blocked'),
    el(
      'p',
      {},
      'This message wants to load images or styles from elsewhere, which would tell the sender that it was opened. It would have asked: ',
      hosts.join(', '),
      '.',
    ),
  );
}

customElements.define('mail-view', MailView);

declare global {
  interface HTMLElementTagNameMap {
    'mail-view': MailView;
  }
}
