// What the screen stands on: the open store, what of it is shown now, and the change feed that says what to show anew.
import { type Account, type Mailbox, type Operation, Mailkeep, MailkeepError } from 'mailkeep';
import { Link } from './link.js';
import { Presence } from './presence.js';
import { Signal } from './signal.js';
import { inWords } from './words.js';

export const STORE = 'reader';

/** The change feed is asked at most so often, in milliseconds: while much comes in, the screen need not follow each commit. */
const FOLLOW_MS = 250;

/** Asks a person for a password; `null` where none is given. `refused` says that the last one was wrong. */
export type AskPassword = (account: Account, refused: boolean) => Promise<string | null>;

export class Reader {
  accounts: Account[] = [];
  /** Of all accounts. */
  mailboxes: Mailbox[] = [];
  operations: Operation[] = [];

  /** Accounts, mailboxes or their counts are not what they were. */
  readonly placesChanged = new Signal();
  /** What is in these mailboxes is not what it was; `null` for all of them. */
  readonly listsChanged = new Signal<ReadonlySet<number> | null>();
  /** What waits for a server is not what it was. */
  readonly operationsChanged = new Signal();
  /** A connection's state is not what it was. */
  readonly linksChanged = new Signal();
  /** Something to be said to the person in passing. */
  readonly said = new Signal<string>();
  /** What went wrong, an error or words: to be shown until the person has seen it. */
  readonly failed = new Signal<unknown>();

  readonly #links = new Map<number, Link>();
  readonly #presence = new Presence(() => this.linksChanged.tell());
  readonly #ask: AskPassword;
  #from = 0;
  #reading = false;
  #again = false;

  private constructor(
    readonly mail: Mailkeep,
    ask: AskPassword,
  ) {
    this.#ask = ask;
  }

  static async open(ask: AskPassword): Promise<Reader> {
    const reader = new Reader(await Mailkeep.open({ name: STORE }), ask);
    const events = reader.mail.events();
    reader.#from = (await reader.mail.stats()).commit;
    await reader.#readPlaces();
    await reader.#readOperations();
    void reader.#follow(events);
    await reader.#presence.ask();
    return reader;
  }

  account(id: number): Account | undefined {
    return this.accounts.find((account) => account.id === id);
  }

  mailbox(id: number): Mailbox | undefined {
    return this.mailboxes.find((mailbox) => mailbox.id === id);
  }

  /** The connection of an account, open or not. */
  link(account: Account): Link {
    let link = this.#links.get(account.id);
    if (!link) {
      link = new Link(this.mail, account.id, {
        account: () => this.account(account.id),
        inbox: () => this.mailboxes.find((box) => box.account === account.id && box.role === 'inbox')?.id,
        ask: this.#ask,
        say: (text) => this.said.tell(text),
        changed: () => this.#linkChanged(),
      });
      this.#links.set(account.id, link);
    }
    return link;
  }

  /** No account is connected by this tab, but another tab is. */
  get isConnectedElsewhere(): boolean {
    return this.#presence.elsewhere;
  }

  #linkChanged(): void {
    this.#presence.here = [...this.#links.values()].some(
      ({ state }) => state.kind === 'online' || state.kind === 'syncing',
    );
    void this.#presence.ask();
    this.linksChanged.tell();
  }

  /** Reads accounts and mailboxes at once, for what the person did that makes new ones. */
  reload(): Promise<void> {
    return this.#readPlaces();
  }

  /** Does what a person asked for. What goes wrong is shown, and the answer is then `undefined`. */
  async attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      this.failed.tell(error);
      return undefined;
    }
  }

  async removeAccount(account: Account): Promise<void> {
    await this.#links.get(account.id)?.close();
    this.#links.delete(account.id);
    await this.mail.removeAccount(account.id);
  }

  async #follow(events: ReturnType<Mailkeep['events']>): Promise<void> {
    for await (const event of events) {
      if (event.type === 'changed') this.#read();
      else if (event.type === 'storage-failed') this.failed.tell(event.error);
    }
  }

  /** Reads what changed, now and then no sooner than a while later. */
  #read(): void {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    this.#again = false;
    const read = this.#readChanges().catch((error: unknown) => {
      // Whatever made this fail is told where it happened; the next change reads again.
      if (!(error instanceof MailkeepError)) this.said.tell(inWords(error));
    });
    void Promise.all([read, new Promise((resolve) => setTimeout(resolve, FOLLOW_MS))]).then(() => {
      this.#reading = false;
      if (this.#again) this.#read();
    });
  }

  async #readChanges(): Promise<void> {
    const { tooOld, changes, next } = await this.mail.changesSince(this.#from);
    this.#from = next;
    if (!tooOld && changes.length === 0) return;
    const lists = new Set<number>();
    for (const change of changes) if ('message' in change) lists.add(change.mailbox);
    await this.#readPlaces();
    this.listsChanged.tell(tooOld ? null : lists);
    await this.#readOperations();
  }

  async #readPlaces(): Promise<void> {
    const accounts = await this.mail.accounts();
    const each = await Promise.all(accounts.map(({ id }) => this.mail.mailboxes(id)));
    this.accounts = accounts;
    this.mailboxes = each.flat();
    this.placesChanged.tell();
  }

  async #readOperations(): Promise<void> {
    this.operations = await this.mail.pending();
    this.operationsChanged.tell();
  }
}
