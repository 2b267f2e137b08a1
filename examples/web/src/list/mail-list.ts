// The messages of one mailbox, however many: only the rows in sight are in the page. One of them is in the tab order, the
// one that the keyboard is at; it stays in the page when it is scrolled out of sight, so that focus is never lost.
import type { Mailbox, MessageRow } from 'mailkeep';
import { el, put } from '../dom.js';
import type { Reader } from '../reader.js';
import { Pages } from './pages.js';
import { Row } from './row.js';

/** The height of a row as the stylesheet has it, in CSS pixels. */
const ROW = 76;
/** Rows beyond each edge that are kept ready. */
const BEYOND = 8;

export interface ListEvents {
  /** The person opens a message. */
  open(row: MessageRow): void;
  star(row: MessageRow): void;
  /** The keyboard went to another row, or others are selected. */
  moved(): void;
}

export class MailList extends HTMLElement {
  #reader!: Reader;
  #events!: ListEvents;
  #mailbox: Mailbox | undefined;
  #pages: Pages | undefined;
  #total = 0;
  #active = 0;
  #activeId: number | undefined;
  /** The keyboard has been somewhere in this list already. */
  #entered = false;
  #openId: number | undefined;
  readonly #selected = new Map<number, MessageRow>();
  #selectFrom = 0;
  /** What was at the top edge when the list changed: it is kept there. */
  #anchor: { message: number; position: number } | undefined;
  readonly #rows = new Map<number, Row>();
  #frame = 0;
  #all = false;
  readonly #list = el('div', { class: 'rows', role: 'listbox', 'aria-multiselectable': 'true' });
  readonly #empty = el('p', { class: 'hint' });

  start(reader: Reader, events: ListEvents): void {
    this.#reader = reader;
    this.#events = events;
    put(this, this.#list, this.#empty);
    this.addEventListener('scroll', () => this.#draw(), { passive: true });
    new ResizeObserver(() => this.#draw()).observe(this);
    this.#list.addEventListener('click', (event) => this.#clicked(event));
    this.#list.addEventListener('keydown', (event) => this.#pressed(event));
  }

  /** Shows a mailbox, or nothing. */
  show(mailbox: Mailbox | undefined): void {
    if (mailbox?.id === this.#mailbox?.id) {
      this.#mailbox = mailbox;
      this.changed();
      return;
    }
    this.#pages?.close();
    this.#mailbox = mailbox;
    this.#pages =
      mailbox &&
      new Pages(
        this.#reader.mail,
        mailbox.id,
        () => this.#arrived(),
        (error) => this.#reader.failed.tell(error),
      );
    this.#active = 0;
    this.#activeId = undefined;
    this.#entered = false;
    this.#anchor = undefined;
    this.#selected.clear();
    this.scrollTop = 0;
    this.#resize();
  }

  /** What the mailbox holds is not what it was. */
  changed(): void {
    const first = Math.floor(this.scrollTop / ROW);
    const top = this.scrollTop > ROW / 2 ? this.#pages?.at(first) : undefined;
    this.#anchor = top && { message: top.id, position: first };
    this.#pages?.invalidate();
    this.#resize();
  }

  #resize(): void {
    this.#total = this.#mailbox?.total ?? 0;
    this.#active = Math.max(0, Math.min(this.#active, this.#total - 1));
    this.#list.style.height = `${this.#total * ROW}px`;
    this.#list.hidden = this.#total === 0;
    this.#list.setAttribute('aria-label', this.getAttribute('data-name') ?? 'Messages');
    this.#empty.hidden = this.#total > 0;
    this.#empty.textContent = this.#mailbox ? 'Nothing is in this mailbox.' : '';
    this.#draw(true);
  }

  /** Marks the message that is open. */
  set openMessage(message: number | undefined) {
    this.#openId = message;
    const position = message === undefined ? -1 : (this.#pages?.find(message) ?? -1);
    if (position >= 0) this.#goTo(position, { focus: false, scroll: true });
    this.#draw(true);
  }

  /** The row that the keyboard is at. */
  get active(): MessageRow | undefined {
    return this.#total === 0 ? undefined : this.#pages?.at(this.#active);
  }

  /** What an action is about: the rows that are selected, else the one that the keyboard is at. */
  get targets(): MessageRow[] {
    if (this.#selected.size > 0) return [...this.#selected.values()];
    return this.active ? [this.active] : [];
  }

  get selectedCount(): number {
    return this.#selected.size;
  }

  clearSelection(): void {
    if (this.#selected.size === 0) return;
    this.#selected.clear();
    this.#events.moved();
    this.#draw(true);
  }

  /** Takes the keyboard one row on or back. */
  step(by: number): void {
    this.#goTo(this.#active + by, { focus: true, scroll: true });
  }

  focusActive(): void {
    this.#goTo(this.#active, { focus: true, scroll: true });
  }

  #goTo(position: number, { focus, scroll }: { focus: boolean; scroll: boolean }): void {
    const to = Math.max(0, Math.min(position, this.#total - 1));
    this.#active = to;
    this.#activeId = this.#pages?.at(to)?.id;
    this.#entered = true;
    if (scroll) {
      const top = to * ROW;
      if (top < this.scrollTop) this.scrollTop = top;
      else if (top + ROW > this.scrollTop + this.clientHeight) this.scrollTop = top + ROW - this.clientHeight;
    }
    this.#drawNow(true);
    if (focus) this.#rows.get(to)?.element.focus({ preventScroll: true });
    this.#events.moved();
  }

  #clicked(event: MouseEvent): void {
    const target = event.target as Element;
    const position = Number(target.closest<HTMLElement>('.row')?.dataset['position'] ?? NaN);
    const row = Number.isNaN(position) ? undefined : this.#pages?.at(position);
    if (!row) return;
    if (target.closest('.row-star')) {
      this.#events.star(row);
      return;
    }
    if (event.shiftKey) this.#selectTo(position);
    else if (event.ctrlKey || event.metaKey) this.#toggle(position);
    else {
      this.#selectFrom = position;
      this.clearSelection();
      this.#goTo(position, { focus: true, scroll: false });
      this.#events.open(row);
    }
  }

  #pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.clientHeight / ROW) - 1);
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -this.#total,
      End: this.#total,
    };
    const by = steps[event.key];
    if (by !== undefined) {
      event.preventDefault();
      if (event.shiftKey) this.#selectTo(this.#active + by);
      else this.step(by);
    } else if (event.key === 'Enter' && this.active) {
      event.preventDefault();
      this.#events.open(this.active);
    } else if (event.key === ' ' || event.key === 'x') {
      event.preventDefault();
      this.#toggle(this.#active);
    }
  }

  #toggle(position: number): void {
    this.#selectFrom = position;
    const row = this.#pages?.at(position);
    if (!row) return;
    if (!this.#selected.delete(row.id)) this.#selected.set(row.id, row);
    this.#goTo(position, { focus: true, scroll: true });
  }

  /** Selects from where selecting began up to here: of rows that have been seen. */
  #selectTo(position: number): void {
    const to = Math.max(0, Math.min(position, this.#total - 1));
    this.#selected.clear();
    for (let at = Math.min(this.#selectFrom, to); at <= Math.max(this.#selectFrom, to); at++) {
      const row = this.#pages?.at(at);
      if (row) this.#selected.set(row.id, row);
    }
    this.#goTo(to, { focus: true, scroll: true });
  }

  /** Rows came: what the person looks at stays where it is. */
  #arrived(): void {
    const pages = this.#pages;
    if (!pages) return;
    if (this.#anchor) {
      const position = pages.find(this.#anchor.message);
      if (position >= 0) {
        this.scrollTop += (position - this.#anchor.position) * ROW;
        this.#anchor = undefined;
      }
    }
    for (const id of this.#selected.keys()) {
      const position = pages.find(id);
      const row = position >= 0 ? pages.at(position) : undefined;
      if (row) this.#selected.set(id, row);
    }
    // After a reload the keyboard begins at the message that is open.
    const known = this.#activeId ?? (this.#entered ? undefined : this.#openId);
    const moved = known === undefined ? -1 : pages.find(known);
    if (moved >= 0) {
      this.#active = moved;
      this.#activeId = known;
    } else if (pages.isFresh(this.#active)) {
      this.#activeId = pages.at(this.#active)?.id;
    }
    this.#events.moved();
    this.#draw(true);
  }

  /** Forgets of the selection what is in it no more. */
  deselect(messages: readonly number[]): void {
    for (const message of messages) this.#selected.delete(message);
    this.#draw(true);
  }

  #draw(all = false): void {
    this.#all ||= all;
    this.#frame ||= requestAnimationFrame(() => this.#drawNow(this.#all));
  }

  #drawNow(all: boolean): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#all = false;
    const first = Math.max(0, Math.floor(this.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.#total - 1, Math.ceil((this.scrollTop + this.clientHeight) / ROW) + BEYOND);
    this.#pages?.want(first, Math.max(first, last));
    const positions: number[] = [];
    for (let at = first; at <= last; at++) positions.push(at);
    if (this.#total > 0 && this.#active < first) positions.unshift(this.#active);
    else if (this.#total > 0 && this.#active > last) positions.push(this.#active);
    this.#place(positions, all);
  }

  /** Rows that stay are never moved in the page, which would take focus from them. */
  #place(positions: readonly number[], all: boolean): void {
    const wanted = new Set(positions);
    const hadFocus = this.#list.contains(document.activeElement);
    const free: Row[] = [];
    for (const [at, row] of this.#rows) {
      if (wanted.has(at)) continue;
      this.#rows.delete(at);
      row.element.remove();
      free.push(row);
    }
    let before: Element | null = null;
    for (const at of positions) {
      let row = this.#rows.get(at);
      const isNew = row === undefined;
      if (!row) {
        row = free.pop() ?? new Row();
        row.element.style.transform = `translateY(${at * ROW}px)`;
        this.#rows.set(at, row);
        if (before) before.after(row.element);
        else this.#list.prepend(row.element);
      }
      before = row.element;
      if (isNew || all) this.#fill(row, at);
    }
    if (hadFocus && !this.#list.contains(document.activeElement))
      this.#rows.get(this.#active)?.element.focus({ preventScroll: true });
    else if (hadFocus && all) this.#rows.get(this.#active)?.element.focus({ preventScroll: true });
  }

  #fill(row: Row, position: number): void {
    const data = this.#pages?.at(position);
    row.fill({
      row: data,
      position,
      total: this.#total,
      open: data !== undefined && data.id === this.#openId,
      active: position === this.#active,
      selected: data !== undefined && this.#selected.has(data.id),
      own: this.#mailbox?.role === 'drafts' || this.#mailbox?.role === 'sent',
    });
  }
}

customElements.define('mail-list', MailList);

declare global {
  interface HTMLElementTagNameMap {
    'mail-list': MailList;
  }
}
