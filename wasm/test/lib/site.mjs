// The page's server: plain files, the headers that the documentation asks for and no others.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/** The one line of policy that an app needs: its own scripts, WebAssembly, its worker, its relay. */
export const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws://127.0.0.1:*";

/** Serves folders under prefixes: `{ '/mailkeep/': 'wasm/npm/dist/', '/': 'site/' }`; on any port where none is named. */
export async function serveSite(folders, { policy = POLICY, port = 0 } = {}) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://site').pathname));
    const prefix = Object.keys(folders)
      .filter((known) => path.startsWith(known))
      .sort((a, b) => b.length - a.length)[0];
    const file = prefix === undefined ? '' : join(folders[prefix], path.slice(prefix.length) || 'index.html');
    if (path === '/favicon.ico') {
      response.writeHead(204).end();
      return;
    }
    if (!file || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': policy,
      'cache-control': 'no-store',
    });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    // A secure context, as far as browsers are concerned.
    url: `http://localhost:${server.address().port}`,
    end: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  };
}
