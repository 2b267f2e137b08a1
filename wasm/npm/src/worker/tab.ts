// One tab among several. Whoever holds the Web Lock of the store's name leads: its worker has the store and the
// connections. The others hand their calls to it over a channel of their own, and the next of them leads when it
// goes.
import type { ConnectRecord, ToClient, ToWorker } from '../calls.js';
import { MailkeepError, toRecord } from '../errors.js';
import { Pipes } from '../pipe.js';
import { Host } from './host.js';
import type { TlsLayer } from './streams.js';

/** On the channel that all workers of a store share. */
type Announcement = { t: 'leader'; epoch: string } | { t: 'hello'; client: string };

/** On a client's own channel: to the leader, and from it. */
type Relayed = { to: 'leader'; message: ToWorker } | { to: 'client'; epoch: string; message: ToClient };

type Post = (message: ToClient, transfer?: Transferable[]) => void;

export class Tab {
  readonly #open: ToWorker & { t: 'open' };
  readonly #tls: TlsLayer | undefined;
  readonly #post: Post;
  readonly #all: BroadcastChannel;
  readonly #own: BroadcastChannel;
  /** Streams that this worker carries to another tab's. */
  readonly #pipes: Pipes;
  readonly #others = new Map<string, BroadcastChannel>();
  #host: Host | undefined;
  #epoch = '';
  #release: (() => void) | undefined;
  #nextPipe = 1_000_000;
  /** This client's lock is held, and so the leader can tell when it goes. */
  #isHeld = false;
  #asleep = false;
  #closed = false;

  constructor(open: ToWorker & { t: 'open' }, tls: TlsLayer | undefined, post: Post) {
    this.#open = open;
    this.#tls = tls;
    this.#post = post;
    this.#all = new BroadcastChannel(`mailkeep:${open.name}`);
    this.#own = new BroadcastChannel(this.#channel(open.client));
    this.#pipes = new Pipes((message) => this.#relay(message));
    this.#all.onmessage = ({ data }: MessageEvent<Announcement>) => this.#heard(data);
    this.#own.onmessage = ({ data }: MessageEvent<Relayed>) => this.#answered(data);
    // Held as long as this worker lives: whoever gets it knows that this client is gone. Nobody may hear of it before
    // it is held.
    void navigator.locks.request(this.#clientLock(open.client), () => {
      this.#isHeld = true;
      this.#hello();
      return new Promise(() => undefined);
    });
    this.#stand();
  }

  #channel(client: string): string {
    return `mailkeep:${this.#open.name}:${client}`;
  }

  #clientLock(client: string): string {
    return `mailkeep:${this.#open.name}:client:${client}`;
  }

  #hello(): void {
    if (this.#isHeld) this.#all.postMessage({ t: 'hello', client: this.#open.client } satisfies Announcement);
  }

  /** Waits for its turn to lead. */
  #stand(): void {
    void navigator.locks.request(`mailkeep:${this.#open.name}`, async () => {
      if (this.#asleep || this.#closed) return;
      await this.#lead();
    });
  }

  /** Leads until it sleeps, closes, or cannot. */
  async #lead(): Promise<void> {
    const { client, name, backend, wasm } = this.#open;
    const gone = new Promise<void>((resolve) => (this.#release = resolve));
    try {
      const broken = (error: MailkeepError): void => this.#fail(error);
      const host = await Host.open({ name, backend, wasm, tls: this.#tls, broken });
      if (this.#asleep || this.#closed) {
        host.close();
        return;
      }
      this.#host = host;
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#epoch = crypto.randomUUID();
    this.#host.attach(client, { post: this.#post });
    const { storage, times } = this.#host;
    this.#post({ t: 'leader', epoch: this.#epoch, self: true, storage, times });
    this.#all.postMessage({ t: 'leader', epoch: this.#epoch } satisfies Announcement);
    await gone;
  }

  /** The store cannot be opened, or the engine is broken: the client hears it, and the lock goes with the worker. */
  #fail(error: unknown): void {
    this.#host = undefined;
    this.#post({ t: 'failed', error: toRecord(error) });
    this.#release?.();
  }

  /** From this tab's client. */
  receive(message: Exclude<ToWorker, { t: 'open' | 'file' | 'close' }>): void {
    if (message.t === 'sleep') this.#sleep();
    else if (message.t === 'wake') this.#wake();
    else if (this.#host) this.#serve(this.#open.client, message);
    else this.#relay(this.#carried(message));
  }

  #serve(client: string, message: ToWorker): void {
    if (message.t === 'call') void this.#host?.call(client, message.id, message.method, message.args);
    else if (message.t === 'abort') this.#host?.abort(client, message.id);
    else if (message.t === 'pipe') this.#host?.pipe(client, message);
  }

  /** Streams do not cross to another tab: they are carried by pipes. */
  #carried(message: ToWorker): ToWorker {
    if (message.t !== 'call' || message.method !== 'connect') return message;
    const [account, options] = message.args as [number, ConnectRecord];
    const { transport } = options;
    if (transport.kind !== 'streams') return message;
    const { readable, writable, secure, binding } = transport;
    const [up, down] = [this.#nextPipe++, this.#nextPipe++];
    readable.pipeTo(this.#pipes.sink(up)).catch(() => undefined);
    this.#pipes
      .source(down)
      .pipeTo(writable)
      .catch(() => undefined);
    const pipes = { kind: 'pipes' as const, up, down, secure, ...(binding && { binding }) };
    return { ...message, args: [account, { ...options, transport: pipes }] };
  }

  #relay(message: ToWorker): void {
    this.#own.postMessage({ to: 'leader', message } satisfies Relayed);
  }

  /** From the leader in another tab. */
  #answered(data: Relayed): void {
    if (data.to !== 'client' || this.#host) return;
    const { message } = data;
    if (message.t === 'leader') this.#epoch = message.epoch;
    // What an earlier leader still had on the way means nothing any more.
    if (data.epoch !== this.#epoch) return;
    if (message.t === 'pipe' && message.pipe >= 1_000_000) this.#pipes.receive(message);
    else this.#post(message);
  }

  #heard(data: Announcement): void {
    if (data.t === 'hello' && this.#host) this.#adopt(data.client);
    else if (data.t === 'leader' && !this.#host) {
      this.#pipes.close();
      this.#hello();
    }
  }

  /** Serves another tab's client from now on, until its worker is gone. */
  #adopt(client: string): void {
    const host = this.#host;
    if (!host || this.#others.has(client)) return;
    const channel = new BroadcastChannel(this.#channel(client));
    const epoch = this.#epoch;
    this.#others.set(client, channel);
    const post: Post = (message) => {
      // An answer may come when its client is gone.
      if (this.#others.get(client) === channel) channel.postMessage({ to: 'client', epoch, message } satisfies Relayed);
    };
    host.attach(client, { post });
    channel.onmessage = ({ data }: MessageEvent<Relayed>) => {
      if (data.to === 'leader' && this.#host === host) this.#serve(client, data.message);
    };
    post({ t: 'leader', epoch, self: false, storage: host.storage, times: null });
    void navigator.locks.request(this.#clientLock(client), () => {
      host.detach(client);
      this.#others.delete(client);
      channel.close();
    });
  }

  /** The tab is put to sleep by the browser: another may lead meanwhile. */
  #sleep(): void {
    this.#asleep = true;
    this.#stepDown();
  }

  #wake(): void {
    if (!this.#asleep) return;
    this.#asleep = false;
    this.#hello();
    this.#stand();
  }

  #stepDown(): void {
    this.#host?.close();
    this.#host = undefined;
    for (const channel of this.#others.values()) channel.close();
    this.#others.clear();
    this.#release?.();
  }

  close(): void {
    this.#closed = true;
    this.#stepDown();
    this.#pipes.close();
    this.#all.close();
    this.#own.close();
  }
}
