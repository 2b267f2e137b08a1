import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Plugin, defineConfig } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Tells the service worker which files make up the app: it keeps them all, under a name that is theirs alone. */
function shell(): Plugin {
  return {
    name: 'app-shell',
    enforce: 'post',
    generateBundle(_, bundle) {
      const worker = bundle['sw.js'];
      if (worker?.type !== 'chunk') throw new Error('there is no service worker to tell');
      const built = Object.keys(bundle).filter((name) => name !== 'sw.js' && name !== 'index.html');
      const files = [...built, ...readdirSync(`${here}public`)].sort();
      const hash = createHash('sha256');
      for (const name of ['index.html', ...files]) {
        const file = bundle[name];
        const made = file?.type === 'chunk' ? file.code : file?.source;
        hash.update(name).update(made ?? readFileSync(`${here}public/${name}`));
      }
      const list = JSON.stringify(['./', ...files.map((name) => `./${name}`)]);
      worker.code = worker.code
        .replace('__FILES__', () => list)
        .replace('__VERSION__', () => JSON.stringify(hash.digest('hex').slice(0, 16)));
    },
  };
}

export default defineConfig({
  // Works in any folder of a site.
  base: './',
  plugins: [shell()],
  worker: { format: 'es' },
  // The package is outside this folder: the development server may read it all the same.
  server: { fs: { allow: [here, `${here}../../wasm/npm`] } },
  build: {
    target: 'es2022',
    // A stylesheet or an icon as a data: URL would need another word in the page's policy.
    assetsInlineLimit: 0,
    rollupOptions: {
      input: { index: `${here}index.html`, sw: `${here}sw/sw.ts` },
      output: { entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
});
