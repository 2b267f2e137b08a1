// The whole screen: three panes side by side, or one at a time where it is narrow. Which mailbox and which message are
// shown is in the address (`#/mailbox/message`), so that reloading and going back do what people expect.
import type { Account, Message, MessageRow } from 'mailkeep';
import { Actions } from './actions.js';
import './compose/mail-compose.js';
import { askAccount, askRemoval } from './dialogs/account.js';
import { showKeys } from './dialogs/help.js';
import { showPending } from './dialogs/pending.js';
import { button, el, icon, put } from './dom.js';
import { keyAction } from './keys.js';
import './list/mail-list.js';
import './mail-boxes.js';
import './mail-status.js';
import { Notices } from './notices.js';
import type { Reader } from './reader.js';
import { toolbar } from './toolbar.js';
import './view/mail-view.js';
import { counted, mailboxName } from './words.js';

type Pane = 'boxes' | 'list' | 'view';

export class MailApp extends HTMLElement {
  #reader!: Reader;
  #actions!: Actions;
  readonly #status = document.createElement('mail-status');
  readonly #boxes = document.createElement('mail-boxes');
  readonly #list = document.createElement('mail-list');
  readonly #view = document.createElement('mail-view');
  readonly #compose = document.createElement('mail-compose');
  readonly #listBar = el('header', { class: 'list-bar' });
  #mailbox: number | undefined;
  #message: number | undefined;

  start(reader: Reader): void {
    this.#reader = reader;
    this.#actions = new Actions(reader, (messages) => this.#removed(messages));
    const notices = new Notices(reader);
    put(
      this,
      el('header', {}, this.#status),
      notices.trouble,
      el(
        'main',
        { class: 'panes' },
        el('nav', { class: 'pane boxes', 'aria-label': 'Mailboxes' }, this.#boxes),
        el('section', { class: 'pane list', 'aria-label': 'Messages' }, this.#listBar, this.#list),
        el('section', { class: 'pane view', 'aria-label': 'Message' }, this.#view),
      ),
      notices.toast,
      this.#compose,
    );
    this.#startParts();
    document.addEventListener('keydown', (event) => this.#pressed(event));
    addEventListener('hashchange', () => this.#route());
    if (!location.hash) this.#goHome();
    this.#route();
    const { backend, reason } = reader.mail.storage;
    if (backend === 'memory')
      reader.failed.tell(`The mail is gone when the tab is closed: ${reason ?? 'no reason is known'}.`);
  }

  #startParts(): void {
    const reader = this.#reader;
    this.#status.start(reader, {
      sync: () => this.#syncAll(),
      write: () => void this.#write(),
      pending: () => showPending(reader),
      help: () => showKeys(),
    });
    this.#boxes.start(reader, {
      add: () => void this.#addAccount(),
      remove: (account) => void this.#removeAccount(account),
      sync: (account) => void reader.link(account).sync(),
    });
    this.#list.start(reader, {
      open: (row) => this.#open(row),
      star: (row) => void this.#actions.star([row]),
      moved: () => this.#drawListBar(),
    });
    this.#view.start(reader, {
      toolbar: (message) => toolbar([message.row], this.#actions, () => void this.#write(message)),
      back: () => this.#back(),
      editDraft: (message) => void this.#edit(message),
      gone: () => this.#removed(this.#message === undefined ? [] : [this.#message]),
    });
    this.#compose.start(reader);
    reader.placesChanged.listen(() => {
      if (this.#mailbox === undefined && !location.hash) this.#goHome();
      this.#drawListBar();
    });
    reader.listsChanged.listen((lists) => {
      if (this.#mailbox !== undefined && (lists === null || lists.has(this.#mailbox))) {
        this.#list.show(reader.mailbox(this.#mailbox));
        void this.#view.refresh();
      }
    });
  }

  // Where we are

  #goHome(): void {
    const inbox = this.#reader.mailboxes.find(({ role }) => role === 'inbox');
    if (inbox) location.replace(`#/${inbox.id}`);
  }

  #route(): void {
    const [, mailbox, message] = /^#\/(\d+)(?:\/(\d+))?$/.exec(location.hash) ?? [];
    const before = this.#message;
    this.#mailbox = mailbox === undefined ? undefined : Number(mailbox);
    this.#message = message === undefined ? undefined : Number(message);
    const shown = this.#mailbox === undefined ? undefined : this.#reader.mailbox(this.#mailbox);
    this.#list.dataset['name'] = shown ? mailboxName(shown) : 'Messages';
    this.#list.show(shown);
    this.#boxes.current = shown?.id;
    this.#list.openMessage = this.#message;
    this.#pane(this.#message !== undefined ? 'view' : shown ? 'list' : 'boxes');
    if (this.#message !== undefined) void this.#view.show(this.#message).then(() => this.#announce(before));
    else this.#view.clear();
    document.title = shown ? `${mailboxName(shown)} – Mailkeep` : 'Mailkeep Reader';
    this.#drawListBar();
  }

  /** On a narrow screen the list is gone when a message is shown: focus goes along. */
  #announce(before: number | undefined): void {
    if (this.#message !== before && this.#isNarrow) this.#view.focusTitle();
  }

  #pane(pane: Pane): void {
    this.dataset['pane'] = pane;
  }

  get #isNarrow(): boolean {
    return matchMedia('(max-width: 719px)').matches;
  }

  #open(row: MessageRow): void {
    const to = `#/${row.mailbox}/${row.id}`;
    if (location.hash === to) void this.#view.show(row.id);
    // From one message to the next, going back leads to the list and not through all of them.
    else if (this.#message !== undefined) location.replace(to);
    else location.hash = to;
  }

  #back(): void {
    if (this.#message !== undefined) {
      location.replace(`#/${this.#mailbox}`);
      requestAnimationFrame(() => this.#list.focusActive());
    } else this.#pane('boxes');
  }

  /** Messages left the list. Where one of them was open, the one that took its place is next. */
  #removed(messages: number[]): void {
    this.#list.deselect(messages);
    if (this.#message === undefined || !messages.includes(this.#message)) return;
    location.replace(`#/${this.#mailbox}`);
    requestAnimationFrame(() => this.#list.focusActive());
  }

  #drawListBar(): void {
    const mailbox = this.#mailbox === undefined ? undefined : this.#reader.mailbox(this.#mailbox);
    const { selectedCount } = this.#list;
    const state = JSON.stringify([
      mailbox?.id,
      mailbox?.name,
      mailbox?.total,
      mailbox?.unseen,
      selectedCount,
      this.#list.targets.map((row) => row.flags),
    ]);
    if (this.#listBar.dataset['state'] === state) return;
    this.#listBar.dataset['state'] = state;
    const back = button('back', 'Back to the mailboxes', () => this.#pane('boxes'), { class: 'back' });
    if (selectedCount > 0) {
      put(
        this.#listBar,
        back,
        el('h2', {}, `${selectedCount} selected`),
        toolbar(this.#list.targets, this.#actions),
        button('close', 'Select nothing', () => this.#list.clearSelection()),
      );
      return;
    }
    const counts = mailbox && `${counted(mailbox.total)}, ${mailbox.unseen.toLocaleString()} unread`;
    put(
      this.#listBar,
      back,
      el(
        'div',
        { class: 'list-title' },
        el('h2', {}, mailbox ? mailboxName(mailbox) : 'No mailbox'),
        counts && el('p', {}, counts),
      ),
      mailbox && mailbox.unseen > 0
        ? button(
            'read',
            'Mark all read',
            () => void this.#reader.attempt(() => this.#reader.mail.markAllRead(mailbox.id)),
          )
        : null,
    );
  }

  // Accounts

  async #addAccount(): Promise<void> {
    const settings = await askAccount(this.#reader.accounts.map((account) => account.settings.name));
    if (!settings) return;
    const id = await this.#reader.attempt(() => this.#reader.mail.addAccount(settings));
    if (id === undefined) return;
    await this.#reader.reload();
    const account = this.#reader.account(id);
    if (account) void this.#reader.link(account).sync();
  }

  async #removeAccount(account: Account): Promise<void> {
    if (!(await askRemoval(account))) return;
    await this.#reader.attempt(() => this.#reader.removeAccount(account));
    location.hash = '';
  }

  #syncAll(): void {
    if (this.#reader.accounts.length === 0) void this.#addAccount();
    void this.#syncEach();
  }

  /** One after the other: each may ask for its password. */
  async #syncEach(): Promise<void> {
    for (const account of this.#reader.accounts) await this.#reader.link(account).sync();
  }

  // Writing

  /** The account that the person is in, else the first. */
  get #current(): Account | undefined {
    const mailbox = this.#mailbox === undefined ? undefined : this.#reader.mailbox(this.#mailbox);
    return (mailbox && this.#reader.account(mailbox.account)) ?? this.#reader.accounts[0];
  }

  async #write(answerTo?: Message): Promise<void> {
    const account = this.#current;
    if (account) await this.#reader.attempt(() => this.#compose.compose(account, answerTo));
    else this.#reader.said.tell('Add an account first');
  }

  async #edit(message: Message): Promise<void> {
    const account = this.#current;
    if (account) await this.#reader.attempt(() => this.#compose.edit(account, message));
  }

  // Keys

  #pressed(event: KeyboardEvent): void {
    const action = keyAction(event);
    if (!action) return;
    const targets = this.#targets;
    switch (action) {
      case 'next':
      case 'previous':
        this.#step(action === 'next' ? 1 : -1);
        break;
      case 'back':
        if (this.#list.selectedCount > 0) this.#list.clearSelection();
        else this.#back();
        break;
      case 'star':
        void this.#actions.star(targets);
        break;
      case 'read':
      case 'unread':
        void this.#actions.markRead(targets, action === 'read');
        break;
      case 'archive':
      case 'delete':
      case 'move':
        void this.#actions[action](targets);
        break;
      case 'write':
        void this.#write();
        break;
      case 'answer':
        if (this.#view.message) void this.#write(this.#view.message);
        break;
      case 'boxes':
        this.#pane('boxes');
        this.#boxes.focusCurrent();
        break;
      case 'help':
        showKeys();
        break;
    }
    event.preventDefault();
  }

  /** What a key is about: what is selected, else the row that has focus, else the message that is open. */
  get #targets(): MessageRow[] {
    const open = this.#view.message;
    const inList = this.#list.contains(document.activeElement);
    return open && !inList && this.#list.selectedCount === 0 ? [open.row] : this.#list.targets;
  }

  /** With a message open beside the list, the next one opens too. */
  #step(by: number): void {
    this.#list.step(by);
    const { active } = this.#list;
    if (this.#message !== undefined && active) this.#open(active);
  }
}

customElements.define('mail-app', MailApp);

declare global {
  interface HTMLElementTagNameMap {
    'mail-app': MailApp;
  }
}

/** What is shown where the store cannot be opened. */
export function sorry(...content: (Node | string)[]): void {
  const app = document.querySelector('mail-app');
  if (app) put(app, el('main', { class: 'sorry' }, icon('help'), ...content));
}
