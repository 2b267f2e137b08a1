// Where TLS inside the worker will sit, and what is refused without it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { Browser } from './lib/browser.mjs';
import { Relay, tree } from './lib/processes.mjs';
import { serveSite } from './lib/site.mjs';

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

/** Signs in to the scripted server, and tells what was heard. */
async function signIn(page, given) {
  return page.evaluate(
    async ({ security, host, ownWorker, startsSecure }) => {
      const { Mailkeep } = globalThis.mailkeep;
      const { scripted } = await import('/scripted.js');
      const worker = ownWorker ? { worker: () => new Worker('/own-worker.js', { type: 'module' }) } : {};
      const mail = await Mailkeep.open({ name: crypto.randomUUID(), backend: 'memory', ...worker });
      const account = await mail.addAccount({ name: 'a', host, user: 'anna', security });
      const { transport, clear } = scripted({ startsSecure });
      const outcome = await mail.connect(account, { transport, credentials: { password: 'secret' } }).then(
        async (connection) => {
          const heard = [];
          const listening = (async () => {
            for await (const event of connection.events()) heard.push(event.type);
          })();
          const failure = await connection.sync().then(
            () => null,
            (error) => error.code,
          );
          await connection.close();
          await listening;
          return { signedIn: heard.includes('authenticated'), failure, closed: (await connection.closed)?.code };
        },
        (error) => ({ refused: error.message }),
      );
      await mail.close();
      return { ...outcome, clear: clear.map((line) => line.split(' ').slice(1).join(' ')) };
    },
    { startsSecure: false, ...given },
  );
}

test("STARTTLS goes through the layer of the app's worker, and nothing is said before it", async () => {
  const page = await browser.open(site.url);
  const outcome = await signIn(page, { security: 'starttls', host: 'mail.example', ownWorker: true });
  assert.equal(outcome.signedIn, true, JSON.stringify(outcome));
  assert.deepEqual(
    outcome.clear.filter((line) => line !== 'CAPABILITY'),
    ['STARTTLS'],
  );
  await page.close();
});

test('a layer that does not trust the server ends the connection', async () => {
  const page = await browser.open(site.url);
  const outcome = await signIn(page, { security: 'starttls', host: 'other.example', ownWorker: true });
  assert.equal(outcome.signedIn, false);
  assert.equal(outcome.failure, 404);
  await page.close();
});

test('without a layer STARTTLS is a plain error, and no password is said', async () => {
  const page = await browser.open(site.url);
  const outcome = await signIn(page, { security: 'starttls', host: 'mail.example', ownWorker: false });
  assert.deepEqual([outcome.signedIn, outcome.failure], [false, 404], JSON.stringify(outcome));
  assert.ok(!outcome.clear.some((line) => /LOGIN|AUTHENTICATE/i.test(line)), outcome.clear.join());
  await page.close();
});

test('an account that wants TLS has it put over a transport that has none', async () => {
  const page = await browser.open(site.url);
  const over = await signIn(page, { security: 'tls', host: 'mail.example', ownWorker: true, startsSecure: true });
  assert.equal(over.signedIn, true, JSON.stringify(over));
  const refused = await signIn(page, { security: 'tls', host: 'mail.example', ownWorker: false });
  assert.equal(refused.signedIn ?? false, false);
  assert.ok(!refused.clear.some((line) => /LOGIN|AUTHENTICATE/i.test(line)), refused.clear.join());
  await page.close();
});

test('the relay connects to what it was told to allow and to nothing else', async () => {
  const relay = await Relay.start(9, '--origin', 'http://good.example');
  const { hostname, port } = new URL(relay.url);
  const answer = async (to, origin) => {
    const socket = connect(Number(port), hostname);
    socket.write(
      `GET /?to=${to} HTTP/1.1\r\nhost: relay\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n` +
        `sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\norigin: ${origin}\r\n\r\n`,
    );
    const [data] = await once(socket, 'data');
    socket.destroy();
    return data.toString().split('\r\n')[0];
  };
  assert.match(await answer('127.0.0.1:9', 'http://good.example'), / 101 /);
  assert.match(await answer('127.0.0.1:9', 'http://bad.example'), / 403 /);
  assert.match(await answer('127.0.0.1:22', 'http://good.example'), / 403 /);
  assert.match(await answer('localhost:9', 'http://good.example'), / 403 /);
  await relay.end();
});
