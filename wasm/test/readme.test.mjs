// The quick starts of the READMEs as they are written, but for the relay's address.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { Around } from './lib/around.mjs';
import { tree } from './lib/processes.mjs';
import { POLICY, serveSite } from './lib/site.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const MESSAGES = 7;
let around;

before(async () => {
  around = await Around.start();
  // Signing in prepares the password … to three dots (RFC 4013).
  await around.server.user('anna', '...');
  await around.server.generate('anna', 'INBOX', MESSAGES, 1000);
});
after(() => around?.end());

/** The first block of TypeScript in a text. */
function quickStart(file) {
  const done = spawnSync(`${tree}tests/quickstart/block`, [`${tree}${file}`, 'ts'], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
}

for (const file of ['README.md', 'wasm/npm/README.md']) {
  test(`the quick start of ${file}`, { timeout: 60_000 }, async (t) => {
    const folder = `${here}.work/readme`;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const written = quickStart(file);
    writeFileSync(`${folder}/app.ts`, written);
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,esnext.disposable,dom'];
    const resolution = ['--module', 'esnext', '--moduleResolution', 'bundler'];
    const checked = spawnSync(
      process.execPath,
      [`${here}node_modules/typescript/bin/tsc`, ...options, ...resolution, `${folder}/app.ts`, 'types/page.d.ts'],
      { cwd: here, encoding: 'utf8' },
    );
    assert.equal(checked.status, 0, checked.stdout);

    const moved = written.replace('ws://127.0.0.1:8080/?to=127.0.0.1:1143', around.relay.url);
    assert.notEqual(moved, written);
    const { code } = await esbuild.transform(moved, { loader: 'ts', format: 'esm', target: 'es2022' });
    writeFileSync(`${folder}/app.js`, code);
    copyFileSync(`${here}app/page.js`, `${folder}/page.js`);
    const map = JSON.stringify({ imports: { mailkeep: '/mailkeep/index.js' } });
    const hash = createHash('sha256').update(map).digest('base64');
    const policy = POLICY.replace("'wasm-unsafe-eval'", `'wasm-unsafe-eval' 'sha256-${hash}'`);
    writeFileSync(
      `${folder}/index.html`,
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>quick start</title><script type="importmap">${map}</script>` +
        '<script src="/page.js"></script><script type="module" src="/app.js"></script></html>',
    );
    const site = await serveSite({ '/': `${folder}/`, '/mailkeep/': `${tree}wasm/npm/dist/` }, { policy });
    t.after(() => site.end());
    const page = await around.browser.open(site.url);
    const listed = () => page.evaluate(() => globalThis.said.filter((line) => /^\d+ \S/.test(line)).length);
    for (const end = Date.now() + 20_000; (await listed()) < MESSAGES && Date.now() < end; )
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(page.faults, []);
    assert.equal(await listed(), MESSAGES, JSON.stringify(await page.evaluate(() => globalThis.said)));
    await page.close();
  });
}
