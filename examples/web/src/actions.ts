// What a person does to messages. Each is durable when it returns, and told to the server when there is a connection.
import type { MessageRow } from 'mailkeep';
import { askMailbox } from './dialogs/move.js';
import type { Reader } from './reader.js';
import { has, mailboxName } from './words.js';

const ids = (rows: readonly MessageRow[]): number[] => rows.map((row) => row.id);
const many = (count: number): string => (count === 1 ? 'the message' : `${count} messages`);

export class Actions {
  readonly #reader: Reader;
  /** Messages left the list. */
  readonly #removed: (messages: number[]) => void;

  constructor(reader: Reader, removed: (messages: number[]) => void) {
    this.#reader = reader;
    this.#removed = removed;
  }

  /** Stars them, or takes the star off where all have one. */
  star(rows: readonly MessageRow[]): Promise<void> {
    const off = rows.every((row) => has(row, '\\Flagged'));
    return this.#flag(rows, '\\Flagged', !off, off ? 'Star taken off' : 'Starred');
  }

  markRead(rows: readonly MessageRow[], read: boolean): Promise<void> {
    return this.#flag(rows, '\\Seen', read, read ? 'Marked read' : 'Marked unread');
  }

  async #flag(rows: readonly MessageRow[], flag: string, on: boolean, words: string): Promise<void> {
    if (rows.length === 0) return;
    const change = on ? { add: [flag] } : { remove: [flag] };
    const done = await this.#reader.attempt(() => this.#reader.mail.setFlags(ids(rows), change));
    if (done !== undefined) this.#reader.said.tell(words);
  }

  async archive(rows: readonly MessageRow[]): Promise<void> {
    await this.#remove(rows, () => this.#reader.mail.archive(ids(rows)), `Archived ${many(rows.length)}`);
  }

  async delete(rows: readonly MessageRow[]): Promise<void> {
    await this.#remove(rows, () => this.#reader.mail.delete(ids(rows)), `Deleted ${many(rows.length)}`);
  }

  /** Asks where to. */
  async move(rows: readonly MessageRow[]): Promise<void> {
    const [first] = rows;
    const from = first && this.#reader.mailbox(first.mailbox);
    if (!from) return;
    const choices = this.#reader.mailboxes.filter(
      ({ id, account, selectable }) => account === from.account && selectable && id !== from.id,
    );
    if (choices.length === 0) {
      this.#reader.said.tell('There is no other mailbox to move to');
      return;
    }
    const to = await askMailbox(choices, rows.length);
    const target = to === null ? undefined : this.#reader.mailbox(to);
    if (!target) return;
    const words = `Moved ${many(rows.length)} to ${mailboxName(target)}`;
    await this.#remove(rows, () => this.#reader.mail.move(ids(rows), target.id), words);
  }

  async #remove(rows: readonly MessageRow[], action: () => Promise<number>, words: string): Promise<void> {
    if (rows.length === 0) return;
    const done = await this.#reader.attempt(action);
    if (done === undefined) return;
    this.#removed(ids(rows));
    this.#reader.said.tell(words);
  }
}
