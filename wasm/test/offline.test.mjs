// The main job in a real browser: mail synced through a relay, there without the server, acted on, and told to the
// server later.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Around, addAccount, list, openStore, sync } from './lib/around.mjs';

const MESSAGES = 300;
let around;

before(async () => {
  around = await Around.start();
  await around.server.user('anna');
  await around.server.real('anna', 'INBOX', MESSAGES);
  await around.server.real('anna', 'Archive', 40);
});
after(() => around?.end());

/** What both sides can tell of a message, in one order. */
function known(rows) {
  const told = rows.map(({ mailboxName, mailbox, uid, flags, size, sha256 }) =>
    JSON.stringify([mailboxName ?? mailbox, uid, [...flags].sort(), size, sha256]),
  );
  return told.sort();
}

test('a first sync brings every message, byte for byte', async () => {
  const page = await around.page();
  const storage = await openStore(page, { name: 'first' });
  assert.equal(storage.backend, 'opfs');
  assert.equal(typeof storage.persisted, 'boolean');
  const account = await addAccount(page, 'anna');
  const summary = await sync(page, account, around.relay.url);
  assert.equal(summary.messagesAdded, MESSAGES + 40);
  assert.deepEqual(known(await list(page, account)), known(around.server.dump('anna')));
  const byPosition = await page.evaluate(async (id) => {
    const { mail } = globalThis;
    const inbox = (await mail.mailboxes(id)).find((mailbox) => mailbox.role === 'inbox').id;
    const ids = ({ rows }) => rows.map((row) => row.id);
    const all = ids(await mail.messages(inbox, { limit: 1000 }));
    return {
      all,
      middle: ids(await mail.messagesAt(inbox, 120, { limit: 30 })),
      end: ids(await mail.messagesAt(inbox, all.length - 5)),
      beyond: await mail.messagesAt(inbox, all.length),
    };
  }, account);
  assert.deepEqual(byPosition.middle, byPosition.all.slice(120, 150));
  assert.deepEqual(byPosition.end, byPosition.all.slice(-5));
  assert.deepEqual(byPosition.beyond, { rows: [], next: null });
  const again = await sync(page, account, around.relay.url);
  assert.equal(again.messagesAdded, 0);
  // The greeting, three of SCRAM's, which answer back, and the last brings everything: as in a native program.
  assert.equal(again.roundTrips, 4);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('a password outside of ASCII is normalised by the browser', async () => {
  await around.server.user('zoe', '\u00e9IX');
  await around.server.generate('zoe', 'INBOX', 3, 500);
  const page = await around.page();
  await openStore(page, { name: 'zoe', backend: 'memory' });
  // SCRAM compares what is prepared (RFC 4013): the same password, typed in another way.
  const summary = await sync(page, await addAccount(page, 'zoe'), around.relay.url, 'e\u0301\u00ad\u2168');
  assert.equal(summary.messagesAdded, 3);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('after a restart of the browser, with the server gone, everything is there', async () => {
  const onServer = around.server.dump('anna');
  await around.server.stop();
  await around.restartBrowser();
  const page = await around.page();
  await openStore(page, { name: 'first' });
  const account = await addAccount(page, 'anna');
  const rows = await list(page, account);
  assert.deepEqual(known(rows), known(onServer));
  const bodies = await page.evaluate(async (id) => {
    const { mail } = globalThis;
    const digest = async (bytes) => {
      const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    };
    const { rows } = await mail.messages((await mail.mailboxes(id)).find((m) => m.role === 'inbox').id, { limit: 20 });
    const wrong = [];
    for (const row of rows) {
      const stream = await new Response(await mail.bodyStream(row.id)).arrayBuffer();
      if ((await digest(stream)) !== row.sha256) wrong.push(row.id);
      if ((await mail.text(row.id)) === null) wrong.push(`${row.id} has no text`);
      const { details } = await mail.message(row.id);
      if (details.parts.length === 0) wrong.push(`${row.id} has no parts`);
    }
    return { count: rows.length, wrong };
  }, account);
  assert.deepEqual(bodies, { count: 20, wrong: [] });
  const failure = await page.evaluate(
    async ([id, webSocket]) => {
      const connection = await globalThis.mail.connect(id, {
        transport: { webSocket },
        credentials: { password: 'secret' },
      });
      const result = await connection.sync().then(
        () => 'synced',
        (error) => [error.name, error.fault],
      );
      return [result, (await connection.closed)?.fault];
    },
    [account, around.relay.url],
  );
  assert.deepEqual(failure, [['MailkeepError', 'server'], 'server']);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test('what is done offline is told to the server, once', async () => {
  const page = await around.page();
  await openStore(page, { name: 'first' });
  const account = await addAccount(page, 'anna');
  const done = await page.evaluate(async (id) => {
    const { mail } = globalThis;
    const mailboxes = await mail.mailboxes(id);
    const inbox = mailboxes.find((m) => m.role === 'inbox').id;
    const { rows } = await mail.messages(inbox, { limit: 12 });
    const names = rows.map((row) => row.id);
    await mail.setFlags(names.slice(0, 3), { add: ['\\Flagged', 'todo'], remove: ['\\Seen'] });
    const box = await mail.createMailbox(id, { name: 'Made here' });
    await mail.move(names.slice(3, 6), box);
    await mail.archive(names.slice(6, 9));
    await mail.delete(names.slice(9, 10));
    const raw = new TextEncoder().encode('Subject: from the browser\r\nMessage-ID: <draft@example>\r\n\r\nHello.\r\n');
    const drafts = await mail.createMailbox(id, { name: 'Drafts', role: 'drafts' });
    const draft = await mail.append(drafts, { raw, flags: ['\\Draft'] });
    return {
      draft,
      pending: (await mail.pending()).map((operation) => operation.kind.type).sort(),
      moved: names.slice(3, 6),
    };
  }, account);
  const kinds = (kind, count) => Array(count).fill(kind);
  const wanted = [...kinds('append', 1), ...kinds('create-mailbox', 3), ...kinds('move', 7), ...kinds('set-flags', 3)];
  assert.deepEqual(done.pending, wanted);
  // A restart between the action and the sync loses nothing.
  await page.close();
  await around.server.start();
  const later = await around.page();
  await openStore(later, { name: 'first' });
  const summary = await sync(later, account, around.relay.url);
  assert.equal(summary.operationsSetAside, 0);
  assert.deepEqual(await later.evaluate(() => globalThis.mail.pending()), []);
  const here = await list(later, account);
  const there = around.server.dump('anna');
  assert.deepEqual(known(here), known(there));
  const count = (mailbox) => there.filter((message) => message.mailbox === mailbox).length;
  assert.deepEqual(['INBOX', 'Made here', 'Archive', 'Trash', 'Drafts'].map(count), [MESSAGES - 7, 3, 43, 1, 1]);
  assert.equal(
    there.filter((message) => message.flags.includes('todo') && message.flags.includes('\\Flagged')).length,
    3,
  );
  assert.deepEqual(
    here
      .filter((row) => row.mailboxName === 'Made here')
      .map((row) => row.id)
      .sort(),
    [...done.moved].sort(),
  );
  assert.deepEqual(await later.evaluate(async () => (await globalThis.mail.verify()).problems), []);
  assert.deepEqual(later.faults, []);
  await later.close();
});
