/**
 * Whether the gateway is still there.
 *
 * A connection is lost after silence of one and a half heartbeats, or sooner if something is amiss: the client pings when
 * a publish is unanswered for 1.5 s, when frames came one after another and then none did for 1.5 s, and when it wakes up
 * from sleep; that ping unanswered for 1 s is taken for loss. A lull costs one ping however long it lasts.
 */

import { SILENCE_PERCENT } from '../limits.ts';

/** Owners change hands within 1.5 s of a crash; an answer that takes longer is more likely never to come. */
const PUBLISH_PATIENCE_MS = 1_500;

/** Frames that come closer together than this flow, and a flow that stops for so long raises suspicion. */
const LULL_MS = 1_500;

/**
 * Frames in a row that are a flow. Fewer are an answer, or something that is sent to everybody now and then, after which
 * all readers would ping at one moment; and so that pings are never more than a quarter of what comes.
 */
const FLOW_FRAMES_MIN = 4;

/** Three times the round trip of a poor mobile network. */
const PING_PATIENCE_MS = 1_000;

/** Who looks for the answer so much later than it meant to was not running, and may not have read what is there. */
const LATE_MS = 250;

/** What a look at the clock led to. */
export type Verdict = { ping: number } | { lost: string } | undefined;

/** When one connection was heard and used. */
export class Liveness {
  readonly #beatMs: number;
  #heard: number;
  #pinged: number;
  #nonce = 0;
  /** When each ping without an answer was sent. */
  readonly #asked = new Map<number, number>();
  /** When the last frame came that is no pong, and how many in a row were no further apart than a flow's. */
  #flowed = 0;
  #flow = 0;
  /**
   * A ping that was sent on suspicion and is unanswered, and since when; extended, if its time was over when nobody was
   * looking, and it got the same again.
   */
  #probe: { nonce: number; since: number; isExtended: boolean } | undefined;
  /** When the last such ping was answered. */
  #proved = 0;
  #suspected = false;

  constructor(heartbeatMs: number, now: number) {
    this.#beatMs = heartbeatMs;
    this.#heard = now;
    // The first ping goes out at once: it measures the round trip.
    this.#pinged = now - heartbeatMs;
  }

  /** Bytes came. */
  heard(now: number): void {
    this.#heard = now;
  }

  /** A frame came that is no pong: pongs come because of pings, and would keep up what they measure. */
  flowed(now: number): void {
    this.#flow = now < this.#flowed + LULL_MS ? this.#flow + 1 : 1;
    this.#flowed = now;
  }

  /** A reason to doubt that has nothing to do with publishing: the machine slept, the network changed. */
  suspect(now: number): void {
    if (this.#probe) return;
    this.#suspected = true;
    // What was not heard while asleep proves nothing.
    this.#heard = now;
  }

  /** A ping was answered: the round trip. An answer to an older one than was sent on suspicion proves nothing. */
  pong(nonce: number, now: number): number | undefined {
    if (this.#probe && nonce >= this.#probe.nonce) {
      this.#probe = undefined;
      this.#proved = now;
    }
    const since = this.#asked.get(nonce);
    for (const older of this.#asked.keys()) if (older <= nonce) this.#asked.delete(older);
    return since === undefined ? undefined : now - since;
  }

  /** Judges, with the time at which the oldest publish without an answer was sent. */
  judge(unanswered: number, now: number): Verdict {
    if (now >= this.#silenceEnds()) return { lost: 'no sign of life' };
    const probe = this.#probe;
    if (probe && now >= this.#probeEnds()) {
      if (now < this.#probeEnds() + LATE_MS || probe.isExtended) return { lost: 'no answer to a ping' };
      probe.since = now;
      probe.isExtended = true;
    }
    const suspects = now >= this.#suspicion(unanswered);
    if (!suspects && now < this.#pinged + this.#beatMs) return undefined;
    this.#asked.set(++this.#nonce, now);
    this.#pinged = now;
    if (suspects) {
      this.#probe = { nonce: this.#nonce, since: now, isExtended: false };
      this.#suspected = false;
      this.#flow = 0;
    }
    return { ping: this.#nonce };
  }

  /** When to judge again. */
  wakeAt(unanswered: number): number {
    const beat = Math.min(this.#pinged + this.#beatMs, this.#silenceEnds());
    return Math.min(beat, this.#probe ? this.#probeEnds() : this.#suspicion(unanswered));
  }

  #silenceEnds(): number {
    return this.#heard + (this.#beatMs * SILENCE_PERCENT) / 100;
  }

  #suspicion(unanswered: number): number {
    if (this.#probe) return Infinity;
    if (this.#suspected) return 0;
    const lull = this.#flow < FLOW_FRAMES_MIN ? Infinity : this.#heard + LULL_MS;
    return Math.min(lull, Math.max(unanswered, this.#proved) + PUBLISH_PATIENCE_MS);
  }

  /** Bytes that come after the ping are a sign of life too: its answer may wait behind a page. */
  #probeEnds(): number {
    return this.#probe ? Math.max(this.#probe.since, this.#heard) + PING_PATIENCE_MS : Infinity;
  }
}
