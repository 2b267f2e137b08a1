// How the mail reader looks and is used without a mouse: axe in every dress, a walk by keys alone, the app's own files
// kept by the service worker. Leaves pictures in `.work/pictures` for whoever wants to look.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Reader, addAccount, connect, row, untilInstalled } from './lib/reader.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pictures = fileURLToPath(new URL('.work/pictures', import.meta.url));
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
let reader;

/** A newsletter that came with an attachment and wants images from elsewhere. */
const LETTER = [
  'From: "Ada Lovelace" <ada@example.org>',
  'To: hans@mail.example',
  'Cc: "Charles Babbage" <charles@example.org>',
  'Subject: Notes on the engine',
  'Message-ID: <notes@example.org>',
  'Date: Sat, 21 Nov 2026 18:00:00 +0000',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<p>Dear Hans,</p><p>the notes are <b>attached</b>. See <a href="https://example.org/">the page</a>.</p>',
  '<img src="https://images.example.org/a.png" alt="A drawing"><p>Yours, Ada</p>',
  '--b',
  'Content-Type: application/pdf; name="notes.pdf"',
  'Content-Disposition: attachment; filename="notes.pdf"',
  'Content-Transfer-Encoding: base64',
  '',
  Buffer.from('%PDF-1.4 not really').toString('base64'),
  '--b--',
  '',
].join('\r\n');

const PLAIN = [
  'From: "Grace Hopper" <grace@example.org>',
  'To: hans@mail.example',
  'Subject: Lunch on Tuesday',
  'Message-ID: <lunch@example.org>',
  'Date: Sat, 21 Nov 2026 19:00:00 +0000',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'Shall we say noon? The place is https://example.org/lunch, if you like.',
  '',
  '> Are you free on Tuesday?',
  '',
].join('\r\n');

before(async () => {
  mkdirSync(pictures, { recursive: true });
  reader = await Reader.start();
  await reader.server.user('hans');
  await reader.server.real('hans', 'INBOX', 120);
  await reader.server.real('hans', 'Projects', 5);
  const now = Math.floor(Date.now() / 1000);
  await reader.server.deliver('hans', 'INBOX', now - 60, LETTER);
  await reader.server.deliver('hans', 'INBOX', now, PLAIN);
  const page = await reader.open();
  await addAccount(page, reader, 'hans');
  await connect(page);
  await row(page, 'Notes on the engine').waitFor();
  await untilInstalled(page);
  await page.close();
});
after(() => reader?.end());

/** What axe finds wrong, a line each. Frames with mail are the sender's matter. */
async function wrongs(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, {
      iframes: false,
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
}

for (const colorScheme of ['light', 'dark']) {
  for (const [width, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    test(`axe finds nothing wrong, ${colorScheme}, ${width}`, async () => {
      const page = await reader.open({ viewport, colorScheme });
      const look = async (name) => {
        await page.evaluate(() => document.fonts.ready);
        // What fades in is looked at when it is there.
        await page.evaluate(() =>
          Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => undefined))),
        );
        await page.screenshot({ path: `${pictures}/${name}-${colorScheme}-${width}.png` });
        assert.deepEqual(await wrongs(page), [], name);
      };
      await row(page, 'Notes on the engine').waitFor();
      await look('list');
      await row(page, 'Notes on the engine').click();
      await page.locator('iframe.mail-frame').waitFor();
      await look('html');
      await page.getByRole('button', { name: 'Remote content is blocked' }).click();
      await look('blocked');
      if (viewport === PHONE) await page.getByRole('button', { name: 'Back to the list' }).click();
      await row(page, 'Lunch on Tuesday').click();
      await page.locator('.plain').waitFor();
      await look('text');
      if (viewport === PHONE) await page.getByRole('button', { name: 'Back to the list' }).click();
      await row(page, 'Lunch on Tuesday').click({ modifiers: ['Control'] });
      await page.getByRole('heading', { name: '1 selected' }).waitFor();
      await look('selected');
      await page.getByRole('button', { name: 'Select nothing' }).click();
      if (viewport === PHONE) {
        await page.getByRole('button', { name: 'Back to the mailboxes' }).click();
        await look('boxes');
      }
      const dialogs = [
        ['account', 'Add an account'],
        ['pending', /Waiting for the server/],
        ['compose', 'Write'],
      ];
      for (const [name, opener] of dialogs) {
        await page.getByRole('button', { name: opener }).first().click();
        await page.locator('dialog[open]').waitFor();
        await look(name);
        await page.keyboard.press('Escape');
        await page.locator('dialog[open]').waitFor({ state: 'detached' });
      }
      for (const [name, opener] of [
        ['keys', '?'],
        ['move', 'm'],
      ]) {
        await page.keyboard.press(opener);
        await page.locator('dialog[open]').waitFor();
        await look(name);
        await page.keyboard.press('Escape');
        await page.locator('dialog[open]').waitFor({ state: 'detached' });
      }
      await page.getByRole('button', { name: 'Sync', exact: true }).click();
      await page.getByLabel(/^Password of/).waitFor();
      await look('password');
      await page.getByRole('button', { name: 'Connect' }).click();
      await page.getByText('A password is needed.').waitFor();
      await look('wrong');
      assert.deepEqual(page.faults, []);
      await page.close();
    });
  }
}

/** What has focus, and whether that can be seen. */
function focus(page) {
  return page.evaluate(() => {
    const { activeElement: element } = document;
    const style = getComputedStyle(element);
    return {
      name: element.getAttribute('aria-label') ?? element.textContent.trim(),
      role: element.getAttribute('role') ?? element.localName,
      visible: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    };
  });
}

test('everything can be done with keys alone, and focus is always seen', async () => {
  const page = await reader.open();
  await row(page, 'Notes on the engine').waitFor();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  // Tab reaches the list; one row of it is a stop, and the next Tab is behind it.
  const stops = [];
  for (let at = 0; at < 20 && stops.at(-1)?.role !== 'option'; at++) {
    await press('Tab');
    stops.push(await focus(page));
  }
  assert.equal(stops.at(-1).role, 'option', JSON.stringify(stops));
  assert.deepEqual(
    stops.filter(({ visible }) => !visible),
    [],
  );
  assert.match(stops.at(-1).name, /Grace Hopper.*Lunch on Tuesday/);
  await press('j');
  assert.match((await focus(page)).name, /Ada Lovelace.*Notes on the engine/);
  await press('ArrowUp', 'ArrowDown', 'Enter');
  await page.getByRole('heading', { level: 2, name: 'Notes on the engine' }).waitFor();
  await press('s');
  await page.getByRole('option', { name: /Notes on the engine.*starred/ }).waitFor();
  await press('u');
  await page.getByRole('option', { name: /Notes on the engine.*unread/ }).waitFor();
  await press('r');
  await page.locator('.row.open:not(.unread)').waitFor();
  // Archived, and the one that follows has the keyboard.
  await press('e');
  await row(page, 'Notes on the engine').waitFor({ state: 'detached' });
  await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'option');
  assert.deepEqual((await focus(page)).visible, true);
  await press('Home', 'Shift+ArrowDown', 'Shift+ArrowDown');
  await page.getByRole('heading', { name: '3 selected' }).waitFor();
  await press('m');
  await page.getByRole('dialog').getByRole('listbox').focus();
  await page.keyboard.type('Projects');
  await press('Enter');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  await page.getByText('118 messages').waitFor();
  await press('End');
  await page.locator('.row[aria-posinset="118"]:focus:not(.waiting)').waitFor();
  await press('Delete');
  await page.getByText(/Deleted the message/).waitFor();
  // A draft, closed by Escape, is in Drafts.
  await press('c');
  await page.keyboard.type('ada@example.org');
  await press('Tab', 'Tab');
  await page.keyboard.type('Käse und Brot');
  await press('Tab');
  await page.keyboard.type('Written with keys.');
  await press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  await page.getByRole('link', { name: /Drafts/ }).waitFor();
  await press('g');
  assert.match((await focus(page)).name, /Inbox/);
  await press('ArrowDown', 'Enter');
  await page.getByRole('heading', { level: 2, name: 'Drafts' }).waitFor();
  await row(page, 'Käse und Brot').waitFor();
  await press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await press('Escape');
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('it can be installed: a manifest with an icon, a service worker that keeps every file of the app', async () => {
  const page = await reader.open();
  const devtools = await page.context().newCDPSession(page);
  const { errors, data } = await devtools.send('Page.getAppManifest');
  assert.deepEqual(errors, []);
  const { name, icons, display } = JSON.parse(data);
  assert.deepEqual([name, display, icons.length > 0], ['Mailkeep Reader', 'standalone', true]);
  const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
  assert.deepEqual(
    installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito'),
    [],
  );
  const kept = await page.evaluate(async () => {
    const [cache] = await caches.keys();
    return (await (await caches.open(cache)).keys()).map(({ url }) => new URL(url).pathname);
  });
  for (const kind of [/^\/$/, /\.wasm$/, /\.css$/, /worker.*\.js$/, /icon\.svg$/, /\.webmanifest$/]) {
    assert.ok(
      kept.some((path) => kind.test(path)),
      `${kind} is kept: ${kept.join(' ')}`,
    );
  }
  await page.close();
});
