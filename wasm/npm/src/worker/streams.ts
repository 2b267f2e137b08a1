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
 * Puts TLS over a transport inside the worker: a handshake with the mail server named `host`, then streams of what is
 * inside. It rejects where the handshake fails or the certificate is not the server's.
 */
export type TlsLayer = (transport: ByteStreams, options: { host: string }) => Promise<ByteStreams>;

/** Octets that a WebSocket may hold unsent before writing waits. */
const UNSENT = 1 << 20;

/** What browsers call a WebSocket made of streams, where they have it: it holds the sender back while nobody reads. */
interface SocketStream {
  opened: Promise<{
    readable: ReadableStream<string | ArrayBuffer | Uint8Array>;
    writable: WritableStream<Uint8Array>;
  }>;
}

/** Opens a WebSocket whose binary messages are the bytes of a TCP connection, as a relay carries them. */
export async function openWebSocket(
  url: string,
  protocols: string[],
  secure: boolean,
  signal: AbortSignal,
): Promise<ByteStreams> {
  const { WebSocketStream: Stream } = globalThis as {
    WebSocketStream?: new (url: string, options: object) => SocketStream;
  };
  const opening = Stream
    ? openStream(new Stream(url, { protocols, signal }))
    : openSocket(new WebSocket(url, protocols), signal);
  try {
    return { ...(await opening), secure };
  } catch {
    if (signal.aborted) throw browserError(Code.Cancelled, 'cancelled');
    throw browserError(Code.Transport, `the WebSocket to ${url} cannot be opened`);
  }
}

type Pair = Pick<ByteStreams, 'readable' | 'writable'>;

async function openStream(socket: SocketStream): Promise<Pair> {
  const { readable, writable } = await socket.opened;
  const bytes = new TransformStream<string | ArrayBuffer | Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      // A relay sends no text.
      if (typeof chunk !== 'string') controller.enqueue(chunk instanceof ArrayBuffer ? new Uint8Array(chunk) : chunk);
    },
  });
  return { readable: readable.pipeThrough(bytes), writable };
}

/** The older kind takes whatever comes: what nobody reads yet piles up. */
async function openSocket(socket: WebSocket, signal: AbortSignal): Promise<Pair> {
  socket.binaryType = 'arraybuffer';
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onclose = reject;
    signal.addEventListener('abort', () => socket.close(), { once: true });
  });
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      let over = false;
      socket.onmessage = (message: MessageEvent<unknown>) => {
        if (!over && message.data instanceof ArrayBuffer) controller.enqueue(new Uint8Array(message.data));
      };
      socket.onclose = () => {
        if (!over) controller.close();
        over = true;
      };
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
  return { readable, writable: writable as WritableStream<Uint8Array> };
}
