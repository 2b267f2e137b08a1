// The mail reader with a large mailbox: the main thread stays free while it syncs, and the list stays small in the page.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Reader, addAccount, connect } from './lib/reader.mjs';
import { traced } from './lib/trace.mjs';

const pictures = fileURLToPath(new URL('.work/pictures', import.meta.url));
const MESSAGES = 100_000;
/** Milliseconds of its own CPU that a task of the page may take: longer, and a person notices. */
const LONGEST_TASK_MS = 50;
/** Rows that may be in the page at once, for a window of 800 pixels. */
const MOST_ROWS = 40;
let reader;

before(async () => {
  reader = await Reader.start('--mdbox');
  await reader.server.user('ida');
  await reader.server.generate('ida', 'INBOX', MESSAGES, 300);
});
after(() => reader?.end());

test('while 100,000 messages come, no task of the page takes 50 ms of CPU', async () => {
  const page = await reader.open();
  await addAccount(page, reader, 'ida');
  await page.getByLabel(/^Password of/).waitFor();
  const progress = page.locator('.why').filter({ hasText: /^Inbox, \d+ of \d+$/ });
  const tasks = await traced(page, async () => {
    const shown = progress
      .waitFor({ timeout: 120_000 })
      .then(() => page.screenshot({ path: `${pictures}/syncing.png` }));
    await connect(page, { timeout: 300_000 });
    await shown;
  });
  await page.getByText('100,000 messages').waitFor();
  console.log(
    `while syncing: ${tasks.count} tasks of the main thread, ${(tasks.totalMs / 1000).toFixed(1)} s of CPU, the longest ${tasks.longestMs.toFixed(1)} ms`,
  );
  assert.ok(tasks.count > 1000, `${tasks.count} tasks were seen`);
  assert.ok(tasks.longestMs < LONGEST_TASK_MS, `${tasks.longestMs} ms: ${tasks.longestName}`);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('100,000 rows are scrolled to the end, and few are in the page', async () => {
  const page = await reader.open();
  const list = page.locator('mail-list');
  await page.locator('.row:not(.waiting)').first().waitFor();
  const rows = () => page.locator('.row').count();
  assert.ok((await rows()) <= MOST_ROWS);
  let most = 0;
  const tasks = await traced(page, async () => {
    most = await list.evaluate(async (element) => {
      let seen = 0;
      const frames = 200;
      for (let frame = 1; frame <= frames; frame++) {
        element.scrollTop = (element.scrollHeight * frame) / frames;
        await new Promise((resolve) => requestAnimationFrame(resolve));
        seen = Math.max(seen, element.querySelectorAll('.row').length);
      }
      return seen;
    });
  });
  console.log(
    `while scrolling: ${most} rows in the page at most, the longest of ${tasks.count} tasks ${tasks.longestMs.toFixed(1)} ms of CPU`,
  );
  assert.ok(tasks.longestMs < LONGEST_TASK_MS, `${tasks.longestMs} ms: ${tasks.longestName}`);
  assert.ok(most <= MOST_ROWS, `${most} rows were in the page at once`);
  const last = page.locator(`.row[aria-posinset="${MESSAGES}"]:not(.waiting)`);
  const began = performance.now();
  await last.waitFor();
  console.log(`the last rows came ${Math.round(performance.now() - began)} ms after scrolling ended`);
  await page.screenshot({ path: `${pictures}/end-of-100000.png` });
  const shown = await page
    .locator('.row:not(.waiting)')
    .evaluateAll((all) => all.map((row) => Number(row.dataset.message)));
  assert.equal(new Set(shown).size, shown.length, 'no message is shown twice');
  // The row that the keyboard is at stays in the page, far above.
  assert.equal(await page.locator('.row[tabindex="0"]').getAttribute('aria-posinset'), '1');
  await last.click();
  await page.locator('.plain, .mail-frame').waitFor();
  await page.keyboard.press('Home');
  await page.locator('.row[aria-posinset="1"]:focus:not(.waiting)').waitFor();
  assert.deepEqual(page.faults, []);
  await page.close();
});
