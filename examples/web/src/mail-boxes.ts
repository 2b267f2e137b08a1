// Accounts with their mailboxes, as links: where they lead is in the address, so that going back works.
import type { Account, Mailbox } from 'mailkeep';
import { button, el, icon, put } from './dom.js';
import type { Reader } from './reader.js';
import { inOrder, mailboxName } from './words.js';

export interface BoxesEvents {
  add(): void;
  remove(account: Account): void;
  sync(account: Account): void;
}

export class MailBoxes extends HTMLElement {
  #reader!: Reader;
  #events!: BoxesEvents;
  #current: number | undefined;

  start(reader: Reader, events: BoxesEvents): void {
    this.#reader = reader;
    this.#events = events;
    reader.placesChanged.listen(() => this.#draw());
    this.addEventListener('keydown', (event) => this.#pressed(event));
    this.#draw();
  }

  set current(mailbox: number | undefined) {
    this.#current = mailbox;
    this.#draw();
  }

  focusCurrent(): void {
    (this.querySelector<HTMLElement>('a[tabindex="0"]') ?? this.querySelector<HTMLElement>('button'))?.focus();
  }

  #draw(): void {
    const focused = this.contains(document.activeElement) ? document.activeElement?.getAttribute('data-act') : null;
    const { accounts, mailboxes } = this.#reader;
    const sections = accounts.map((account) =>
      this.#account(account, inOrder(mailboxes.filter((mailbox) => mailbox.account === account.id))),
    );
    put(
      this,
      ...sections,
      button('plus', 'Add an account', () => this.#events.add(), { shown: true, class: 'add' }),
    );
    // One link is in the tab order: the one that is shown, else the first.
    const links = [...this.querySelectorAll('a')];
    const stop = links.find((link) => link.hasAttribute('aria-current')) ?? links[0];
    for (const link of links) link.tabIndex = link === stop ? 0 : -1;
    if (focused) this.querySelector<HTMLElement>(`[data-act="${focused}"]`)?.focus();
  }

  #account(account: Account, mailboxes: readonly Mailbox[]): HTMLElement {
    const { id, settings } = account;
    const sync = button('sync', `Sync ${settings.name}`, () => this.#events.sync(account));
    sync.dataset['act'] = `sync-${id}`;
    const remove = button('close', `Remove the account ${settings.name}`, () => this.#events.remove(account));
    remove.dataset['act'] = `remove-${id}`;
    return el(
      'section',
      { 'aria-labelledby': `account-${id}` },
      el('header', {}, el('h2', { id: `account-${id}` }, settings.name), sync, remove),
      mailboxes.length > 0
        ? el('ul', {}, ...mailboxes.map((mailbox) => this.#mailbox(mailbox)))
        : el('p', { class: 'hint' }, 'Nothing is here yet. Sync to bring the mail.'),
    );
  }

  #mailbox(mailbox: Mailbox): HTMLElement {
    const { id, name, delimiter, selectable, unseen, role } = mailbox;
    const depth = role || !delimiter ? 0 : name.split(delimiter).length - 1;
    const style = depth > 0 ? `--depth: ${Math.min(depth, 5)}` : null;
    const words = mailboxName(mailbox);
    if (!selectable)
      return el(
        'li',
        {},
        el('span', { class: 'box', style }, icon('folder'), el('span', { class: 'box-name' }, words)),
      );
    const count =
      unseen > 0
        ? el('span', { class: 'box-count' }, String(unseen), el('span', { class: 'visually-hidden' }, ' unread'))
        : null;
    return el(
      'li',
      {},
      el(
        'a',
        {
          class: 'box',
          href: `#/${id}`,
          style,
          'data-act': `box-${id}`,
          'aria-current': id === this.#current ? 'page' : null,
        },
        icon(iconOf(mailbox)),
        el('span', { class: 'box-name' }, words),
        count,
      ),
    );
  }

  #pressed(event: KeyboardEvent): void {
    const by =
      event.key === 'ArrowDown' || event.key === 'j' ? 1 : event.key === 'ArrowUp' || event.key === 'k' ? -1 : 0;
    const links = [...this.querySelectorAll('a')];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    if (by === 0 || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const to = links[Math.max(0, Math.min(at + by, links.length - 1))];
    for (const link of links) link.tabIndex = link === to ? 0 : -1;
    to?.focus();
  }
}

function iconOf({ role }: Mailbox): Parameters<typeof icon>[0] {
  if (role === 'inbox') return 'mail';
  if (role === 'drafts') return 'pencil';
  if (role === 'archive') return 'archive';
  if (role === 'trash') return 'trash';
  return 'folder';
}

customElements.define('mail-boxes', MailBoxes);

declare global {
  interface HTMLElementTagNameMap {
    'mail-boxes': MailBoxes;
  }
}
