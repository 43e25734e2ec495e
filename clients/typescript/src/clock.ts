/** The one scheduler: whoever needs time is given this. */

/** Tells and keeps time, in milliseconds. */
export interface Clock {
  now(): number;
  /** Calls back at a time, or as soon after it as can be; gives a way to call that off. */
  at(time: number, callback: () => void): () => void;
}

/** A timer takes no longer time than this. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The time of this machine. */
export const clock: Clock = {
  now: () => performance.now(),
  at(time, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, time - performance.now()), TIMER_MS_MAX));
    return () => clearTimeout(timer);
  },
};
