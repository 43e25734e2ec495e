/** Asking a server again for what it has refused for now. */

import { Backoff } from './backoff.ts';
import type { Clock } from './clock.ts';

/** The waits before a request that was refused for now is sent again. */
const RETRY_MS = [100, 10_000] as const;

/** What a retry is made of. */
export interface RetryMeans {
  clock: Clock;
  random: () => number;
}

/** Tries again after a wait that grows. */
export class Retry {
  readonly #backoff = new Backoff(...RETRY_MS);
  #cancel: (() => void) | undefined;

  constructor(
    private readonly parts: RetryMeans,
    private readonly again: () => void,
  ) {}

  /** A try is to come. */
  get isDue(): boolean {
    return this.#cancel !== undefined;
  }

  /** It was refused for now. */
  later(retryAfterMs = 0): void {
    const { clock, random } = this.parts;
    this.#cancel?.();
    this.#cancel = clock.at(clock.now() + retryAfterMs + this.#backoff.next(random), () => {
      this.#cancel = undefined;
      this.again();
    });
  }

  /** There is no need to try again. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** It was not refused. */
  forgive(): void {
    this.#backoff.forgive();
  }
}
