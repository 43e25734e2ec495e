/** When what was edited is sent: at once, and what follows soon together. */

import type { Clock } from '../clock.ts';

/** Between two frames of one document: a screen draws no more often. */
const TURN_MS = 16;

/** Takes turns. */
export class Turns {
  readonly #clock: Clock;
  readonly #run: () => void;
  #isDue = false;
  #last = -Infinity;

  constructor(clock: Clock, run: () => void) {
    this.#clock = clock;
    this.#run = run;
  }

  /** There is something to send: after the task that is running, or when the turn before it is over. */
  wake(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const at = this.#last + TURN_MS;
    const turn = () => {
      this.#isDue = false;
      this.#last = this.#clock.now();
      this.#run();
    };
    if (at <= this.#clock.now()) queueMicrotask(turn);
    else this.#clock.at(at, turn);
  }
}
