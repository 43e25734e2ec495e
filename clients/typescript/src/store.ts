/** State outside React: open while somebody looks at it, and told once for all that happens in one task. */

/** A source of snapshots. */
export class Store<Snapshot> {
  readonly #listeners = new Set<() => void>();
  readonly #look: () => Snapshot;
  readonly #open: (changed: () => void) => () => void;
  #snapshot: Snapshot;
  #close: (() => void) | undefined;
  #isTelling = false;

  /** `look` takes a snapshot, `open` begins to watch what is looked at, and gives the way to stop. */
  constructor(
    look: () => Snapshot,
    /** Before it is opened, and on a server. */
    readonly first: Snapshot,
    open: (changed: () => void) => () => void,
  ) {
    this.#look = look;
    this.#open = open;
    this.#snapshot = first;
  }

  /** Something changed. */
  readonly changed = (): void => {
    if (this.#isTelling) return;
    this.#isTelling = true;
    // What a frame brings is handled in one task: one microtask after it, all is there.
    queueMicrotask(() => {
      this.#isTelling = false;
      this.#snapshot = this.#look();
      for (const listener of [...this.#listeners]) listener();
    });
  };

  readonly snapshot = (): Snapshot => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.#close = this.#open(this.changed);
      this.changed();
    }
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      this.#close?.();
      this.#close = undefined;
    };
  };
}
