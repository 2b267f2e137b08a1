// Asking where messages are to go.
import type { Mailbox } from 'mailkeep';
import { el } from '../dom.js';
import { inOrder, mailboxName } from '../words.js';
import { ask, labelled } from './dialog.js';

export function askMailbox(mailboxes: readonly Mailbox[], count: number): Promise<number | null> {
  const choices = inOrder(mailboxes).map((mailbox) => el('option', { value: mailbox.id }, label(mailbox)));
  const select = el('select', { name: 'mailbox', size: Math.min(10, Math.max(3, choices.length)) }, ...choices);
  select.selectedIndex = 0;
  return ask({
    title: count === 1 ? 'Move the message' : `Move ${count} messages`,
    agree: 'Move',
    content: [labelled('To', select)],
    answer: () => (select.value === '' ? { wrong: 'Choose a mailbox.' } : Number(select.value)),
  });
}

/** With the levels above it, since names repeat. */
function label(mailbox: Mailbox): string {
  const { name, delimiter, role } = mailbox;
  return role || !delimiter ? mailboxName(mailbox) : name.split(delimiter).join(' / ');
}
