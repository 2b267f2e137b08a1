// What the browser costs beside a native program, in one run on one machine: node bench.mjs [--messages 20000]
// [--rows 100000] [--browser-only]
//
// - a first sync of MESSAGES messages: the native program straight from Dovecot, the package through the relay;
// - opening a store of ROWS messages and reading the first page of 50: the native program as a process, the package
// from the
//   start of its worker, with what compiling the .wasm took apart.
//
// Needs what `tests/run web` builds, and `cargo build --release --bin mailkeep`.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { addAccount, openStore } from './lib/around.mjs';
import { Browser } from './lib/browser.mjs';
import { MailServer, Relay, tree } from './lib/processes.mjs';
import { serveSite } from './lib/site.mjs';

const RUNS = 5;
const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' },
    rows: { type: 'string', default: '100000' },
    'browser-only': { type: 'boolean', default: false },
  },
});
const program = process.env.MAILKEEP_PROGRAM ?? `${tree}target/release/mailkeep`;
const alone = values['browser-only'];
if (!alone && !existsSync(program)) throw new Error(`there is no ${program}: cargo build --release --bin mailkeep`);
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'mailkeep-bench-'));
const server = await MailServer.start('--mdbox');
const relay = await Relay.start(server.ports.imap);
const site = await serveSite({ '/': `${tree}wasm/test/site/`, '/mailkeep/': `${tree}wasm/npm/dist/` });
const browser = await Browser.start();

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

async function timed(act) {
  const begin = performance.now();
  await act();
  return performance.now() - begin;
}

async function native(user, bodies) {
  if (alone) return { sync: NaN, open: NaN };
  const db = join(folder, `${user}.db`);
  const mailkeep = (...args) =>
    run(program, ['--db', db, ...args], { env: { ...process.env, BENCH_PASSWORD: 'secret' }, maxBuffer: 1 << 28 });
  await mailkeep(
    'account',
    'add',
    user,
    'imap',
    '--host',
    '127.0.0.1',
    '--port',
    String(server.ports.imap),
    '--user',
    user,
    '--password-env',
    'BENCH_PASSWORD',
    '--security',
    'insecure',
  );
  const sync = await timed(() => mailkeep('sync', '--bodies', bodies));
  const opens = [];
  for (let turn = 0; turn < RUNS; turn++) opens.push(await timed(() => mailkeep('list', 'INBOX', '--limit', '50')));
  return { sync, open: median(opens) };
}

async function inBrowser(user, bodies) {
  const first = await browser.open(site.url);
  await openStore(first, { name: user });
  const account = await addAccount(first, user);
  const { ms, busy } = await first.evaluate(
    async ([id, webSocket, policy]) => {
      const connection = await globalThis.mail.connect(id, {
        transport: { webSocket },
        credentials: { password: 'secret' },
      });
      // How long other calls wait beside the sync.
      let syncing = true;
      const waits = [];
      const asking = (async () => {
        while (syncing) {
          const begin = performance.now();
          await globalThis.mail.mailboxes(id);
          waits.push(performance.now() - begin);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      })();
      const begin = performance.now();
      await connection.sync({ bodies: policy });
      const took = performance.now() - begin;
      syncing = false;
      await asking;
      await connection.logout();
      waits.sort((a, b) => a - b);
      return {
        ms: took,
        busy: { p50: waits[waits.length >> 1], p99: waits[Math.floor(waits.length * 0.99)], worst: waits.at(-1) },
      };
    },
    [account, relay.url, bodies],
  );
  await first.close();
  const opens = [];
  for (let turn = 0; turn < RUNS; turn++) {
    const page = await browser.open(site.url);
    opens.push(
      await page.evaluate(async (name) => {
        const begin = performance.now();
        const mail = await globalThis.mailkeep.Mailkeep.open({ name, persist: false });
        const [{ id }] = await mail.accounts();
        const inbox = (await mail.mailboxes(id)).find((mailbox) => mailbox.role === 'inbox').id;
        const { rows } = await mail.messages(inbox, { limit: 50 });
        if (rows.length !== 50) throw new Error(`${rows.length} rows`);
        const all = performance.now() - begin;
        return { all, ...mail.startTimes };
      }, user),
    );
    await page.close();
  }
  opens.sort((a, b) => a.all - b.all);
  return { sync: ms, open: opens[opens.length >> 1], busy };
}

try {
  const messages = Number(values.messages);
  const rows = Number(values.rows);
  await server.user('sync');
  await server.generate('sync', 'INBOX', messages, 4000);
  const [nativeSync, browserSync] = [await native('sync', 'all'), await inBrowser('sync', 'all')];
  console.log(
    `first sync of ${messages} messages of 4 kB: native ${seconds(nativeSync.sync)}, browser ${seconds(browserSync.sync)}, ${(browserSync.sync / nativeSync.sync).toFixed(2)} times`,
  );
  const { p50, p99, worst } = browserSync.busy;
  console.log(
    `a call beside it waited ${p50.toFixed(0)} ms (median), ${p99.toFixed(0)} ms (99th of 100), ${worst.toFixed(0)} ms at most`,
  );
  await server.user('open');
  await server.generate('open', 'INBOX', rows, 300);
  const [nativeOpen, browserOpen] = [await native('open', 'none'), await inBrowser('open', 'none')];
  const { all, compileMs, startMs, openMs } = browserOpen.open;
  console.log(
    `first sync of ${rows} rows without bodies: native ${seconds(nativeOpen.sync)}, browser ${seconds(browserOpen.sync)}`,
  );
  console.log(
    `opening ${rows} messages to the first 50: native ${nativeOpen.open.toFixed(0)} ms (a process), browser ${(all - compileMs).toFixed(0)} ms and ${compileMs.toFixed(0)} ms to compile, ${((all - compileMs) / nativeOpen.open).toFixed(2)} times`,
  );
  console.log(`  of these: starting the engine ${startMs.toFixed(0)} ms, opening the file ${openMs.toFixed(0)} ms`);
} finally {
  await browser.end();
  await site.end();
  await relay.end();
  await server.end();
  rmSync(folder, { recursive: true, force: true });
}
