// The text of a mail: links can be followed, what is quoted stands back. All of it is put in as text.
import { el } from '../dom.js';

/** Characters that are shown at once; more on demand. */
const SHOWN = 100_000;
const LINK = /\bhttps?:\/\/[^\s<>"')\]}]+[^\s<>"')\]}.,;:!?]/g;

export function plainText(text: string): HTMLElement {
  const box = el('div', { class: 'plain' });
  const rest = text.length > SHOWN;
  fill(box, rest ? text.slice(0, SHOWN) : text);
  if (!rest) return box;
  const more = el('button', { type: 'button' }, 'Show the rest of this long message');
  more.addEventListener('click', () => {
    more.remove();
    fill(box, text.slice(SHOWN));
  });
  return el('div', {}, box, more);
}

function fill(box: HTMLElement, text: string): void {
  let lines: string[] = [];
  let quoted = false;
  const flush = (): void => {
    if (lines.length > 0)
      box.append(
        withLinks(
          el('div', { class: quoted ? 'quoted' : null }),
          `${lines.join('\n')}${lines.at(-1) === '' ? '\n' : ''}`,
        ),
      );
    lines = [];
  };
  for (const line of text.split(/\r?\n/)) {
    const isQuoted = line.startsWith('>');
    if (isQuoted !== quoted) flush();
    quoted = isQuoted;
    lines.push(line);
  }
  flush();
}

function withLinks(box: HTMLElement, text: string): HTMLElement {
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    box.append(text.slice(at, match.index));
    box.append(el('a', { href: match[0], target: '_blank', rel: 'noopener noreferrer' }, match[0]));
    at = match.index + match[0].length;
  }
  box.append(text.slice(at));
  return box;
}
