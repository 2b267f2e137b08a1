// Bytes of a stream as messages, for where streams cannot be transferred: between tabs, and in browsers that cannot
// transfer them at all. The sender stops when so many octets are on the way that the receiver has not consumed.

/** One message of a pipe. */
export interface PipeMessage {
  t: 'pipe';
  pipe: number;
  data?: Uint8Array;
  end?: true;
  /** The receiver consumed so many octets. */
  ack?: number;
  /** The receiver wants no more. */
  cancel?: true;
}

/** Octets on the way at most. */
const WINDOW = 256 * 1024;

type Post = (message: PipeMessage, transfer?: Transferable[]) => void;

/** The pipes that share one channel. */
export class Pipes {
  readonly #post: Post;
  readonly #senders = new Map<number, Sender>();
  readonly #receivers = new Map<number, Receiver>();

  constructor(post: Post) {
    this.#post = post;
  }

  receive(message: PipeMessage): void {
    const { pipe, data, end, ack, cancel } = message;
    if (ack !== undefined) this.#senders.get(pipe)?.acknowledged(ack);
    if (cancel) this.#senders.get(pipe)?.stop();
    if (data) this.#receivers.get(pipe)?.data(data);
    if (end) this.#receivers.get(pipe)?.end();
  }

  /** What is written here comes out at the other end. */
  sink(pipe: number): WritableStream<Uint8Array> {
    const sender = new Sender(pipe, this.#post);
    this.#senders.set(pipe, sender);
    const done = (): void => {
      this.#senders.delete(pipe);
      this.#post({ t: 'pipe', pipe, end: true });
    };
    return new WritableStream<Uint8Array>({ write: (chunk) => sender.send(chunk), close: done, abort: done });
  }

  /** What the other end writes. */
  source(pipe: number): ReadableStream<Uint8Array> {
    const receiver = new Receiver(pipe, this.#post, () => this.#receivers.delete(pipe));
    this.#receivers.set(pipe, receiver);
    return receiver.stream;
  }

  /** The channel is gone: every stream ends. */
  close(): void {
    for (const sender of this.#senders.values()) sender.stop();
    for (const receiver of this.#receivers.values()) receiver.end();
  }
}

class Sender {
  #room = WINDOW;
  #stopped = false;
  #wait: (() => void) | undefined;

  constructor(
    readonly pipe: number,
    readonly post: Post,
  ) {}

  async send(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += WINDOW) {
      const piece = chunk.slice(at, at + WINDOW);
      while (this.#room <= 0 && !this.#stopped) await new Promise<void>((resolve) => (this.#wait = resolve));
      if (this.#stopped) throw new Error('the other end closed the stream');
      this.#room -= piece.length;
      this.post({ t: 'pipe', pipe: this.pipe, data: piece }, [piece.buffer]);
    }
  }

  acknowledged(octets: number): void {
    this.#room += octets;
    this.#wait?.();
  }

  stop(): void {
    this.#stopped = true;
    this.#wait?.();
  }
}

class Receiver {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #queue: Uint8Array[] = [];
  readonly #gone: () => void;
  #ended = false;
  #wait: (() => void) | undefined;

  constructor(pipe: number, post: Post, gone: () => void) {
    this.#gone = gone;
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      while (this.#queue.length === 0 && !this.#ended) await new Promise<void>((resolve) => (this.#wait = resolve));
      const data = this.#queue.shift();
      if (!data) {
        controller.close();
        return;
      }
      controller.enqueue(data);
      post({ t: 'pipe', pipe, ack: data.length });
    };
    const cancel = (): void => {
      gone();
      post({ t: 'pipe', pipe, cancel: true });
    };
    this.stream = new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 });
  }

  data(data: Uint8Array): void {
    this.#queue.push(data);
    this.#wait?.();
  }

  end(): void {
    this.#ended = true;
    this.#gone();
    this.#wait?.();
  }
}
