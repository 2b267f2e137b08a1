// Loading the engine: compiled while it streams in, checked to be of this build, then started.
import init, { BUILD_ID, RawConnection, RawEngine, version } from './glue/mailkeep.js';
import { Code, MailkeepError, browserError } from './errors.js';

export { BUILD_ID, RawConnection, RawEngine, version };

/** The custom section that holds the build's id. */
const SECTION = 'mailkeep.build';

/** Where the package keeps its `.wasm`. Bundlers know this form and take the file along. */
export function wasmUrl(): URL {
  return new URL('./glue/mailkeep_bg.wasm', import.meta.url);
}

/** Milliseconds that loading took. */
export interface LoadTimes {
  compileMs: number;
  startMs: number;
}

let loaded: Promise<LoadTimes> | undefined;

/**
 * Loads the engine once. `source` is where the `.wasm` is, or the compiled module itself.
 *
 * Fails with code 402 where the `.wasm` is of another build than this glue, and with 403 where it cannot be had.
 */
export function load(source?: string | URL | WebAssembly.Module): Promise<LoadTimes> {
  loaded ??= start(source ?? wasmUrl()).catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function start(source: string | URL | WebAssembly.Module): Promise<LoadTimes> {
  const begin = performance.now();
  const module = source instanceof WebAssembly.Module ? source : await compile(source);
  const compiled = performance.now();
  const id = buildId(module);
  if (id !== BUILD_ID) {
    throw browserError(
      Code.WrongBuild,
      `the .wasm is of build ${id ?? 'unknown'}, its glue of ${BUILD_ID}: serve both from one release`,
    );
  }
  await init({ module_or_path: module });
  return { compileMs: compiled - begin, startMs: performance.now() - compiled };
}

async function compile(url: string | URL): Promise<WebAssembly.Module> {
  try {
    const response = await fetch(url, { credentials: 'same-origin' });
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    const type = response.headers.get('content-type') ?? '';
    if (type.startsWith('application/wasm')) return await WebAssembly.compileStreaming(response);
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch (error) {
    if (error instanceof MailkeepError) throw error;
    throw browserError(Code.NotLoaded, `the engine could not be loaded from ${String(url)}: ${String(error)}`);
  }
}

function buildId(module: WebAssembly.Module): string | undefined {
  const section = WebAssembly.Module.customSections(module, SECTION)[0];
  return section && new TextDecoder().decode(section);
}
