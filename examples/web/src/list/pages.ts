// The rows of one mailbox by their position, read page by page as they are looked at. Few are kept at a time.
import type { Mailkeep, MessageRow } from 'mailkeep';

const PAGE = 100;
const KEPT = 24;
/** Reads under way at once. What is wanted last goes first: that is where the person looks. */
const READS = 2;

interface Kept {
  rows: MessageRow[];
  /** Of an earlier state of the list: shown until it is read again. */
  stale: boolean;
}

export class Pages {
  readonly #mail: Mailkeep;
  readonly #mailbox: number;
  readonly #arrived: () => void;
  readonly #failed: (error: unknown) => void;
  /** In the order in which they were last looked at. */
  readonly #pages = new Map<number, Kept>();
  readonly #reading = new Set<number>();
  #wanted: number[] = [];
  #generation = 0;
  #closed = false;

  constructor(mail: Mailkeep, mailbox: number, arrived: () => void, failed: (error: unknown) => void) {
    this.#mail = mail;
    this.#mailbox = mailbox;
    this.#arrived = arrived;
    this.#failed = failed;
  }

  /** The row at a position, where it is here. */
  at(position: number): MessageRow | undefined {
    return this.#pages.get(Math.floor(position / PAGE))?.rows[position % PAGE];
  }

  /** Whether what is known of a position is the list as it is now. */
  isFresh(position: number): boolean {
    return this.#pages.get(Math.floor(position / PAGE))?.stale === false;
  }

  /** The position of a message among the rows that are here and not stale, or -1. */
  find(message: number): number {
    for (const [page, { rows, stale }] of this.#pages) {
      const index = stale ? -1 : rows.findIndex((row) => row.id === message);
      if (index >= 0) return page * PAGE + index;
    }
    return -1;
  }

  /** These positions are looked at: what of them is not here, or stale, is read. */
  want(first: number, last: number): void {
    const wanted = [];
    for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page++) {
      const kept = this.#pages.get(page);
      if (kept) {
        this.#pages.delete(page);
        this.#pages.set(page, kept);
      }
      if (!kept || kept.stale) wanted.push(page);
    }
    this.#wanted = wanted;
    this.#read();
  }

  /** The list is not what it was. */
  invalidate(): void {
    this.#generation += 1;
    for (const kept of this.#pages.values()) kept.stale = true;
  }

  /** Nothing more is told. */
  close(): void {
    this.#closed = true;
  }

  #read(): void {
    while (this.#reading.size < READS) {
      const page = this.#wanted.find((wanted) => !this.#reading.has(wanted));
      if (page === undefined || this.#closed) return;
      this.#reading.add(page);
      void this.#readPage(page);
    }
  }

  async #readPage(page: number): Promise<void> {
    const generation = this.#generation;
    try {
      const { rows } = await this.#mail.messagesAt(this.#mailbox, page * PAGE, { limit: PAGE });
      if (this.#closed) return;
      this.#pages.delete(page);
      const stale = generation !== this.#generation;
      this.#pages.set(page, { rows, stale });
      if (!stale) this.#wanted = this.#wanted.filter((wanted) => wanted !== page);
      for (const oldest of [...this.#pages.keys()].slice(0, -KEPT)) this.#pages.delete(oldest);
      this.#arrived();
    } catch (error) {
      this.#wanted = this.#wanted.filter((wanted) => wanted !== page);
      if (!this.#closed) this.#failed(error);
    } finally {
      this.#reading.delete(page);
      this.#read();
    }
  }
}
