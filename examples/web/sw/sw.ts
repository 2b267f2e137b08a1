// Keeps the app's own files, so that it opens without a network. Mail is none of its business: that is in the store.
declare const self: ServiceWorkerGlobalScope;

/** Both are filled in by the build. */
declare const __FILES__: string[];
declare const __VERSION__: string;

const CACHE = `mailkeep-reader-${__VERSION__}`;

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(__FILES__)));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});

// The files of one build belong together (the engine refuses another build's script), so the cache answers first; a
// new build comes as a new service worker, which takes over when every tab of the old one is closed.
self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== self.location.origin) return;
  event.respondWith(
    (async () => {
      const cache = await caches.open(CACHE);
      const wanted = request.mode === 'navigate' ? './' : request;
      return (await cache.match(wanted, { ignoreSearch: request.mode === 'navigate' })) ?? fetch(request);
    })(),
  );
});

export {};
