/**
 * Events that wait for whoever iterates. Each iterator sees what came after it was made; what nobody takes is bounded.
 */
export class Broadcast<T> {
  readonly #iterators = new Set<EventIterator<T>>();
  #ended = false;

  push(event: T): void {
    for (const iterator of this.#iterators) iterator.push(event);
  }

  /** Every iterator ends behind what it holds. */
  end(): void {
    this.#ended = true;
    for (const iterator of this.#iterators) iterator.end();
    this.#iterators.clear();
  }

  /** An iterator from now on; it ends when `signal` is aborted. */
  iterate(signal?: AbortSignal): AsyncIterableIterator<T> {
    const iterator: EventIterator<T> = new EventIterator<T>(() => this.#iterators.delete(iterator));
    if (this.#ended || signal?.aborted) {
      iterator.end();
      return iterator;
    }
    this.#iterators.add(iterator);
    signal?.addEventListener('abort', () => void iterator.return(), { once: true });
    return iterator;
  }
}

/** Events that an iterator holds at most; the oldest go first. Events are hints: the change feed is the truth. */
const MOST_WAITING = 10_000;

class EventIterator<T> implements AsyncIterableIterator<T> {
  readonly #waiting: T[] = [];
  readonly #takers: ((result: IteratorResult<T>) => void)[] = [];
  #ended = false;

  constructor(readonly left: () => void) {}

  push(event: T): void {
    const taker = this.#takers.shift();
    if (taker) {
      taker({ value: event, done: false });
      return;
    }
    if (this.#waiting.length >= MOST_WAITING) this.#waiting.shift();
    this.#waiting.push(event);
  }

  end(): void {
    this.#ended = true;
    for (const taker of this.#takers.splice(0)) taker({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<T>> {
    const event = this.#waiting.shift();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  return(): Promise<IteratorResult<T>> {
    this.left();
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return this;
  }
}
