/** An error as it crosses from the worker. */
export interface ErrorRecord {
  code: number;
  fault: Fault;
  message: string;
  storage?: 'full' | 'lost' | 'failed';
  afterMs?: number;
}

/**
 * Who is at fault: the server, the program that calls, the storage, or the browser (the worker, the tabs, the package
 * itself).
 */
export type Fault = 'server' | 'caller' | 'store' | 'browser';

/**
 * Everything that can go wrong. `code` is stable: 1xx the store, 2xx the caller, 3xx the server, as in every binding
 * of the engine; 4xx is the browser's, see {@link Code}.
 */
export class MailkeepError extends Error {
  override readonly name = 'MailkeepError';
  readonly code: number;
  readonly fault: Fault;
  /** What is wrong with the storage (code 100): it is full, the browser took the file back, or something else. */
  readonly storage: 'full' | 'lost' | 'failed' | undefined;
  /** Milliseconds to wait before connecting again (code 306). */
  readonly afterMs: number | undefined;

  constructor(record: ErrorRecord) {
    super(record.message);
    this.code = record.code;
    this.fault = record.fault;
    this.storage = record.storage;
    this.afterMs = record.afterMs;
  }

  /** The error as a record that can be cloned. */
  toRecord(): ErrorRecord {
    const { code, fault, message, storage, afterMs } = this;
    return {
      code,
      fault,
      message,
      ...(storage === undefined ? {} : { storage }),
      ...(afterMs === undefined ? {} : { afterMs }),
    };
  }
}

/** Codes that an app may want to know by name. */
export const Code = {
  Storage: 100,
  StorageFailed: 101,
  NotADatabase: 102,
  Corrupt: 103,
  NewerSchema: 104,
  Locked: 105,
  Suspended: 106,
  Closed: 107,
  Gone: 200,
  Misuse: 201,
  Invalid: 202,
  Cancelled: 203,
  NotPermitted: 204,
  Protocol: 300,
  LoginRefused: 301,
  LoginImpossible: 302,
  Refused: 303,
  Disconnected: 304,
  TimedOut: 305,
  TryLater: 306,
  /**
   * The worker ended under the call (a trap in the engine): what was acknowledged is there, this call may or may not
   * have been done.
   */
  WorkerLost: 400,
  /** The tab that held the store went while the call was under way: it may or may not have been done. */
  TabLost: 401,
  /** The glue and the `.wasm` are of different builds. */
  WrongBuild: 402,
  /** The `.wasm` could not be loaded. */
  NotLoaded: 403,
  /** The transport cannot do what was asked of it. */
  Transport: 404,
} as const;

export function browserError(code: number, message: string): MailkeepError {
  return new MailkeepError({ code, fault: 'browser', message });
}

/** Whatever was thrown, as a record. */
export function toRecord(thrown: unknown): ErrorRecord {
  if (thrown instanceof MailkeepError) return thrown.toRecord();
  if (typeof thrown === 'string' && thrown.startsWith('{"code":')) return JSON.parse(thrown) as ErrorRecord;
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return { code: Code.WorkerLost, fault: 'browser', message };
}
