// What was done here and no server has confirmed: shown, taken back, tried again.
import { type Operation, Code, MailkeepError } from 'mailkeep';
import { el, put } from '../dom.js';
import type { Reader } from '../reader.js';
import { mailboxName } from '../words.js';
import { tell } from './dialog.js';

/** Operations that are listed; the rest are counted. */
const LISTED = 200;

export function showPending(reader: Reader): void {
  const list = el('ul', { class: 'operations' });
  const draw = (): void => void drawAll(reader, list);
  const unlisten = reader.operationsChanged.listen(draw);
  draw();
  tell(
    'Waiting for the server',
    [
      el(
        'p',
        { class: 'hint' },
        'Done here, and told to the server by the next sync. What was refused stays here until you decide.',
      ),
      list,
    ],
    unlisten,
  );
}

async function drawAll(reader: Reader, list: HTMLElement): Promise<void> {
  const { operations } = reader;
  const shown = operations.slice(0, LISTED);
  const words = await Promise.all(shown.map((operation) => inWords(reader, operation)));
  const focused = list.contains(document.activeElement) ? document.activeElement?.getAttribute('data-act') : null;
  const items = shown.map((operation, at) => item(reader, operation, words[at] ?? ''));
  const rest = operations.length - shown.length;
  put(
    list,
    ...items,
    rest > 0 && el('li', {}, `And ${rest} more.`),
    operations.length === 0 && el('li', { class: 'hint' }, 'Nothing waits: the server knows everything.'),
  );
  if (focused)
    (
      list.querySelector<HTMLElement>(`[data-act="${focused}"]`) ??
      list.closest('dialog')?.querySelector<HTMLElement>('footer button')
    )?.focus();
}

function item(reader: Reader, operation: Operation, words: string): HTMLElement {
  const { mail } = reader;
  const { id, state, reason } = operation;
  const act = (name: string, label: string, action: () => Promise<void>): HTMLElement =>
    el(
      'button',
      {
        type: 'button',
        'data-act': `${name}-${id}`,
        'aria-label': `${label}: ${words}`,
        onclick: () => void reader.attempt(action),
      },
      label,
    );
  const aside = state === 'set-aside';
  return el(
    'li',
    { class: aside ? 'refused' : null },
    el('span', { class: 'operation-words' }, words),
    el(
      'span',
      { class: 'operation-state' },
      aside ? `Refused: ${reason ?? 'no reason given'}` : state === 'sent' ? 'On its way' : 'Waits',
    ),
    el(
      'div',
      { class: 'operation-buttons' },
      aside && act('retry', 'Try again', () => mail.retryOperation(id)),
      aside && act('cancel', 'Forget', () => mail.cancelOperation(id)),
      state === 'waiting' && act('cancel', 'Take back', () => mail.cancelOperation(id)),
    ),
  );
}

async function inWords(reader: Reader, { kind }: Operation): Promise<string> {
  const box = (id: number): string => {
    const mailbox = reader.mailbox(id);
    return mailbox ? mailboxName(mailbox) : 'a mailbox that is gone';
  };
  const message = async (id: number): Promise<string> => {
    try {
      const { subject } = (await reader.mail.message(id)).row;
      return subject ? `“${subject}”` : 'a message without a subject';
    } catch (error) {
      if (error instanceof MailkeepError && error.code === Code.Gone) return 'a message';
      throw error;
    }
  };
  switch (kind.type) {
    case 'set-flags':
      return `${flagWords(kind.add, kind.remove)}: ${await message(kind.message)}`;
    case 'move':
      return `Move ${await message(kind.message)} to ${box(kind.to)}`;
    case 'copy':
      return `Copy ${await message(kind.message)} to ${box(kind.to)}`;
    case 'delete':
      return `Delete ${await message(kind.message)} for good`;
    case 'append':
      return `Put ${await message(kind.message)} into ${box(kind.to)}`;
    case 'create-mailbox':
      return `Make the mailbox ${box(kind.mailbox)}`;
    case 'rename-mailbox':
      return `Rename the mailbox ${box(kind.mailbox)}`;
    case 'delete-mailbox':
      return `Delete the mailbox ${box(kind.mailbox)}`;
    case 'subscribe':
      return `${kind.on ? 'Subscribe to' : 'Unsubscribe from'} ${box(kind.mailbox)}`;
    case 'unknown':
      return 'Something that this version does not know';
  }
}

function flagWords(add: readonly string[], remove: readonly string[]): string {
  const known: Record<string, [string, string]> = {
    '\\Seen': ['Mark read', 'Mark unread'],
    '\\Flagged': ['Star', 'Take the star off'],
    '\\Answered': ['Mark answered', 'Mark not answered'],
  };
  const words = [
    ...add.map((flag) => known[flag]?.[0] ?? `Set ${flag}`),
    ...remove.map((flag) => known[flag]?.[1] ?? `Clear ${flag}`),
  ];
  return words.join(', ');
}
