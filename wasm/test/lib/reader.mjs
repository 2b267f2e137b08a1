// The mail reader of `examples/web`, built as for a site, in a real browser, used as a person uses it.
import { spawnSync } from 'node:child_process';
import { Browser } from './browser.mjs';
import { MailServer, Relay, tree } from './processes.mjs';
import { serveSite } from './site.mjs';

const folder = `${tree}examples/web`;
/** The page has its policy within; this is what only a header can say. */
const HEADER = "frame-ancestors 'none'";

let built = false;

function build() {
  if (built) return;
  const done = spawnSync('npm', ['run', '--silent', 'build'], { cwd: folder, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`examples/web cannot be built:\n${done.stdout}${done.stderr}`);
  built = true;
}

/** The reader with a server, a relay and a site of its own. */
export class Reader {
  static async start(...serverArguments) {
    build();
    const reader = new Reader();
    reader.server = await MailServer.start(...serverArguments);
    reader.relay = await Relay.start(reader.server.ports.imap, '--allow', `127.0.0.1:${reader.server.ports.pop3}`);
    reader.site = await serveSite({ '/': `${folder}/dist/` }, { policy: HEADER });
    reader.browser = await Browser.start();
    return reader;
  }

  get relayAddress() {
    return this.relay.url.split('?')[0];
  }

  /** A page with the reader. What the console calls an error is kept in `faults`. */
  async open({ viewport = { width: 1280, height: 800 }, colorScheme = 'light', path = '' } = {}) {
    const page = await this.browser.context.newPage();
    page.faults = [];
    page.on('pageerror', (error) => page.faults.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') page.faults.push(message.text());
    });
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await page.goto(`${this.site.url}/${path}`);
    await page.locator('mail-status h1').waitFor({ state: 'attached' });
    return page;
  }

  /** Everything but the browser goes: the mail server, the relay, the site itself. */
  async stopEverything() {
    const relayPort = new URL(this.relay.url).port;
    const sitePort = new URL(this.site.url).port;
    await this.server.stop();
    await this.relay.end();
    await this.site.end();
    this.gone = { relayPort, sitePort };
  }

  /** Everything is back where it was. */
  async startEverything() {
    const { relayPort, sitePort } = this.gone;
    await this.server.start();
    this.relay = await Relay.start(this.server.ports.imap, '--listen', `127.0.0.1:${relayPort}`);
    this.site = await serveSite({ '/': `${folder}/dist/` }, { policy: HEADER, port: Number(sitePort) });
  }

  async restartBrowser() {
    this.browser = await this.browser.restart();
  }

  async end() {
    await this.browser?.end();
    await this.site?.end();
    await this.relay?.end();
    await this.server?.end();
  }
}

/** Adds an account by its dialog; the password is asked for next. */
export async function addAccount(page, reader, user, protocol = 'imap') {
  await page.getByRole('button', { name: 'Add an account' }).click();
  await page.getByLabel('Name', { exact: true }).fill(user);
  await page.getByLabel('Your address').fill(`${user}@mail.example`);
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Mail server').fill('127.0.0.1');
  await page.getByLabel('Server speaks').selectOption(protocol);
  await page.getByLabel('Port').fill(String(reader.server.ports[protocol]));
  await page.getByLabel('Relay').fill(reader.relayAddress);
  await page.getByRole('button', { name: 'Add account' }).click();
}

/** Gives the password and waits until the account is in step. */
export async function connect(page, { timeout = 60_000 } = {}) {
  await page.getByLabel(/^Password of/).fill('secret');
  await page.getByRole('button', { name: 'Connect' }).click();
  await untilState(page, 'online', timeout);
}

export function untilState(page, state, timeout = 60_000) {
  return page.locator(`mail-status[data-state="${state}"]`).waitFor({ state: 'attached', timeout });
}

/** The row of a message by its subject. */
export function row(page, subject) {
  return page.getByRole('option').filter({ hasText: subject });
}

/** Waits until the service worker has all of the app. */
export function untilInstalled(page) {
  return page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 20));
  });
}
