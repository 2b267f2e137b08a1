// Dialogs that ask for something and answer with it.
import { el, put } from '../dom.js';

let count = 0;

export interface Ask<T> {
  title: string;
  /** What is in it, above the buttons. */
  content: (Node | string)[];
  /** What the button says that agrees. */
  agree: string;
  /** The answer, read when the person agrees; a string says what is not right with it yet. */
  answer(): T | { wrong: string };
}

/** Opens a dialog; `null` where the person goes back on it. */
export function ask<T>({ title, content, agree, answer }: Ask<T>): Promise<T | null> {
  const id = `dialog-${++count}`;
  return new Promise((resolve) => {
    let given: T | null = null;
    const wrong = el('p', { class: 'wrong', role: 'alert' });
    const dialog = el('dialog', { 'aria-labelledby': id });
    const submit = (event: Event): void => {
      event.preventDefault();
      const read = answer();
      if (typeof read === 'object' && read !== null && 'wrong' in read) {
        wrong.textContent = read.wrong;
        return;
      }
      given = read;
      dialog.close();
    };
    const form = el('form', { method: 'dialog', novalidate: true, onsubmit: submit });
    put(
      form,
      el('h2', { id }, title),
      ...content,
      wrong,
      el(
        'footer',
        {},
        el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'),
        el('button', { type: 'submit', class: 'primary' }, agree),
      ),
    );
    show(dialog, form, () => resolve(given));
  });
}

/** Opens a dialog that only tells. */
export function tell(
  title: string,
  content: (Node | string)[],
  closed: () => void = () => undefined,
): HTMLDialogElement {
  const id = `dialog-${++count}`;
  const dialog = el('dialog', { 'aria-labelledby': id });
  const close = el('button', { type: 'button', class: 'primary', onclick: () => dialog.close() }, 'Close');
  show(dialog, el('div', {}, el('h2', { id }, title), ...content, el('footer', {}, close)), closed);
  return dialog;
}

/** Focus goes back to where it was, which the browser sees to. */
function show(dialog: HTMLDialogElement, content: HTMLElement, closed: () => void): void {
  put(dialog, content);
  document.body.append(dialog);
  dialog.addEventListener('close', () => {
    dialog.remove();
    closed();
  });
  dialog.showModal();
}

/** An input with its label, and words of help under it. */
export function labelled(words: string, input: HTMLElement, help?: string): HTMLElement {
  input.id ||= `input-${++count}`;
  const helpId = `${input.id}-help`;
  if (help) input.setAttribute('aria-describedby', helpId);
  return el(
    'div',
    { class: 'labelled' },
    el('label', { for: input.id }, words),
    input,
    help ? el('p', { id: helpId, class: 'help' }, help) : null,
  );
}
