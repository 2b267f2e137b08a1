// The buttons for messages: above the open one, and above the list where several are selected.
import type { MessageRow } from 'mailkeep';
import type { Actions } from './actions.js';
import { type IconName, button, el } from './dom.js';
import { has } from './words.js';

export function toolbar(rows: readonly MessageRow[], actions: Actions, answer?: () => void): HTMLElement {
  const act = (name: IconName, words: string, action: () => void, pressed?: boolean): HTMLElement => {
    const made = button(name, words, action, { class: `act-${name}` });
    made.dataset['act'] = name;
    if (pressed !== undefined) made.setAttribute('aria-pressed', String(pressed));
    return made;
  };
  const starred = rows.length > 0 && rows.every((row) => has(row, '\\Flagged'));
  const read = rows.length > 0 && rows.every((row) => has(row, '\\Seen'));
  return el(
    'div',
    { class: 'toolbar', role: 'group', 'aria-label': 'Actions' },
    act('star', 'Star', () => void actions.star(rows), starred),
    act(read ? 'mail' : 'read', read ? 'Mark unread' : 'Mark read', () => void actions.markRead(rows, !read)),
    act('archive', 'Archive', () => void actions.archive(rows)),
    act('move', 'Move', () => void actions.move(rows)),
    act('trash', 'Delete', () => void actions.delete(rows)),
    answer ? act('reply', 'Answer', answer) : null,
  );
}
