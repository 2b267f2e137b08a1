// The package under the bundlers that apps use, and where there is no browser at all.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { build as viteBuild } from 'vite';
import webpack from 'webpack';
import { Browser } from './lib/browser.mjs';
import { POLICY, serveSite } from './lib/site.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const work = `${here}.work`;
let browser;

before(async () => {
  browser = await Browser.start();
});
after(() => browser?.end());

async function runs(folders, options) {
  const site = await serveSite(folders, options);
  const page = await browser.open(site.url);
  const outcome = await page.evaluate(() => globalThis.outcome);
  assert.deepEqual(outcome, { subjects: ['bundled'], backend: 'opfs' });
  assert.deepEqual(page.faults, []);
  await page.close();
  await site.end();
}

function fresh(name) {
  const folder = `${work}/${name}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

const page = (script) => `<!doctype html><html lang="en"><title>app</title>${script}</html>`;

test('vite', async () => {
  const outDir = fresh('vite');
  await viteBuild({
    root: `${here}app`,
    logLevel: 'error',
    worker: { format: 'es' },
    build: { outDir, emptyOutDir: true, target: 'es2022' },
  });
  await runs({ '/': `${outDir}/` });
});

test('webpack', async () => {
  const path = fresh('webpack');
  const stats = await new Promise((resolve, reject) => {
    const config = {
      mode: 'production',
      target: 'web',
      entry: `${here}app/main.js`,
      output: { path, filename: 'main.js', publicPath: '/' },
      performance: false,
    };
    webpack(config, (error, done) => (error ? reject(error) : resolve(done)));
  });
  assert.deepEqual(stats.compilation.errors, []);
  assert.deepEqual(stats.compilation.warnings, []);
  writeFileSync(`${path}/index.html`, page('<script type="module" src="/main.js"></script>'));
  await runs({ '/': `${path}/` });
});

test('esbuild, with the worker as an entry of its own', async () => {
  const outdir = fresh('esbuild');
  const worker = fileURLToPath(import.meta.resolve('mailkeep/worker-entry'));
  await esbuild.build({
    entryPoints: [`${here}app/main.js`, worker],
    outdir,
    entryNames: '[name]',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
  });
  copyFileSync(fileURLToPath(import.meta.resolve('mailkeep/mailkeep.wasm')), `${outdir}/mailkeep.wasm`);
  copyFileSync(`${here}app/places.js`, `${outdir}/places.js`);
  writeFileSync(
    `${outdir}/index.html`,
    page('<script src="/places.js"></script><script type="module" src="/main.js"></script>'),
  );
  await runs({ '/': `${outdir}/` });
});

test('no bundler, an import map', async () => {
  const folder = fresh('plain');
  const map = JSON.stringify({ imports: { mailkeep: '/mailkeep/index.js' } });
  // The map is an inline script, which the policy must name by its hash.
  const policy = POLICY.replace(
    "'wasm-unsafe-eval'",
    `'wasm-unsafe-eval' 'sha256-${createHash('sha256').update(map).digest('base64')}'`,
  );
  copyFileSync(`${here}app/main.js`, `${folder}/main.js`);
  writeFileSync(
    `${folder}/index.html`,
    page(`<script type="importmap">${map}</script><script type="module" src="/main.js"></script>`),
  );
  await runs(
    { '/': `${folder}/`, '/mailkeep/': fileURLToPath(new URL('.', import.meta.resolve('mailkeep'))) },
    { policy },
  );
});

test('imported on a server, it touches nothing of the browser and holds nothing open', () => {
  const script =
    "const all = await Promise.all(['mailkeep', 'mailkeep/worker', 'mailkeep/wasm'].map((name) => import(name)));" +
    "console.log(all.map((entry) => Object.keys(entry).sort().join(' ')).join('; '));";
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: here,
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /^Code Connection Mailkeep MailkeepError; serve; BUILD_ID /);
});

test('the types hold under tsc, strict, as bundlers and as Node resolve', () => {
  for (const resolution of ['bundler', 'nodenext']) {
    const module = resolution === 'bundler' ? 'esnext' : 'nodenext';
    const args = [
      '--noEmit',
      '--strict',
      '--target',
      'es2022',
      '--lib',
      'es2022,esnext.disposable,dom',
      '--module',
      module,
      '--moduleResolution',
      resolution,
      'types/app.ts',
    ];
    const done = spawnSync(process.execPath, [`${here}node_modules/typescript/bin/tsc`, ...args], {
      cwd: here,
      encoding: 'utf8',
    });
    assert.equal(done.status, 0, `${resolution}: ${done.stdout}`);
  }
});

test('the packed package has the right types for every way to resolve them', () => {
  const packed = spawnSync('npm', ['pack', '--silent', '--pack-destination', fresh('pack')], {
    cwd: `${here}../npm`,
    encoding: 'utf8',
  });
  assert.equal(packed.status, 0, packed.stderr);
  const file = `${work}/pack/${packed.stdout.trim().split('\n').at(-1)}`;
  const attw = `${here}node_modules/@arethetypeswrong/cli/dist/index.js`;
  const done = spawnSync(
    process.execPath,
    [attw, file, '--profile', 'esm-only', '--exclude-entrypoints', './mailkeep.wasm'],
    { encoding: 'utf8' },
  );
  assert.equal(done.status, 0, done.stdout + done.stderr);
});
