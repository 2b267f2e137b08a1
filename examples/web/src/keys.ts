// Which key does what, wherever focus is but in a field or a dialog.

export type KeyAction =
  | 'next'
  | 'previous'
  | 'back'
  | 'star'
  | 'read'
  | 'unread'
  | 'archive'
  | 'delete'
  | 'move'
  | 'write'
  | 'answer'
  | 'boxes'
  | 'help';

const KEYS: Readonly<Record<string, KeyAction>> = {
  j: 'next',
  k: 'previous',
  Escape: 'back',
  s: 'star',
  r: 'read',
  u: 'unread',
  e: 'archive',
  m: 'move',
  Delete: 'delete',
  '#': 'delete',
  c: 'write',
  a: 'answer',
  g: 'boxes',
  '?': 'help',
};

export function keyAction(event: KeyboardEvent): KeyAction | undefined {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const target = event.target as Element;
  if (target.closest('input, textarea, select, dialog') || document.querySelector('dialog[open]')) return undefined;
  return KEYS[event.key];
}
