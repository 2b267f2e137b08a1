// The keys, for whoever asks with `?`.
import { el } from '../dom.js';
import { tell } from './dialog.js';

const KEYS: [string, string][] = [
  ['j or ↓, k or ↑', 'Next message, message before'],
  ['Enter', 'Open the message'],
  ['Escape', 'Back to the list, or select nothing'],
  ['x or Space', 'Select the message, or no longer'],
  ['Shift with ↑ or ↓', 'Select several'],
  ['s', 'Star'],
  ['r, u', 'Mark read, mark unread'],
  ['e', 'Archive'],
  ['m', 'Move'],
  ['Delete or #', 'Delete'],
  ['c', 'Write a draft'],
  ['a', 'Answer'],
  ['g', 'Go to the mailboxes'],
  ['?', 'These keys'],
];

export function showKeys(): void {
  const rows = KEYS.map(([keys, words]) =>
    el(
      'div',
      { class: 'key-row' },
      el(
        'dt',
        {},
        ...keys.split(/( or |, | with | and )/).map((part, at) => (at % 2 === 0 ? el('kbd', {}, part) : part)),
      ),
      el('dd', {}, words),
    ),
  );
  tell('Keys', [el('dl', { class: 'keys' }, ...rows)]);
}
