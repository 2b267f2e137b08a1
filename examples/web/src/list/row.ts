// One row of the list: made once, filled again and again while the list scrolls.
import type { MessageRow } from 'mailkeep';
import { el, icon } from '../dom.js';
import { has, people, shortDate, subject } from '../words.js';

export interface RowState {
  row: MessageRow | undefined;
  position: number;
  total: number;
  /** The one that is open. */
  open: boolean;
  /** The one that the keyboard is at. */
  active: boolean;
  selected: boolean;
  /** The mailbox holds what the person wrote. */
  own: boolean;
}

export class Row {
  readonly element: HTMLElement;
  readonly #who = el('span', { class: 'row-who' });
  readonly #date = el('span', { class: 'row-date' });
  readonly #subject = el('span', { class: 'row-subject' });
  readonly #preview = el('span', { class: 'row-preview' });
  readonly #attachment = el('span', { class: 'row-attachment' }, icon('attach'));
  readonly #pending = el('span', { class: 'row-pending' }, icon('pending'));
  readonly #star = el('span', { class: 'row-star' }, icon('star'));
  /** What the drawings show, for whom cannot see them. */
  readonly #marks = el('span', { class: 'visually-hidden' });

  constructor() {
    // The name of an option is what is in it: who, when, what about, the marks; the preview would make it long.
    this.element = el(
      'div',
      { role: 'option', class: 'row', tabindex: -1 },
      el('span', { class: 'row-dot' }),
      el('span', { class: 'row-first' }, this.#who, this.#pending, this.#attachment, this.#date),
      el('span', { class: 'row-second' }, this.#subject, this.#star),
      el('span', { class: 'row-third', 'aria-hidden': 'true' }, this.#preview),
      this.#marks,
    );
  }

  fill(state: RowState): void {
    const { element } = this;
    const { row, position, total, open, active, selected, own } = state;
    element.dataset['position'] = String(position);
    element.setAttribute('aria-posinset', String(position + 1));
    element.setAttribute('aria-setsize', String(total));
    element.setAttribute('aria-selected', String(selected || open));
    element.tabIndex = active ? 0 : -1;
    element.classList.toggle('open', open);
    element.classList.toggle('selected', selected);
    element.classList.toggle('active', active);
    element.classList.toggle('waiting', row === undefined);
    if (!row) {
      this.#empty();
      return;
    }
    const starred = has(row, '\\Flagged');
    const unread = !has(row, '\\Seen');
    element.dataset['message'] = String(row.id);
    element.classList.toggle('unread', unread);
    element.classList.toggle('starred', starred);
    this.#who.textContent = people(row, own);
    this.#date.textContent = shortDate(row.internalDate);
    this.#subject.textContent = subject(row);
    this.#preview.textContent = row.preview;
    this.#attachment.hidden = row.attachments === 0;
    this.#pending.hidden = !row.pending;
    const marks = [
      unread && 'unread',
      starred && 'starred',
      row.attachments > 0 && 'with attachments',
      row.pending && 'not yet told to the server',
    ].filter(Boolean);
    this.#marks.textContent = marks.join(', ');
  }

  #empty(): void {
    delete this.element.dataset['message'];
    this.element.classList.remove('unread', 'starred');
    this.#marks.textContent = 'Loading';
    for (const text of [this.#who, this.#date, this.#subject, this.#preview]) text.textContent = '';
    this.#attachment.hidden = true;
    this.#pending.hidden = true;
  }
}
