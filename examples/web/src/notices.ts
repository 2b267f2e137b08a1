// What the person is told: in passing, by a line that goes by itself and that screen readers speak; and what went wrong,
// which stays until it is closed.
import { MailkeepError } from 'mailkeep';
import { button, el, icon, put } from './dom.js';
import type { Reader } from './reader.js';
import { inWords } from './words.js';

const SHOWN_MS = 5_000;

export class Notices {
  readonly toast = el('div', { class: 'toast', role: 'status', 'aria-live': 'polite' });
  readonly trouble = el('div', { class: 'trouble', role: 'alert' });
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The notice that stands says what is wrong with the storage. */
  #saysCause = false;

  constructor(reader: Reader) {
    reader.said.listen((text) => this.#say(text));
    reader.failed.listen((error) => this.#fail(reader, error));
  }

  #say(text: string): void {
    this.toast.textContent = text;
    this.toast.classList.add('shown');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.toast.classList.remove('shown'), SHOWN_MS);
  }

  #fail(reader: Reader, error: unknown): void {
    const isStore = error instanceof MailkeepError && error.fault === 'store';
    const saysCause = isStore && error.storage !== undefined;
    // Whatever else is asked of a store that has failed is told no more than that.
    if (isStore && this.#saysCause && !saysCause) return;
    this.#saysCause = saysCause;
    const close = (): void => {
      this.#saysCause = false;
      put(this.trouble);
    };
    const again = async (): Promise<void> => {
      close();
      await reader.attempt(() => reader.mail.reopen());
    };
    put(
      this.trouble,
      icon('help'),
      el('p', {}, typeof error === 'string' ? error : inWords(error)),
      isStore && button('sync', 'Try again', () => void again(), { shown: true }),
      button('close', 'Close this notice', close),
    );
  }
}
