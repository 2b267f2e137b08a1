// The mail reader while it is connected, in several tabs, after a reload, and when things go wrong.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Reader, addAccount, connect, row, untilState } from './lib/reader.mjs';

const letter = (subject) =>
  `From: "Fay" <fay@example.org>\r\nTo: jane@mail.example\r\nSubject: ${subject}\r\nMessage-ID: <${subject.length}@example.org>\r\n\r\n${subject}.\r\n`;
const now = () => Math.floor(Date.now() / 1000);
let reader;

before(async () => {
  reader = await Reader.start();
  await reader.server.user('jane');
  await reader.server.real('jane', 'INBOX', 30);
  await reader.server.deliver('jane', 'INBOX', now() - 120, letter('The first one'));
  await reader.server.deliver('jane', 'INBOX', now() - 60, letter('The second letter'));
  const page = await reader.open();
  await addAccount(page, reader, 'jane');
  await connect(page);
  await row(page, 'The first one').waitFor();
  await page.close();
});
after(() => reader?.end());

/** A message as the server has it, by its subject. */
function onServer(subject) {
  const hash = createHash('sha256').update(letter(subject)).digest('hex');
  return reader.server.dump('jane').find(({ sha256 }) => sha256 === hash);
}

/** Waits until the server has it so. */
async function untilServer(subject, wanted) {
  const deadline = Date.now() + 20_000;
  while (!wanted(onServer(subject))) {
    assert.ok(Date.now() < deadline, `the server still has ${JSON.stringify(onServer(subject))}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function signIn(page) {
  await page.getByRole('button', { name: 'Sync', exact: true }).click();
  await connect(page);
}

test('connected, each side hears of the other without being asked', async () => {
  const page = await reader.open();
  await signIn(page);
  await reader.server.deliver('jane', 'INBOX', now(), letter('Came while watching'));
  await row(page, 'Came while watching').waitFor();
  await row(page, 'Came while watching').locator('.row-star').click();
  await untilServer('Came while watching', (message) => message.flags.includes('\\Flagged'));
  await page.getByRole('button', { name: 'Waiting for the server', exact: true }).waitFor();
  const { uid } = onServer('The first one');
  reader.server.act('jane', [{ do: 'flags', mailbox: 'INBOX', uids: [uid], add: ['\\Flagged'] }]);
  await page.getByRole('option', { name: /The first one.*starred/ }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('what waits can be taken back', async () => {
  const page = await reader.open();
  await row(page, 'The second letter').locator('.row-star').click();
  await page.getByRole('option', { name: /The second letter.*starred/ }).waitFor();
  await page.getByRole('button', { name: /Waiting for the server/ }).click();
  await page.getByRole('button', { name: 'Take back: Star: “The second letter”' }).click();
  await page.getByText('Nothing waits').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('option', { name: /The second letter(?!.*starred)/ }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('reloaded with a message open, the keys are about that one', async () => {
  const page = await reader.open();
  await row(page, 'The second letter').click();
  await page.getByRole('heading', { level: 2, name: 'The second letter' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { level: 2, name: 'The second letter' }).waitFor();
  await page.locator('.plain').waitFor();
  await page.keyboard.press('e');
  await row(page, 'The second letter').waitFor({ state: 'detached' });
  await row(page, 'The first one').waitFor();
  await signIn(page);
  await untilServer('The second letter', ({ mailbox }) => mailbox === 'Archive');
  assert.equal(onServer('The first one').mailbox, 'INBOX');
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('an answer is kept as a draft, replaced when it is saved again, and one is on the server', async () => {
  const page = await reader.open();
  await row(page, 'The first one').click();
  await page.getByRole('heading', { level: 2, name: 'The first one' }).waitFor();
  await page.getByRole('button', { name: 'Answer' }).click();
  const dialog = page.getByRole('dialog', { name: 'Draft' });
  assert.equal(await dialog.getByLabel('To').inputValue(), 'Fay <fay@example.org>');
  assert.equal(await dialog.getByLabel('Subject').inputValue(), 'Re: The first one');
  assert.match(await dialog.getByLabel('Text').inputValue(), /Fay <fay@example\.org> wrote:\n> The first one\./);
  await page.keyboard.type('Thank you – gladly.');
  await dialog.getByRole('button', { name: 'Save draft' }).click();
  await dialog.getByText('Saved on this device').waitFor();
  await dialog.getByLabel('Subject').fill('Re: The first one, again');
  await page.keyboard.press('Control+s');
  await dialog.getByText('Saved on this device').waitFor();
  await dialog.getByRole('button', { name: 'Save and close' }).click();
  await page.getByRole('link', { name: 'Drafts' }).click();
  await row(page, 'Re: The first one, again').click();
  await page.locator('.plain').getByText('Thank you – gladly.').waitFor();
  assert.equal(await page.getByRole('option').count(), 1);
  await page.getByRole('button', { name: 'Edit this draft' }).click();
  assert.match(await dialog.getByLabel('Text').inputValue(), /^Thank you – gladly\./);
  await dialog.getByLabel('Text').fill('Other words.');
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  await page.getByRole('option', { name: /again/ }).waitFor();
  await signIn(page);
  const drafts = reader.server.dump('jane').filter(({ mailbox }) => mailbox === 'Drafts');
  assert.deepEqual(
    drafts.map(({ flags }) => flags.includes('\\Draft')),
    [true],
  );
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('two tabs show the same mail, and one goes on when the other closes', async () => {
  const [first, second] = [await reader.open(), await reader.open()];
  for (const page of [first, second]) await row(page, 'The first one').waitFor();
  await signIn(first);
  await second.bringToFront();
  await untilState(second, 'elsewhere');
  await row(first, 'Came while watching').click();
  await first.getByRole('heading', { level: 2, name: 'Came while watching' }).waitFor();
  await first.keyboard.press('u');
  await second.getByRole('option', { name: /Came while watching.*unread/ }).waitFor();
  await first.close();
  await untilState(second, 'offline');
  await row(second, 'Came while watching').click();
  await second.locator('.plain').getByText('Came while watching.').waitFor();
  await second.getByRole('option', { name: /Came while watching(?!.*unread)/ }).waitFor();
  assert.deepEqual(second.faults, []);
  await second.close();
});

test('a POP3 account is looked at and left, so that others can use the maildrop', async () => {
  await reader.server.user('kurt');
  await reader.server.real('kurt', 'INBOX', 12);
  const page = await reader.open();
  await addAccount(page, reader, 'kurt', 'pop3');
  await page.getByLabel(/^Password of/).fill('secret');
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.locator('.why').filter({ hasText: 'again in 5 minutes' }).waitFor();
  await untilState(page, 'offline');
  await page.getByRole('region', { name: 'kurt' }).getByRole('link', { name: /Inbox/ }).click();
  await page.getByText('12 messages').waitFor();
  await page.locator('.row:not(.waiting)').first().click();
  await page.locator('.plain, .mail-frame').waitFor();
  await page.getByRole('button', { name: 'Remove the account kurt' }).click();
  await page.getByRole('button', { name: 'Remove account' }).click();
  await page.getByRole('region', { name: 'kurt' }).waitFor({ state: 'detached' });
  await row(page, 'The first one').waitFor();
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('a full disk is told in words, and when there is room the sync goes on', async () => {
  await reader.server.user('lena');
  // Many times what the store may have free inside its file.
  await reader.server.generate('lena', 'INBOX', 1200, 30_000);
  const page = await reader.open();
  const devtools = await page.context().newCDPSession(page);
  const origin = reader.site.url;
  const { usage } = await devtools.send('Storage.getUsageAndQuota', { origin });
  await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + (3 << 20) });
  await addAccount(page, reader, 'lena');
  await page.getByLabel(/^Password of/).fill('secret');
  await page.getByRole('button', { name: 'Connect' }).click();
  const alert = page.getByRole('alert').filter({ hasText: /^The store on this device:.*Make room on this device/ });
  await alert.waitFor();
  await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + (500 << 20) });
  await page.getByRole('button', { name: 'Try again' }).click();
  await alert.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Sync lena' }).click();
  await untilState(page, 'online');
  await page.getByRole('region', { name: 'lena' }).getByRole('link', { name: /Inbox/ }).click();
  await page.getByText('1,200 messages').waitFor();
  await page.getByRole('button', { name: 'Remove the account lena' }).click();
  await page.getByRole('button', { name: 'Remove account' }).click();
  await page.getByRole('region', { name: 'lena' }).waitFor({ state: 'detached' });
  await page.close();
});

test('a wrong password is asked for again, and a relay that is not there is told in words', async () => {
  const page = await reader.open();
  await page.getByRole('button', { name: 'Sync', exact: true }).click();
  await page.getByLabel(/^Password of/).fill('wrong');
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.locator('.why').filter({ hasText: 'The mail server:' }).waitFor();
  await page.getByRole('button', { name: 'Sync', exact: true }).click();
  await page.getByText('The server refused the last one.').waitFor();
  await connect(page);
  await reader.relay.end();
  await untilState(page, 'offline');
  await page.locator('.why').filter({ hasText: 'What is here stays here' }).waitFor();
  await page.getByRole('button', { name: 'Sync', exact: true }).click();
  await page.locator('.why').filter({ hasText: 'Is the relay running' }).waitFor();
  const others = page.faults.filter((fault) => !/WebSocket/.test(fault));
  assert.deepEqual(others, []);
  await page.close();
});

test('a store that is damaged is said to be so, its bytes can be saved, and a new one begun', async () => {
  // A page of the same site without the reader: nobody has the file open.
  const other = await reader.browser.context.newPage();
  await other.goto(`${reader.site.url}/icon.svg`);
  await other.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('mailkeep');
    const file = await folder.getFileHandle('reader.redb');
    // The worker of a tab that was closed gives its file back within moments.
    const deadline = performance.now() + 10_000;
    let writer;
    while (!writer) {
      writer = await file.createWritable().catch(async (error) => {
        if (error.name !== 'NoModificationAllowedError' || performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      });
    }
    await writer.write(new TextEncoder().encode('not a database at all'));
    await writer.close();
  });
  await other.close();
  const page = await reader.browser.context.newPage();
  await page.goto(reader.site.url);
  await page.getByRole('heading', { name: 'The mail cannot be opened' }).waitFor();
  await page.getByText(/^The store on this device:/).waitFor();
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save the file as it is' }).click();
  let octets = '';
  for await (const piece of await (await saved).createReadStream()) octets += piece;
  assert.equal(octets, 'not a database at all');
  await page.getByRole('button', { name: 'Delete it and begin anew' }).click();
  await page.getByRole('button', { name: 'Add an account' }).waitFor();
  await page.close();
});
