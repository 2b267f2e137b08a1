// Database files in the origin's private file system, and the handle that the engine reads and writes through.
import { Code, browserError } from '../errors.js';

/** What TypeScript's library of the page does not know, since only dedicated workers have it. */
interface SyncAccessHandle {
  getSize(): number;
  read(out: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  write(data: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  truncate(length: number): void;
  flush(): void;
  close(): void;
}

interface SyncFileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<SyncAccessHandle>;
}

const FOLDER = 'mailkeep';
/** A handle that a closing tab or a reload has not given back yet comes free within moments. */
const HANDLE_WAIT_MS = 10_000;

async function folder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(FOLDER, { create: true });
}

function fileName(name: string): string {
  return `${encodeURIComponent(name)}.redb`;
}

/** Whether this browser can keep a store in files, and why not. */
export async function whyNoFiles(): Promise<string | null> {
  if (typeof navigator.storage?.getDirectory !== 'function') return 'the browser has no private file system here';
  try {
    await folder();
  } catch (error) {
    return `the browser refuses its private file system: ${String(error)}`;
  }
  if (typeof FileSystemFileHandle !== 'function' || !('createSyncAccessHandle' in FileSystemFileHandle.prototype)) {
    return 'the browser has no synchronous file access here';
  }
  return null;
}

/** One file under one handle, as the engine wants it. The handle can be exchanged when the browser took it back. */
export class OpenFile {
  #handle: SyncAccessHandle | undefined;
  readonly #file: SyncFileHandle;

  private constructor(file: SyncFileHandle) {
    this.#file = file;
  }

  static async open(name: string): Promise<OpenFile> {
    const file = new OpenFile(
      (await (await folder()).getFileHandle(fileName(name), { create: true })) as SyncFileHandle,
    );
    await file.take();
    return file;
  }

  /** Gets a handle, or another one. */
  async take(): Promise<void> {
    this.close();
    const deadline = performance.now() + HANDLE_WAIT_MS;
    for (let pause = 5; ; pause = Math.min(pause * 2, 250)) {
      try {
        this.#handle = await this.#file.createSyncAccessHandle();
        return;
      } catch (error) {
        const busy = error instanceof DOMException && error.name === 'NoModificationAllowedError';
        if (!busy) throw error;
        if (performance.now() > deadline)
          throw browserError(Code.Locked, 'the database is open already, in another tab or worker');
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** Gives the handle back. */
  close(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      handle?.close();
    } catch {
      // A handle that the browser took back is closed already.
    }
  }

  /** The file's bytes as they are. */
  async bytes(): Promise<File> {
    return this.#file.getFile();
  }

  size(): number {
    return this.handle.getSize();
  }

  read(at: number, out: Uint8Array<ArrayBuffer>): number {
    return this.handle.read(out, { at });
  }

  write(at: number, data: Uint8Array<ArrayBuffer>): number {
    return this.handle.write(data, { at });
  }

  truncate(length: number): void {
    this.handle.truncate(length);
  }

  flush(): void {
    this.handle.flush();
  }

  private get handle(): SyncAccessHandle {
    if (!this.#handle) throw new DOMException('the handle was given back', 'InvalidStateError');
    return this.#handle;
  }
}

/** The bytes of a store that is not open, whatever state they are in. */
export async function exportFile(name: string): Promise<Blob> {
  try {
    return await (await (await folder()).getFileHandle(fileName(name))).getFile();
  } catch (error) {
    throw notThere(error, name);
  }
}

/** Deletes a store that is not open. */
export async function removeFile(name: string): Promise<void> {
  try {
    await (await folder()).removeEntry(fileName(name));
  } catch (error) {
    throw notThere(error, name);
  }
}

/** Puts bytes in the place of a store that is not open. */
export async function restoreFile(name: string, data: Blob): Promise<void> {
  const file = await OpenFile.open(name);
  try {
    file.truncate(0);
    const reader = data.stream().getReader();
    let at = 0;
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      let rest = piece.value;
      while (rest.length > 0) {
        const taken = file.write(at, rest);
        if (taken === 0) throw new DOMException('nothing more fits', 'QuotaExceededError');
        at += taken;
        rest = rest.subarray(taken);
      }
    }
    file.flush();
  } finally {
    file.close();
  }
}

function notThere(error: unknown, name: string): unknown {
  const missing = error instanceof DOMException && error.name === 'NotFoundError';
  return missing ? browserError(Code.Gone, `there is no store named ${name}`) : error;
}
