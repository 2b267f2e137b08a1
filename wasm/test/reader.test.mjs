// The mail reader of `examples/web`: mail comes, is there without any network, is worked on, and the server agrees later.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Reader, addAccount, connect, row, untilInstalled } from './lib/reader.mjs';

const MESSAGES = 250;
/** A red square of 8 by 8. */
const RED = 'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mP4z8CAFTEMLQkAKP8/wc53yE8AAAAASUVORK5CYII=';
let reader;
/** Counts what is asked of it: it stands for the sender's server. */
let tracker;
const asked = [];

function hostile() {
  const { port } = tracker.address();
  const at = `http://127.0.0.1:${port}`;
  return [
    'From: "Eve <script>" <eve@example.org>',
    'To: gwen@mail.example',
    'Subject: <b>Look</b> at this',
    'Message-ID: <hostile@example.org>',
    'Date: Fri, 20 Nov 2026 10:00:00 +0000',
    'MIME-Version: 1.0',
    'Content-Type: multipart/related; boundary=b',
    '',
    '--b',
    'Content-Type: text/html; charset=utf-8',
    '',
    `<html><head><link rel="stylesheet" href="${at}/style.css"><link rel="dns-prefetch" href="${at}">`,
    `<meta http-equiv="refresh" content="0; url=${at}/refresh"><base href="${at}/">`,
    `<style>@import url("${at}/import.css"); body { background: url(${at}/background.png) }</style></head>`,
    '<body onload="parent.ran = 1"><h1 style="color: #000">Hello from Eve</h1>',
    `<script>parent.ran = 1; fetch("${at}/script")</script>`,
    `<img src="${at}/pixel.png" srcset="${at}/pixel2.png 2x"><img src="x" onerror="parent.ran = 1">`,
    `<table background="${at}/table.png"><tr><td>cell</td></tr></table>`,
    `<iframe src="${at}/frame"></iframe><object data="${at}/object"></object><video poster="${at}/poster" src="${at}/video"></video>`,
    `<svg><image href="${at}/svg.png"/><script>parent.ran = 1</script></svg>`,
    // What gets past taking apart: escapes in styles, markup that is other markup when it is read again.
    `<div style="background: \\75 rl(${at}/escaped.png); height: 2px"></div>`,
    `<div style='background-image: image-set("${at}/set.png" 1x); height: 2px'></div>`,
    `<picture><source srcset="${at}/source.png"><img alt=""></picture><input type="image" src="${at}/input.png">`,
    `<svg></p><style><a id="</style><img src=${at}/mutated.png onerror=parent.ran=1>"></svg>`,
    `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=${at}/math.png onerror=parent.ran=1&gt;">`,
    '</style></mglyph></table></mtext></math>',
    `<form action="${at}/form"><button>Send</button></form>`,
    `<a href="${at}/link" ping="${at}/ping">a link</a> <a href="javascript:parent.ran=1">a trick</a>`,
    '<img src="cid:red@example.org" width="60" height="60" style="position: fixed; left: 0; bottom: 0"></body></html>',
    '--b',
    'Content-Type: image/png; name="red.png"',
    'Content-Disposition: inline; filename="red.png"',
    'Content-Transfer-Encoding: base64',
    'Content-ID: <red@example.org>',
    '',
    RED,
    '--b',
    'Content-Type: application/octet-stream; name="../../etc/pass wd"',
    'Content-Disposition: attachment; filename="../../etc/pass wd"',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from('attached octets').toString('base64'),
    '--b--',
    '',
  ].join('\r\n');
}

const plain = (subject) => `From: fay@example.org\r\nSubject: ${subject}\r\n\r\n${subject}.\r\n`;

before(async () => {
  tracker = createServer((request, response) => {
    asked.push(request.url);
    response
      .writeHead(200, { 'access-control-allow-origin': '*', 'content-type': 'text/html' })
      .end('<title>Here</title>');
  });
  await new Promise((resolve) => tracker.listen(0, '127.0.0.1', resolve));
  reader = await Reader.start();
  await reader.server.user('gwen');
  await reader.server.real('gwen', 'INBOX', MESSAGES);
  await reader.server.real('gwen', 'Archive', 20);
  const now = Math.floor(Date.now() / 1000);
  await reader.server.deliver('gwen', 'INBOX', now, hostile());
  for (const subject of ['Give this a star', 'Put this away']) {
    await reader.server.deliver('gwen', 'INBOX', now - 60, plain(subject));
  }
});
after(async () => {
  await reader?.end();
  tracker?.close();
});

test('a person adds an account, and the mail comes', async () => {
  const page = await reader.open();
  await addAccount(page, reader, 'gwen');
  await connect(page);
  await page.getByRole('link', { name: /Inbox/ }).waitFor();
  await page.getByText(`${MESSAGES + 3} messages`).waitFor();
  await row(page, '<b>Look</b> at this').waitFor();
  const told = await page.evaluate(async () =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
  );
  assert.ok(!told.includes('secret'), 'the password is kept nowhere');
  await untilInstalled(page);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('with the server, the relay and the site stopped, a new browser has the list and the message', async () => {
  await reader.stopEverything();
  await reader.restartBrowser();
  const page = await reader.open();
  assert.equal(await page.locator('mail-status').getAttribute('data-state'), 'offline');
  await page.getByText(`${MESSAGES + 3} messages`).waitFor();
  await row(page, 'Give this a star').click();
  await page.getByRole('heading', { level: 2, name: 'Give this a star' }).waitFor();
  await page.locator('.plain').getByText('Give this a star.').waitFor();
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('starred and moved offline, told to the server later, which agrees', async () => {
  const page = await reader.open();
  const [first, second] = ['Give this a star', 'Put this away'];
  await row(page, first).locator('.row-star').click();
  await page.getByRole('option', { name: /Give this a star.*starred/ }).waitFor();
  await row(page, second).click();
  await page.getByRole('heading', { level: 2, name: second }).waitFor();
  await page.locator('.view-bar').getByRole('button', { name: 'Move' }).click();
  await page.getByRole('dialog').getByRole('listbox').selectOption({ label: 'Archive' });
  await page.getByRole('dialog').getByRole('button', { name: 'Move' }).click();
  await row(page, second).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: /Waiting for the server/ }).click();
  const pending = page.getByRole('dialog').locator('.operation-words');
  await pending.filter({ hasText: `Move “${second}” to Archive` }).waitFor();
  await pending.filter({ hasText: `Star: “${first}”` }).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  await page.reload();
  await reader.startEverything();
  await page.getByRole('button', { name: 'Sync', exact: true }).click();
  await connect(page);
  assert.deepEqual(page.faults, []);
  const there = reader.server.dump('gwen');
  const count = (mailbox) => there.filter((message) => message.mailbox === mailbox).length;
  assert.deepEqual([count('INBOX'), count('Archive')], [MESSAGES + 2, 21]);
  const known = (subject) =>
    there.find(({ sha256 }) => sha256 === createHash('sha256').update(plain(subject)).digest('hex'));
  assert.deepEqual([known(first).mailbox, known(first).flags.includes('\\Flagged')], ['INBOX', true]);
  assert.equal(known(second).mailbox, 'Archive');
  await page.close();
});

test('an HTML mail asks nothing of anybody, runs nothing, and shows the image that came with it', async () => {
  const page = await reader.open();
  await row(page, '<b>Look</b> at this').click();
  const frame = page.locator('iframe.mail-frame');
  await frame.waitFor();
  assert.equal(await frame.getAttribute('sandbox'), 'allow-popups allow-popups-to-escape-sandbox');
  assert.equal(await frame.getAttribute('referrerpolicy'), 'no-referrer');
  await page.frameLocator('iframe.mail-frame').getByText('Hello from Eve').waitFor();
  await page.getByRole('button', { name: 'Remote content is blocked' }).click();
  await page.locator('.blocked p').filter({ hasText: '127.0.0.1' }).waitFor();
  const written = await frame.getAttribute('srcdoc');
  const { elements, attributes, styles } = await page.evaluate(readAgain, written);
  assert.deepEqual(
    elements.filter((name) => /^(script|link|base|iframe|object|embed|video|source|meta:refresh)$/.test(name)),
    [],
  );
  assert.deepEqual(
    attributes.filter((attribute) =>
      /^(on|ping|srcset|background|action|poster)|javascript:|^src=(?!"data:)/.test(attribute),
    ),
    [],
  );
  assert.doesNotMatch(styles, /url\(|@import|image-set/i);
  assert.match(written, /<a href="http[^"]*\/link"[^>]*target="_blank"[^>]*rel="noopener noreferrer"/);
  // The header is text, whatever is in it.
  assert.equal(await page.locator('.message-head').locator('b, script').count(), 0);
  await page.getByText('Eve <script> <eve@example.org>').waitFor();
  assert.deepEqual(await redAt(page, frame), [255, 0, 0]);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: /^Save / }).click();
  const download = await saved;
  assert.match(download.suggestedFilename(), /^[^/\\]+$/);
  const stream = await download.createReadStream();
  let octets = '';
  for await (const piece of stream) octets += piece;
  assert.equal(octets, 'attached octets');
  // A link is followed by the person alone, in a tab that knows nothing of this one.
  assert.deepEqual(asked, []);
  const opened = page.context().waitForEvent('page');
  await page.frameLocator('iframe.mail-frame').getByRole('link', { name: 'a link' }).click();
  const tab = await opened;
  await tab.waitForLoadState();
  assert.deepEqual(await tab.evaluate(() => [globalThis.opener, document.referrer]), [null, '']);
  await tab.close();
  assert.deepEqual(
    asked.filter((path) => path !== '/favicon.ico'),
    ['/link'],
  );
  assert.equal(await page.evaluate(() => globalThis.ran), undefined);
  // The page's policy speaks up when the mail is taken apart: what it says is that it stood in the way.
  const others = page.faults.filter((fault) => !/Content Security Policy.*The action has been blocked/.test(fault));
  assert.deepEqual(others, []);
  await page.close();
});

/** Runs in the page: what a browser finds in a document that is written out, when it reads it. */
function readAgain(written) {
  const all = [...new DOMParser().parseFromString(written, 'text/html').querySelectorAll('*')];
  const styles = all.map(
    (element) => `${element.getAttribute('style') ?? ''}${element.localName === 'style' ? element.textContent : ''}`,
  );
  return {
    elements: all.map(({ localName, httpEquiv }) => (httpEquiv ? `${localName}:${httpEquiv}` : localName)),
    attributes: all.flatMap(({ attributes }) => [...attributes].map(({ name, value }) => `${name}="${value}"`)),
    styles: styles.join('\n'),
  };
}

/** The colour near the lower left corner of a frame, as it is painted. */
async function redAt(page, frame) {
  const box = await frame.boundingBox();
  const clip = { x: box.x + 20, y: box.y + box.height - 20, width: 1, height: 1 };
  const png = (await page.screenshot({ clip })).toString('base64');
  return page.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.drawImage(image, 0, 0);
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }, png);
}
