// Real Chromium with a profile of its own, which stays while a test starts it anew.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export class Browser {
  static async start(profile = mkdtempSync(join(tmpdir(), 'mailkeep-chromium-'))) {
    if (!existsSync(PROGRAM)) throw new Error(`there is no Chromium at ${PROGRAM}: run tests/run web, or set CHROMIUM`);
    const browser = new Browser();
    browser.profile = profile;
    browser.context = await chromium.launchPersistentContext(profile, { executablePath: PROGRAM, args: ARGUMENTS });
    return browser;
  }

  /** A page whose errors fail the test that uses it. */
  async open(url) {
    const page = await this.context.newPage();
    page.faults = [];
    page.on('pageerror', (error) => page.faults.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') page.faults.push(message.text());
    });
    await page.goto(url);
    await page.waitForFunction(() => globalThis.mailkeep !== undefined);
    return page;
  }

  async restart() {
    await this.context.close();
    return Browser.start(this.profile);
  }

  async end() {
    await this.context.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}
