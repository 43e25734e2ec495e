/** How long to wait before trying again. */

/**
 * Full jitter: each wait is drawn from zero up to a ceiling that doubles with every failure, up to a cap. Clients that
 * lost the same node at the same instant return spread over the whole time, not in waves.
 */
export class Backoff {
  /** Failures since the last success. */
  failures = 0;

  constructor(
    private readonly base: number,
    private readonly cap: number,
  ) {}

  /** Counts a failure: the time to wait. `rounds` failures count as one, for a party with so many ways to try. */
  next(random: () => number, rounds = 1): number {
    const exponent = Math.floor(this.failures++ / Math.max(rounds, 1));
    return Math.min(this.cap, this.base * 2 ** exponent) * random();
  }

  /** So many failures are made up for; not said how many, all of them: the next is the first. */
  forgive(failures = this.failures): void {
    this.failures = Math.max(0, this.failures - failures);
  }
}
