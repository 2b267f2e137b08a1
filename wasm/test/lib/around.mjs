// What most tests stand on: a server with mail, a relay to it, a site, a browser.
import { Browser } from './browser.mjs';
import { MailServer, Relay, tree } from './processes.mjs';
import { serveSite } from './site.mjs';

export class Around {
  static async start() {
    const around = new Around();
    around.server = await MailServer.start();
    around.relay = await Relay.start(around.server.ports.imap);
    around.site = await serveSite({ '/': `${tree}wasm/test/site/`, '/mailkeep/': `${tree}wasm/npm/dist/` });
    around.browser = await Browser.start();
    return around;
  }

  page() {
    return this.browser.open(this.site.url);
  }

  /** Starts the browser again with the same profile, as after its end. */
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

/** Runs in the page: opens a store and keeps it as `globalThis.mail`. */
export function openStore(page, options) {
  return page.evaluate(async (given) => {
    globalThis.mail = await globalThis.mailkeep.Mailkeep.open(given);
    return globalThis.mail.storage;
  }, options);
}

/** Runs in the page: adds an account over the relay, or takes the one of that name, and answers its id. */
export function addAccount(page, user) {
  return page.evaluate(async (name) => {
    const there = (await globalThis.mail.accounts()).find((account) => account.settings.name === name);
    const settings = { name, host: 'mail.example', user: name, security: 'insecure' };
    return there?.id ?? (await globalThis.mail.addAccount(settings));
  }, user);
}

/** Runs in the page: one sync over the relay, signed out of again. */
export function sync(page, account, url, password = 'secret') {
  return page.evaluate(
    async ([id, webSocket, password]) => {
      const connection = await globalThis.mail.connect(id, { transport: { webSocket }, credentials: { password } });
      const summary = await connection.sync();
      await connection.logout();
      return summary;
    },
    [account, url, password],
  );
}

/** Runs in the page: every mailbox with its rows. */
export function list(page, account) {
  return page.evaluate(async (id) => {
    const all = [];
    for (const mailbox of await globalThis.mail.mailboxes(id)) {
      if (!mailbox.selectable) continue;
      for await (const row of globalThis.mail.allMessages(mailbox.id)) all.push({ ...row, mailboxName: mailbox.name });
    }
    return all;
  }, account);
}
