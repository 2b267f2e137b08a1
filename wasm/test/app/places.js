// Where an app built by esbuild has put the worker and the .wasm.
globalThis.placesForMailkeep = {
  worker: () => new Worker('/worker-entry.js', { type: 'module' }),
  wasm: '/mailkeep.wasm',
};
