// What an app gives a connection to talk through.
import type { ChannelBinding, TransportRecord } from './calls.js';

/** A pair of byte streams, whoever made them. They are moved to the worker; the app lets go of them. */
export interface StreamTransport {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
  /** The bytes are encrypted up to the mail server already, or what they cross is trusted as if. */
  secure: boolean;
  channelBinding?: ChannelBinding;
}

/**
 * A WebSocket to a relay, whose binary messages are the bytes of one TCP connection to the mail server. The worker
 * opens it.
 *
 * A relay sees what crosses it, and so `secure` is false unless the app says otherwise: an account that asks for TLS
 * refuses to sign in over it, but for a worker with a TLS layer.
 */
export interface WebSocketTransport {
  webSocket: string | URL;
  protocols?: readonly string[];
  secure?: boolean;
}

export type Transport = StreamTransport | WebSocketTransport;

/** A transport as it crosses, and what moves with it. */
export function transportRecord(transport: Transport): { record: TransportRecord; moved: Transferable[] } {
  if ('webSocket' in transport) {
    const { webSocket, protocols, secure } = transport;
    const url = new URL(webSocket, globalThis.location?.href).href;
    return {
      record: { kind: 'web-socket', url, protocols: [...(protocols ?? [])], secure: secure ?? false },
      moved: [],
    };
  }
  const { readable, writable, secure, channelBinding: binding } = transport;
  const record = { kind: 'streams' as const, readable, writable, secure, ...(binding && { binding }) };
  return { record, moved: [readable, writable] as unknown as Transferable[] };
}

let transferable: boolean | undefined;

/** Whether this browser moves streams to workers. */
export function streamsCanMove(): boolean {
  if (transferable === undefined) {
    try {
      const stream = new ReadableStream();
      structuredClone(stream, { transfer: [stream as unknown as Transferable] });
      transferable = true;
    } catch {
      transferable = false;
    }
  }
  return transferable;
}
