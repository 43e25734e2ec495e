/** The one way to wait for what happens elsewhere. */

import { setTimeout as sleep } from 'node:timers/promises';

/** Asks until the answer is the one expected; tells the last one if it does not become so in time. */
export async function becomes<T>(
  what: string,
  expected: T,
  ask: () => T | Promise<T>,
  timeoutMs = 20_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  const text = JSON.stringify(expected);
  for (;;) {
    const answer = await ask();
    if (JSON.stringify(answer) === text) return;
    if (Date.now() > end) throw new Error(`${what} did not become ${text}; it is ${JSON.stringify(answer)}`);
    await sleep(10);
  }
}

/** Asks until the answer is true. */
export const until = (what: string, ask: () => boolean | Promise<boolean>, timeoutMs?: number): Promise<void> =>
  becomes(what, true, ask, timeoutMs);
