// What goes wrong with storage and builds, and what a person is told.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Around, addAccount, list, openStore, sync } from './lib/around.mjs';
import { tree } from './lib/processes.mjs';
import { serveSite } from './lib/site.mjs';

let around;

before(async () => {
  around = await Around.start();
  await around.server.user('emil');
  await around.server.real('emil', 'INBOX', 1200);
});
after(() => around?.end());

test('the quota is full: the store says so, keeps what it acknowledged, and goes on when there is room', async () => {
  const page = await around.page();
  await openStore(page, { name: 'full' });
  const account = await addAccount(page, 'emil');
  const devtools = await around.browser.context.newCDPSession(page);
  const { usage } = await devtools.send('Storage.getUsageAndQuota', { origin: around.site.url });
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: around.site.url, quotaSize: usage + (3 << 20) });
  const told = await page.evaluate(
    async ([id, webSocket]) => {
      const { mail } = globalThis;
      const storageFailed = (async () => {
        for await (const event of mail.events()) if (event.type === 'storage-failed') return event.error.code;
      })();
      const connection = await mail.connect(id, { transport: { webSocket }, credentials: { password: 'secret' } });
      const failure = await connection.sync().then(
        () => null,
        (error) => error,
      );
      const action = await mail.createMailbox(id, { name: 'No room', local: true }).then(
        () => null,
        (error) => error.code,
      );
      return {
        code: failure?.code,
        fault: failure?.fault,
        storage: failure?.storage,
        action,
        event: await storageFailed,
      };
    },
    [account, around.relay.url],
  );
  assert.equal(told.fault, 'store');
  assert.equal(told.code, 100);
  assert.equal(told.storage, 'full');
  assert.ok([100, 101].includes(told.action), `an action fails too: ${told.action}`);
  assert.ok([100, 101].includes(told.event), `the event names it: ${told.event}`);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: around.site.url, quotaSize: usage + (500 << 20) });
  await page.evaluate(() => globalThis.mail.reopen());
  const there = (await list(page, account)).length;
  assert.ok(there > 0 && there < 1200, `${there} messages were acknowledged`);
  assert.deepEqual(await page.evaluate(async () => (await globalThis.mail.verify()).problems), []);
  const summary = await sync(page, account, around.relay.url);
  assert.equal(summary.messagesAdded, 1200 - there);
  assert.equal((await list(page, account)).length, 1200);
  assert.deepEqual(await page.evaluate(async () => (await globalThis.mail.verify()).problems), []);
  await page.close();
});

test('a store that was damaged is refused plainly, and its bytes can be had', async () => {
  const page = await around.page();
  await openStore(page, { name: 'damaged' });
  await addAccount(page, 'emil');
  const outcome = await page.evaluate(async () => {
    const { Mailkeep } = globalThis.mailkeep;
    const backup = await globalThis.mail.backup();
    const good = await backup.arrayBuffer();
    await globalThis.mail.close();
    const damage = async (from, bytes) => {
      const root = await navigator.storage.getDirectory();
      const file = await (await root.getDirectoryHandle('mailkeep')).getFileHandle('damaged.redb');
      const writer = await file.createWritable({ keepExistingData: true });
      await writer.write({ type: 'write', position: from, data: bytes });
      await writer.close();
    };
    const opened = () =>
      Mailkeep.open({ name: 'damaged' }).then(
        async (mail) => {
          const told = await mail.accounts().then(
            () => 'opened',
            (error) => error.code,
          );
          await mail.close();
          return told;
        },
        (error) => error.code,
      );
    // Not a database any more.
    await damage(0, new TextEncoder().encode('something else'));
    const foreign = await opened();
    const bytes = new Uint8Array(await (await Mailkeep.exportFile('damaged')).arrayBuffer());
    const text = new TextDecoder().decode(bytes.subarray(0, 14));
    // A database whose pages are garbage.
    await Mailkeep.restoreFile('damaged', backup.slice());
    await damage(4096, crypto.getRandomValues(new Uint8Array(60_000)));
    const garbage = await opened();
    const still = (await Mailkeep.exportFile('damaged')).size === backup.size;
    // And the backup put back.
    await Mailkeep.restoreFile('damaged', new Blob([good]));
    const mail = await Mailkeep.open({ name: 'damaged' });
    const accounts = (await mail.accounts()).map((account) => account.settings.name);
    const busy = await Mailkeep.removeFile('damaged').then(
      () => 'removed',
      (error) => error.code,
    );
    await mail.close();
    await Mailkeep.removeFile('damaged');
    const gone = await Mailkeep.exportFile('damaged').then(
      () => 'there',
      (error) => error.code,
    );
    return { foreign, text, length: bytes.length > 50_000, garbage, still, accounts, busy, gone };
  });
  assert.deepEqual(outcome, {
    foreign: 102,
    text: 'something else',
    length: true,
    garbage: 103,
    still: true,
    accounts: ['emil'],
    busy: 105,
    gone: 200,
  });
  await page.close();
});

test('without a private file system the store is in memory, and says so', async () => {
  const page = await around.page();
  const storage = await openStore(page, { name: 'memory', backend: 'memory' });
  assert.deepEqual(storage, { backend: 'memory', reason: 'the app asked for it', persisted: storage.persisted });
  const account = await addAccount(page, 'emil');
  const summary = await sync(page, account, around.relay.url);
  assert.equal(summary.messagesAdded, 1200);
  const size = await page.evaluate(async () => (await globalThis.mail.backup()).size);
  assert.ok(size > 1 << 20);
  await page.close();
});

test('glue and .wasm of different builds refuse each other', async () => {
  const folder = `${tree}wasm/test/.work/other-build`;
  rmSync(folder, { recursive: true, force: true });
  cpSync(`${tree}wasm/npm/dist`, folder, { recursive: true });
  const file = `${folder}/glue/mailkeep_bg.wasm`;
  const bytes = readFileSync(file);
  const section = bytes.lastIndexOf('mailkeep.build');
  bytes.write('0000000000000000', section + 'mailkeep.build'.length);
  writeFileSync(file, bytes);
  const site = await serveSite({ '/': `${tree}wasm/test/site/`, '/mailkeep/': `${folder}/` });
  const page = await around.browser.open(site.url);
  const told = await page.evaluate(() =>
    globalThis.mailkeep.Mailkeep.open({ name: 'build' }).then(
      () => null,
      ({ code, message }) => ({ code, message }),
    ),
  );
  assert.equal(told?.code, 402);
  assert.match(told.message, /of build 0000000000000000/);
  await page.close();
  await site.end();
});

test('a page that cannot load the engine hears why', async () => {
  const page = await around.page();
  const told = await page.evaluate(() =>
    globalThis.mailkeep.Mailkeep.open({ name: 'missing', wasm: '/nowhere.wasm' }).then(
      () => null,
      ({ code, message }) => ({ code, message }),
    ),
  );
  assert.equal(told?.code, 403);
  assert.match(told.message, /nowhere\.wasm.*404/s);
  await page.close();
});
