// The bar on top: whether there is a connection, how far a sync is, what waits for the server.
import { button, el, icon, put } from './dom.js';
import type { Reader } from './reader.js';
import { mailboxName } from './words.js';

export interface StatusEvents {
  sync(): void;
  write(): void;
  pending(): void;
  help(): void;
}

const WORDS = {
  syncing: 'Syncing',
  connecting: 'Connecting',
  online: 'Connected',
  elsewhere: 'Connected in another tab',
  offline: 'Offline',
} as const;

export class MailStatus extends HTMLElement {
  #reader!: Reader;
  readonly #badge = el('span', { class: 'badge', id: 'connection' });
  readonly #progress = el('progress', { 'aria-label': 'Progress of the sync' });
  readonly #why = el('span', { class: 'why' });
  readonly #count = el('span', { class: 'count' });
  #frame = 0;

  start(reader: Reader, events: StatusEvents): void {
    this.#reader = reader;
    const sync = button('sync', 'Sync', () => events.sync(), { class: 'act-sync' });
    const pending = button('pending', 'Waiting for the server', () => events.pending(), { class: 'act-pending' });
    pending.append(this.#count);
    put(
      this,
      el('h1', {}, 'Mailkeep'),
      el('div', { class: 'connection' }, this.#badge, this.#progress, this.#why),
      sync,
      pending,
      button('help', 'Keys', () => events.help(), { class: 'act-help' }),
      button('pencil', 'Write', () => events.write(), { shown: true, class: 'primary act-write' }),
    );
    const draw = (): void => {
      this.#frame ||= requestAnimationFrame(() => this.#draw());
    };
    reader.linksChanged.listen(draw);
    reader.operationsChanged.listen(draw);
    reader.placesChanged.listen(draw);
    addEventListener('online', draw);
    addEventListener('offline', draw);
    this.#draw();
  }

  #draw(): void {
    this.#frame = 0;
    const reader = this.#reader;
    const states = reader.accounts.map((account) => reader.link(account).state);
    const syncing = states.find((state) => state.kind === 'syncing');
    const connecting = states.some((state) => state.kind === 'connecting');
    const online = states.some((state) => state.kind === 'online');
    const away = reader.isConnectedElsewhere ? 'elsewhere' : 'offline';
    const kind = syncing ? 'syncing' : connecting ? 'connecting' : online ? 'online' : away;
    const words = WORDS[kind];
    if (this.dataset['state'] !== kind) {
      this.dataset['state'] = kind;
      put(this.#badge, icon(kind === 'offline' ? 'offline' : 'sync'), el('span', {}, words));
    }
    this.#progress.hidden = !syncing;
    this.#why.textContent = '';
    if (syncing) {
      const mailbox = syncing.mailbox === null ? undefined : reader.mailbox(syncing.mailbox);
      if (syncing.total > 0) {
        this.#progress.max = syncing.total;
        this.#progress.value = syncing.done;
      } else this.#progress.removeAttribute('value');
      if (mailbox) this.#why.textContent = `${mailboxName(mailbox)}, ${syncing.done} of ${syncing.total}`;
    } else if (kind === 'offline') {
      const why = states.map((state) => (state.kind === 'offline' ? state.why : null)).find((text) => text !== null);
      this.#why.textContent = why ?? (navigator.onLine ? '' : 'There is no network.');
    }
    this.#why.title = this.#why.textContent;
    const { length } = reader.operations;
    const refused = reader.operations.some(({ state }) => state === 'set-aside');
    this.#count.textContent = length === 0 ? '' : String(length);
    this.#count.classList.toggle('refused', refused);
  }
}

customElements.define('mail-status', MailStatus);

declare global {
  interface HTMLElementTagNameMap {
    'mail-status': MailStatus;
  }
}
