// Where a connection's bytes come from and go to. Whoever made them: an app, a WebSocket, a TLS layer over either.
import type { ChannelBinding } from '../calls.js';
import { Code, browserError } from '../errors.js';

/** Bytes both ways. */
export interface ByteStreams {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
  /** What these bytes cross is encrypted up to the mail server, or trusted as if. */
  secure: boolean;
  binding?: ChannelBinding;
}

/**
 * Puts TLS over a transport inside the worker: a handshake with the mail server named `host`, then streams of what is inside.
 * It rejects where the handshake fails or the certificate is not the server's.
 */
export type TlsLayer = (transport: ByteStreams, options: { host: string }) => Promise<ByteStreams>;

/** Octets that a WebSocket may hold unsent before writing waits. */
const UNSENT = 1 << 20;

/** Opens a WebSocket whose binary messages are the bytes of a TCP connection, as a relay carries them. */
export async function openWebSocket(url: string, protocols: string[], secure: boolean, signal: AbortSignal): Promise<ByteStreams> {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = 'arraybuffer';
  await new Promise<void>((resolve, reject) => {
    const failed = (): void => reject(browserError(Code.Transport, `the WebSocket to ${url} cannot be opened`));
    const aborted = (): void => {
      socket.close();
      reject(browserError(Code.Cancelled, 'cancelled'));
    };
    socket.onopen = () => resolve();
    socket.onerror = failed;
    socket.onclose = failed;
    signal.addEventListener('abort', aborted, { once: true });
  });
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      let over = false;
      const end = (): void => {
        if (!over) controller.close();
        over = true;
      };
      socket.onmessage = (message: MessageEvent<unknown>) => {
        if (!over && message.data instanceof ArrayBuffer) controller.enqueue(new Uint8Array(message.data));
      };
      socket.onerror = null;
      socket.onclose = end;
    },
    cancel: () => socket.close(),
  });
  const writable = new WritableStream<Uint8Array<ArrayBuffer>>({
    async write(chunk) {
      if (socket.readyState !== WebSocket.OPEN) throw browserError(Code.Disconnected, 'the WebSocket was closed');
      socket.send(chunk);
      // A WebSocket tells no moment when it is empty; looking now and then bounds what piles up.
      while (socket.bufferedAmount > UNSENT && socket.readyState === WebSocket.OPEN) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    close: () => socket.close(),
    abort: () => socket.close(),
  });
  return { readable, writable: writable as WritableStream<Uint8Array>, secure };
}
