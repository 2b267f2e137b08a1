// Text in the charsets whose tables the package leaves to the browser.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './lib/browser.mjs';
import { openStore } from './lib/around.mjs';
import { tree } from './lib/processes.mjs';
import { serveSite } from './lib/site.mjs';

/** Charset, the octets in hexadecimal digits, and what they say. */
const TEXTS = [
  ['shift_jis', '836e838d815b8145838f815b838b8368', 'ハロー・ワールド'],
  ['Shift-JIS', '836e838d815b', 'ハロー'],
  ['big5', 'a741a66ea141a540acc9', '你好，世界'],
  ['EUC-JP', 'a5cfa5eda1bca1a6a5efa1bca5eba5c9', 'ハロー・ワールド'],
  ['ks_c_5601-1987', 'bec8b3e7c7cfbcbcbfe420bcbcb0e8', '안녕하세요 세계'],
  ['iso-2022-jp', '1b2442254f256d213c1b2842', 'ハロー'],
  ['GB2312', 'c4e3bac3a3accac0bde7', '你好，世界'],
  ['windows-874', 'cac7d1cab4d5', 'สวัสดี'],
  ['ibm866', '8fe0a8a2a5e2', 'Привет'],
  ['koi8-r', 'f0d2c9d7c5d4', 'Привет'],
  ['iso-8859-15', 'a4', '€'],
];

let browser;
let site;

before(async () => {
  site = await serveSite({ '/': `${tree}wasm/test/site/`, '/mailkeep/': `${tree}wasm/npm/dist/` });
  browser = await Browser.start();
});
after(async () => {
  await browser?.end();
  await site?.end();
});

test("text and subjects in every charset are read with the browser's tables", async () => {
  const page = await browser.open(site.url);
  await openStore(page, { name: 'charsets', backend: 'memory' });
  const read = await page.evaluate(async (texts) => {
    const { mail } = globalThis;
    const account = await mail.addAccount({ name: 'a', host: 'h', user: 'u' });
    const box = await mail.createMailbox(account, { name: 'Here', local: true });
    const all = [];
    for (const [charset, digits] of texts) {
      const octets = Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));
      const word = `=?${charset}?B?${btoa(String.fromCharCode(...octets))}?=`;
      const head = `From: ${word} <a@example.org>\r\nSubject: ${word}\r\nContent-Type: text/plain; charset="${charset}"\r\n\r\n`;
      const id = await mail.append(box, {
        raw: new Uint8Array([...new TextEncoder().encode(head), ...octets, 13, 10]),
      });
      const { row } = await mail.message(id);
      all.push([row.subject, row.from[0].name, row.preview, (await mail.text(id)).trim()]);
    }
    return all;
  }, TEXTS);
  const wanted = TEXTS.map(([, , text]) => [text, text, text, text]);
  assert.deepEqual(read, wanted);
  assert.deepEqual(page.faults, []);
  await page.close();
});
