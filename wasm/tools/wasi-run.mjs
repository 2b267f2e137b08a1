// Runs a test program built for wasm32-wasip1: what cargo is told to run such programs with. It may read what this process may.
//
// The program runs in a process of its own, which tells the outcome before it ends: Node 20 may crash while it lets go of a
// program's memory, and that is no outcome of the program's.
import { spawn } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';

const TELL = 3;
const [program, ...args] = process.argv.slice(2);

async function run() {
  const env = { ...process.env };
  delete env.WASI_RUN_CHILD;
  const wasi = new WASI({ version: 'preview1', args: [program, ...args], env, preopens: { '/': '/' }, returnOnExit: true });
  const { instance } = await WebAssembly.instantiate(readFileSync(program), wasi.getImportObject());
  writeSync(TELL, `${wasi.start(instance)}\n`);
}

function watch() {
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), program, ...args], {
    env: { ...process.env, WASI_RUN_CHILD: '1' },
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
  let told = '';
  child.stdio[TELL].setEncoding('utf8').on('data', (text) => { told += text; });
  child.on('close', (code, signal) => {
    if (told === '') console.error(`the program ended without an outcome: ${signal ?? code}`);
    process.exitCode = told === '' ? 1 : Number(told);
  });
}

if (process.env.WASI_RUN_CHILD) await run();
else watch();
