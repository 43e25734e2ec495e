/** The newest value of each key of a keyed channel. */

import type { PageEvent, Told } from './bridge.ts';
import type { Message } from './channel.ts';
import { Emitter } from './emitter.ts';

/** A key has another value, or none any more. */
export interface KeyedChange<T> {
  readonly key: string;
  /** The message with the new value; `undefined` if the key was removed. */
  readonly message: Message<T> | undefined;
}

/** What {@link Keyed} tells. */
export interface KeyedEvents<T> {
  /** Keys changed: one, or all that the state of a returning reader brought. */
  change: readonly KeyedChange<T>[];
}

/** @internal A view on the events of a channel. */
export type View<T> = (event: PageEvent, read: (told: Told) => Message<T>) => void;

/** The newest value of each key, kept up to date until it is closed. A state takes effect as a whole. */
export class Keyed<T> {
  readonly #emitter = new Emitter<KeyedEvents<T>>();
  readonly #values = new Map<string, Message<T>>();
  readonly #leave: () => void;
  #parts: Message<T>[] = [];
  #isComplete = false;

  /** @internal Use {@link Channel.keyed}. */
  constructor(join: (view: View<T>) => () => void) {
    this.#leave = join((event, read) => this.#handle(event, read));
  }

  /** The newest message of each key. */
  get values(): ReadonlyMap<string, Message<T>> {
    return this.#values;
  }

  /** Whether the state has come: before, `values` is empty or of an earlier connection. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Calls `listener` at each event; gives the way to stop that. */
  on<Name extends keyof KeyedEvents<T>>(name: Name, listener: (event: KeyedEvents<T>[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Leaves. Safe to call again. */
  close(): void {
    this.#leave();
  }

  #handle(event: PageEvent, read: (told: Told) => Message<T>): void {
    if (event.type === 'attached') {
      // An empty channel has no state to send, and a reader that missed nothing gets none.
      const { position, head, outcome, isWhole } = event.attached;
      if (head === 0 && outcome.kind !== 'resumed') this.#apply([...this.#removals(new Set())]);
      this.#isComplete ||= isWhole && position.seq === head;
    } else if (event.type === 'message') this.#apply([change(read(event.message))]);
    else if (event.type === 'state') {
      const { replace, first, last, entries } = event.state;
      if (first) this.#parts = [];
      for (const told of entries) this.#parts.push(read(told));
      if (!last) return;
      const changes = this.#parts.map(change);
      this.#parts = [];
      if (replace) changes.unshift(...this.#removals(new Set(changes.map(({ key }) => key))));
      this.#isComplete = true;
      this.#apply(changes);
    }
  }

  *#removals(kept: ReadonlySet<string>): Generator<KeyedChange<T>> {
    for (const key of this.#values.keys()) if (!kept.has(key)) yield { key, message: undefined };
  }

  #apply(changes: KeyedChange<T>[]): void {
    if (changes.length === 0) return;
    for (const { key, message } of changes) {
      if (message) this.#values.set(key, message);
      else this.#values.delete(key);
    }
    this.#emitter.emit('change', changes);
  }
}

const change = <T>(message: Message<T>): KeyedChange<T> => ({
  key: message.key,
  message: message.deleted ? undefined : message,
});
