// What a .wasm with names weighs, crate by crate: node sizes.mjs FILE.wasm [ROWS]
// Code is counted by the function's symbol, data as one row: nobody can say whose a constant is.
import { readFileSync } from 'node:fs';

const [file, rows = '16'] = process.argv.slice(2);
if (!file) {
  console.error('usage: node sizes.mjs FILE.wasm [ROWS]');
  process.exit(2);
}
const bytes = readFileSync(file);
let at = 8;

function number() {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
}

function text() {
  const length = number();
  at += length;
  return bytes.toString('utf8', at - length, at);
}

const sizes = [];
const names = new Map();
let imported = 0;
let data = 0;
while (at < bytes.length) {
  const id = bytes[at++];
  const end = number() + at;
  if (id === 2) imported = importedFunctions();
  else if (id === 10) for (let left = number(); left > 0; left--) body();
  else if (id === 11) data = end - at;
  else if (id === 0 && text() === 'name') functionNames(end);
  at = end;
}

function importedFunctions() {
  let functions = 0;
  for (let left = number(); left > 0; left--) {
    text();
    text();
    const kind = bytes[at++];
    if (kind === 0) {
      number();
      functions += 1;
    } else if (kind === 3) {
      at += 2;
    } else {
      if (kind === 1) at += 1;
      const bounded = bytes[at++] & 1;
      number();
      if (bounded) number();
    }
  }
  return functions;
}

function body() {
  const length = number();
  sizes.push(length);
  at += length;
}

function functionNames(end) {
  while (at < end) {
    const kind = bytes[at++];
    const stop = number() + at;
    if (kind === 1) {
      for (let left = number(); left > 0; left--) {
        const index = number();
        names.set(index, text());
      }
    }
    at = stop;
  }
}

/** The crate of a mangled symbol: the first path in it, or of `<A as B>` the crate of A where it is no primitive. */
function crateOf(symbol) {
  const legacy = symbol.match(/^_ZN(\d+)(.*)$/);
  if (legacy) {
    const first = legacy[2].slice(0, Number(legacy[1]));
    if (!first.startsWith('_$LT$')) return first;
    const known = first.match(/[a-z_][a-z0-9_]*(?=\.\.)/);
    return known ? known[0] : 'core';
  }
  const path = symbol.match(/^_R.*?Cs[0-9A-Za-z]*_(\d+)_?(.*)$/);
  if (path) return path[2].slice(0, Number(path[1]));
  const plain = symbol.match(/^<?&?(?:mut )?([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::/);
  return plain ? plain[1] : 'border and rest';
}

const crates = new Map();
let code = 0;
sizes.forEach((size, index) => {
  const symbol = names.get(index + imported) ?? '';
  if (process.env.SHOW && size > Number(process.env.SHOW)) console.log(size, symbol);
  const crate = symbol ? crateOf(symbol) : 'border and rest';
  crates.set(crate, (crates.get(crate) ?? 0) + size);
  code += size;
});
if (names.size === 0) {
  console.error(`${file} has no names: build it with strip = "debuginfo"`);
  process.exit(1);
}
const table = [...crates].sort((a, b) => b[1] - a[1]);
const shown = table.slice(0, Number(rows));
const others = table.slice(Number(rows)).reduce((sum, [, size]) => sum + size, 0);
const line = (name, size) => console.log(`${String(Math.round(size / 1024)).padStart(7)} KB  ${name}`);
for (const [crate, size] of shown) line(crate, size);
if (others > 0) line('other crates', others);
line('code in all', code);
line('data (tables, texts)', data);
