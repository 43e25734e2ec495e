/** A clock that tests move on. */

import type { Clock } from '../../src/clock.ts';

/** Time that passes only here, with every promise settled in between. */
export class Time implements Clock {
  #now = 0;
  #due: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  at(at: number, callback: () => void): () => void {
    const due = { at, callback };
    this.#due.push(due);
    return () => {
      this.#due = this.#due.filter((other) => other !== due);
    };
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = this.#due.sort((one, other) => one.at - other.at);
      if (!next || next.at > end) break;
      this.#now = next.at;
      this.#due.shift();
      next.callback();
    }
    this.#now = end;
  }
}
