// HTML of a mail as a document for a frame that can do nothing: no scripts, nothing from the network.
//
// Three walls, each enough by itself for what it is about: the frame's sandbox (no scripts, no origin, no forms), the
// policy in the document (nothing but data: images and inline styles, and it is the page's policy too), and this file,
// which takes out what would ask for anything or lead anywhere unasked. The mail is parsed into a document that no window
// shows: nothing in it runs or is loaded while it is looked at.

export interface SafeHtml {
  /** For `srcdoc`. */
  document: string;
  /** Hosts that the mail would have had something loaded from. */
  blocked: string[];
}

const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; form-action 'none'";

/**
 * What is taken out with all that is in it. SVG and MathML too: markup in them can be other markup when it is written out
 * and read again.
 */
const OUT =
  'svg, math, script, noscript, base, meta, link, title, iframe, frame, frameset, object, embed, applet, portal, template, audio, video, source, track, dialog';

/** Attributes that name something to load; what they hold is kept where it is `data:` or a part of this mail. */
const LOADS = [
  'src',
  'srcset',
  'background',
  'poster',
  'data',
  'dynsrc',
  'lowsrc',
  'href',
  'xlink:href',
  'action',
  'ping',
  'longdesc',
  'cite',
  'usemap',
];

/** Where a link may lead. */
const LINKS = /^(https?:|mailto:)/i;

/**
 * Makes a mail's HTML safe to show. `inline` gives the `data:` address of a part by its Content-ID, where there is one.
 */
export function safeHtml(html: string, inline: ReadonlyMap<string, string>): SafeHtml {
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  const blocked = new Set<string>();
  const block = (address: string): void => {
    const host = hostOf(address);
    if (host) blocked.add(host);
  };
  const remote = parsed.querySelectorAll(
    'link[href], iframe[src], frame[src], object[data], embed[src], video[src], audio[src], source[src]',
  );
  for (const element of remote) {
    block(element.getAttribute('href') ?? element.getAttribute('src') ?? element.getAttribute('data') ?? '');
  }
  for (const element of parsed.querySelectorAll(OUT)) element.remove();
  for (const element of parsed.querySelectorAll('*')) cleanElement(element, inline, block);
  for (const style of parsed.querySelectorAll('style'))
    style.textContent = cleanStyle(style.textContent ?? '', inline, block);
  const coloured = /bgcolor|background|color\s*[:=]/i.test(html);
  const out = parsed.implementation.createHTMLDocument('');
  const head = out.head;
  const policy = out.createElement('meta');
  policy.httpEquiv = 'Content-Security-Policy';
  policy.content = POLICY;
  const referrer = out.createElement('meta');
  referrer.name = 'referrer';
  referrer.content = 'no-referrer';
  const style = out.createElement('style');
  style.textContent = ownStyle(coloured);
  head.replaceChildren(
    policy,
    referrer,
    style,
    ...[...parsed.head.querySelectorAll('style')].map((s) => out.importNode(s, true)),
  );
  out.body.replaceWith(out.importNode(parsed.body, true));
  out.documentElement.lang = parsed.documentElement.lang;
  return { document: `<!doctype html>${out.documentElement.outerHTML}`, blocked: [...blocked].sort() };
}

function cleanElement(element: Element, inline: ReadonlyMap<string, string>, block: (address: string) => void): void {
  for (const { name, value } of [...element.attributes]) {
    const lower = name.toLowerCase();
    if (
      lower.startsWith('on') ||
      lower === 'target' ||
      lower === 'autofocus' ||
      lower === 'srcdoc' ||
      lower === 'nonce'
    ) {
      element.removeAttribute(name);
    } else if (lower === 'style') {
      element.setAttribute(name, cleanStyle(value, inline, block));
    } else if (lower === 'href' && element.matches('a, area')) {
      cleanLink(element, value);
    } else if (LOADS.includes(lower)) {
      const kept = keptAddress(value, inline);
      if (kept === undefined) block(value);
      if (kept === undefined) element.removeAttribute(name);
      else element.setAttribute(name, kept);
    }
  }
}

/** A link opens in a tab of its own, which learns nothing of where it was. */
function cleanLink(element: Element, address: string): void {
  const leads = address.trim();
  if (leads.startsWith('#')) return;
  if (!LINKS.test(leads)) {
    element.removeAttribute('href');
    return;
  }
  element.setAttribute('href', leads);
  element.setAttribute('target', '_blank');
  element.setAttribute('rel', 'noopener noreferrer');
  if (!element.hasAttribute('title')) element.setAttribute('title', leads);
}

/** A `data:` image as it is, a part of this mail by its address, anything else not at all. */
function keptAddress(address: string, inline: ReadonlyMap<string, string>): string | undefined {
  const trimmed = address.trim();
  if (/^data:image\//i.test(trimmed)) return trimmed;
  if (/^cid:/i.test(trimmed)) return inline.get(contentId(trimmed.slice(4)));
  return undefined;
}

/** A Content-ID as it is compared: decoded, without its brackets. */
export function contentId(text: string): string {
  let decoded = text;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    // Then it is not encoded.
  }
  return decoded.replace(/^<|>$/g, '');
}

/** Styles without what they would load. */
function cleanStyle(css: string, inline: ReadonlyMap<string, string>, block: (address: string) => void): string {
  // Escapes could spell any of these words otherwise; mail can do without them.
  return css
    .replace(/\\[0-9a-f]{1,6}\s?|\\/gi, '')
    .replace(/(-webkit-)?image-set\((?:[^()]|\([^()]*\))*\)/gi, (set) => {
      block(/https?:[^'")\s]+/i.exec(set)?.[0] ?? '');
      return 'none';
    })
    .replace(/@import\b[^;]*;?/gi, (rule) => {
      block(/https?:[^'")\s]+/i.exec(rule)?.[0] ?? '');
      return '';
    })
    .replace(/url\(\s*(['"]?)(.*?)\1\s*\)/gis, (_, __, address: string) => {
      const kept = keptAddress(address, inline);
      if (kept === undefined) block(address);
      return kept === undefined ? 'none' : `url("${kept}")`;
    });
}

function hostOf(address: string): string | undefined {
  const first = address.trim().split(/[\s,]/)[0] ?? '';
  const url = first.startsWith('//') ? `https:${first}` : first;
  if (!/^https?:/i.test(url)) return undefined;
  try {
    return new URL(url).hostname;
  } catch {
    return undefined;
  }
}

/**
 * What a mail looks like that says nothing of how. One that has colours of its own counts on a white page; any other is as
 * dark as the app.
 */
function ownStyle(coloured: boolean): string {
  const scheme = coloured ? 'color-scheme: light; background: #fff; color: #1b1f24;' : 'color-scheme: light dark;';
  const dark = coloured
    ? ''
    : '@media (prefers-color-scheme: dark) { :root { background: #1b2027; color: #e8ebef; } a { color: #8ab8ff; } }';
  return `:root { ${scheme} } body { margin: 16px 24px; font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; } img { max-width: 100%; height: auto; } pre { white-space: pre-wrap; } @media (max-width: 600px) { body { margin: 16px; } } ${dark}`;
}
