// Making elements. Text is always text: there is no way here to put markup into the page.

type Listener = (event: never) => void;
type Attribute = string | number | boolean | null | undefined | Listener;
type Child = Node | string | null | undefined | false;

/**
 * An element with attributes and children. An attribute that is `true` is there without a value, one that is `false`,
 * `null` or `undefined` is not there; a function under `onclick` and the like listens.
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Attribute> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as unknown as EventListener);
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value === true ? '' : String(value));
  }
  put(element, ...children);
  return element;
}

/** Puts children in the place of those that an element has. */
export function put(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

const SVG = 'http://www.w3.org/2000/svg';

/** Shapes on a grid of 24, drawn as lines. */
const SHAPES = {
  archive: 'M3 5h18v4H3zM5 9v10h14V9M10 13h4',
  attach: 'm20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4L14.5 7',
  back: 'M15 5l-7 7 7 7',
  close: 'M6 6l12 12M18 6 6 18',
  folder: 'M3 6h6l2 2h10v11H3z',
  help: 'M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5v.5',
  mail: 'M3 6h18v12H3zM3 7l9 7 9-7',
  move: 'M3 6h6l2 2h10v11H3zM9 13.5h6M12.5 11l2.5 2.5-2.5 2.5',
  offline:
    'M2 8.5a15 15 0 0 1 5-3M22 8.5A15 15 0 0 0 11 5M6 12.5a9 9 0 0 1 3-2M18 12.5a9 9 0 0 0-2-1.4M12 18.5h.01M3 3l18 18',
  pending: 'M12 7v5l3 2M21 12a9 9 0 1 1-9-9 9 9 0 0 1 9 9z',
  pencil: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  plus: 'M12 5v14M5 12h14',
  read: 'M3 10v9h18v-9M3 10l9-6 9 6-9 6z',
  reply: 'M9 7l-5 5 5 5M4 12h10a6 6 0 0 1 6 6v1',
  shield: 'M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6z',
  star: 'm12 3.5 2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z',
  sync: 'M20 6v5h-5M4 18v-5h5M19 11a7 7 0 0 0-12.5-3M5 13a7 7 0 0 0 12.5 3',
  trash: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5',
} as const;

export type IconName = keyof typeof SHAPES;

/** A small drawing that says nothing to a screen reader: the button around it has the words. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', SHAPES[name]);
  svg.append(path);
  return svg;
}

/** A button with a drawing and words; the words are shown or only said. */
export function button(
  name: IconName,
  words: string,
  act: (event: MouseEvent) => void,
  options: { shown?: boolean; class?: string } = {},
): HTMLButtonElement {
  const { shown = false, class: kind = '' } = options;
  return el(
    'button',
    { type: 'button', class: `${shown ? '' : 'icon-only'} ${kind}`.trim(), title: shown ? null : words, onclick: act },
    icon(name),
    el('span', { class: shown ? null : 'visually-hidden' }, words),
  );
}
