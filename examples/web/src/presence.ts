// Whether some tab is connected. Tabs share the store but not the connections: one that has none should not say that it is
// offline while another keeps the mail in step. A lock tells, and goes with its tab however that ends.

const LOCK = 'mailkeep-reader:connected';
/** How often it is asked, in milliseconds: nobody is told of a lock. */
const ASK_MS = 3_000;

export class Presence {
  #release: (() => void) | undefined;
  #elsewhere = false;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
    setInterval(() => void this.ask(), ASK_MS);
    document.addEventListener('visibilitychange', () => void this.ask());
  }

  /** Another tab is connected, and this one is not. */
  get elsewhere(): boolean {
    return this.#elsewhere;
  }

  /** Says whether this tab is connected. */
  set here(connected: boolean) {
    if (connected === (this.#release !== undefined)) return;
    this.#release?.();
    this.#release = undefined;
    if (!connected) return;
    const gone = new Promise<void>((resolve) => (this.#release = resolve));
    void navigator.locks.request(LOCK, { mode: 'shared' }, () => gone);
  }

  async ask(): Promise<void> {
    if (document.hidden) return;
    const held = this.#release ? [] : ((await navigator.locks.query()).held ?? []);
    const elsewhere = !this.#release && held.some(({ name }) => name === LOCK);
    if (elsewhere === this.#elsewhere) return;
    this.#elsewhere = elsewhere;
    this.#changed();
  }
}
