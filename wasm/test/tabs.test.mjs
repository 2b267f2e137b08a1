// Several tabs with one store: one leads, the others go through it, and another takes over when it goes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Around, addAccount, list, openStore, sync } from './lib/around.mjs';

let around;

before(async () => {
  around = await Around.start();
  await around.server.user('bert');
  await around.server.real('bert', 'INBOX', 120);
});
after(() => around?.end());

const leads = (page) => page.evaluate(() => globalThis.mail.isLeader);

/** Waits for a tab to lead. */
const untilItLeads = (page) => page.waitForFunction(() => globalThis.mail.isLeader, null, { timeout: 20_000 });

test('a second tab has the same mail, through the first', async () => {
  const [first, second] = [await around.page(), await around.page()];
  await openStore(first, { name: 'shared' });
  await openStore(second, { name: 'shared' });
  assert.deepEqual([await leads(first), await leads(second)], [true, false]);
  const account = await addAccount(first, 'bert');
  // The tab that does not lead syncs: the leader's worker opens the socket.
  const summary = await sync(second, account, around.relay.url);
  assert.equal(summary.messagesAdded, 120);
  assert.deepEqual(await list(first, account), await list(second, account));
  const heard = await second.evaluate(async (id) => {
    const { mail } = globalThis;
    const { commit } = await mail.stats();
    const feed = mail.changes(commit);
    const inbox = (await mail.mailboxes(id)).find((m) => m.role === 'inbox').id;
    globalThis.told = feed.next();
    return { inbox, message: (await mail.messages(inbox, { limit: 1 })).rows[0].id };
  }, account);
  await first.evaluate(({ message }) => globalThis.mail.setFlags([message], { add: ['\\Flagged'] }), heard);
  const { value } = await second.evaluate(() => globalThis.told);
  assert.ok(
    value.changes.some((change) => change.type === 'message-changed' && change.message === heard.message),
    JSON.stringify(value),
  );
  assert.deepEqual([...first.faults, ...second.faults], []);
  await Promise.all([first.close(), second.close()]);
});

test('the leader closes, and the next tab goes on', async () => {
  const [first, second, third] = [await around.page(), await around.page(), await around.page()];
  for (const page of [first, second, third]) await openStore(page, { name: 'shared' });
  const account = await addAccount(second, 'bert');
  const before = await list(second, account);
  await first.close();
  await untilItLeads(second);
  assert.equal(await leads(third), false);
  assert.deepEqual(await list(third, account), before);
  assert.deepEqual(await list(second, account), before);
  await Promise.all([second.close(), third.close()]);
});

test('the leader is killed in the middle of a sync: nothing that was acknowledged is lost', async () => {
  await around.server.user('carl');
  await around.server.real('carl', 'INBOX', 1500);
  const [first, second] = [await around.page(), await around.page()];
  await openStore(first, { name: 'killed' });
  await openStore(second, { name: 'killed' });
  const account = await addAccount(first, 'carl');
  await first.evaluate(
    async ([id, webSocket]) => {
      const connection = await globalThis.mail.connect(id, {
        transport: { webSocket },
        credentials: { password: 'secret' },
      });
      connection.sync().catch(() => undefined);
    },
    [account, around.relay.url],
  );
  await second.evaluate(async () => {
    while ((await globalThis.mail.stats()).messages < 200) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  const made = await second.evaluate(async (id) => {
    const { mail } = globalThis;
    const box = await mail.createMailbox(id, { name: 'Kept', local: true });
    const raw = new TextEncoder().encode('Subject: acknowledged\r\n\r\nText\r\n');
    const message = await mail.append(box, { raw });
    return { box, message, count: (await mail.stats()).messages };
  }, account);
  // A crash: the renderer process goes without a word to anybody.
  const crashed = first.waitForEvent('crash');
  await first.goto('chrome://crash').catch(() => undefined);
  await crashed;
  const later = await second.evaluate(async () => (await globalThis.mail.stats()).messages);
  await untilItLeads(second);
  assert.ok(later >= made.count, `${later} of ${made.count} messages are there`);
  const kept = await second.evaluate(async ({ message }) => (await globalThis.mail.message(message)).row.subject, made);
  assert.equal(kept, 'acknowledged');
  assert.deepEqual(await second.evaluate(async () => (await globalThis.mail.verify()).problems), []);
  const summary = await sync(second, account, around.relay.url);
  assert.ok(summary.messagesAdded > 0 && summary.messagesAdded < 1500, `${summary.messagesAdded} messages came anew`);
  const rows = await list(second, account);
  assert.equal(rows.filter((row) => row.mailboxName === 'INBOX').length, 1500);
  await second.close();
});

test('an app gives its own streams, from a tab that leads and from one that does not', async () => {
  await around.server.user('dora');
  await around.server.real('dora', 'INBOX', 60);
  const [first, second] = [await around.page(), await around.page()];
  await openStore(first, { name: 'streams' });
  await openStore(second, { name: 'streams' });
  const account = await addAccount(first, 'dora');
  const bySocket = (page) =>
    page.evaluate(
      async ([id, url]) => {
        const socket = new WebSocketStream(url);
        const { readable, writable } = await socket.opened;
        const bytes = readable.pipeThrough(
          new TransformStream({
            transform: (chunk, controller) => controller.enqueue(new Uint8Array(chunk)),
          }),
        );
        const transport = { readable: bytes, writable, secure: false };
        const asked = [];
        const connection = await globalThis.mail.connect(id, {
          transport,
          credentials: ({ mechanisms }) => {
            asked.push(mechanisms.length);
            return { password: 'secret' };
          },
        });
        const events = [];
        const listening = (async () => {
          for await (const event of connection.events()) events.push(event.type);
        })();
        const summary = await connection.sync();
        await connection.logout();
        await listening;
        return { added: summary.messagesAdded, asked: asked.length > 0, last: events.at(-1) };
      },
      [account, around.relay.url],
    );
  assert.deepEqual(await bySocket(second), { added: 60, asked: true, last: 'closed' });
  assert.deepEqual(await bySocket(first), { added: 0, asked: true, last: 'closed' });
  await Promise.all([first.close(), second.close()]);
});

test('a sync is taken back by its signal', async () => {
  const page = await around.page();
  await openStore(page, { name: 'cancelled' });
  const account = await addAccount(page, 'carl');
  const outcome = await page.evaluate(
    async ([id, webSocket]) => {
      const connection = await globalThis.mail.connect(id, {
        transport: { webSocket },
        credentials: { password: 'secret' },
      });
      const taken = new AbortController();
      const syncing = connection.sync({}, { signal: taken.signal }).then(
        () => 'done',
        (error) => error.code,
      );
      await new Promise((resolve) => setTimeout(resolve, 150));
      taken.abort();
      const result = await syncing;
      await connection.close();
      return [result, connection.isClosed];
    },
    [account, around.relay.url],
  );
  assert.deepEqual(outcome, [203, true]);
  await page.close();
});

test('the leader hears that it will be frozen: another leads meanwhile, and it comes back', async () => {
  const [first, second] = [await around.page(), await around.page()];
  await openStore(first, { name: 'frozen' });
  await openStore(second, { name: 'frozen' });
  const account = await addAccount(first, 'bert');
  // Chromium without a window freezes no page: the events are made by hand.
  const tell = (event) => first.evaluate((type) => void document.dispatchEvent(new Event(type)), event);
  await tell('freeze');
  await untilItLeads(second);
  assert.equal((await second.evaluate(() => globalThis.mail.accounts()))[0].id, account);
  await tell('resume');
  await first.waitForFunction(() => !globalThis.mail.isLeader, null, { timeout: 20_000 });
  assert.equal((await first.evaluate(() => globalThis.mail.accounts()))[0].id, account);
  await second.close();
  await untilItLeads(first);
  assert.equal((await first.evaluate(() => globalThis.mail.accounts()))[0].id, account);
  await first.close();
});
