/**
 * The messages of a client to one channel. Entries are sent in the order of their serials. One that has to be sent again
 * goes before all that were not sent yet; those after it that are in flight are refused with a gap, and follow then.
 */

import { Backoff } from '../backoff.ts';
import { isRetryable, OUTCOME_UNKNOWN, SERIAL_GAP, SERIAL_SKIPPED } from '../codes.ts';
import type { Failure, Published } from '../types.ts';
import type { ServerBodies } from '../wire/frames.ts';
import { type PublishBody, Violation } from './message.ts';
import { failure, type Shared } from './shared.ts';

/** Waits after refusals that say to try again: from the time to replace a replica, to a part of that to change an owner. */
const RETRY_MS = [100, 1_000] as const;

/** Gaps in a row after which an entry waits: two views of this publisher do not agree, and haste helps nobody. */
const GAPS_MAX = 3;

/** Serials that are skipped at a time because the owner asked for them and no message is left. */
const GHOSTS_MAX = 64;

/** A message that was not sent yet has no serial: 0. */
interface Entry {
  serial: number;
  sinceMs: number;
  /** Nothing, once its serial is to be retired. */
  body: PublishBody | undefined;
  /** What is reported once it is retired. */
  error: Failure;
  /** When it was last sent on this connection, as which request. */
  sent: { at: number; request: number } | undefined;
  /** Times that the message was sent, on any connection. */
  tries: number;
  /** Times in a row that the owner wanted another serial instead. */
  gaps: number;
  /** Who waits; 0 when nobody does any more. */
  ticket: number;
  /** When it stops waiting: for the message at first, for its retirement later. */
  deadline: number;
  timeoutMs: number;
  /** What stood in the way last. */
  cause: string;
}

const UNKNOWN = failure('outcome_unknown');

/** One channel's publishes. */
export class Line {
  readonly #entries: Entry[] = [];
  #queued: Entry[] = [];
  /** Nothing is sent before. */
  #hold = 0;
  /** No deadline is before: thousands may wait, and are not asked each time. */
  #earliest = Infinity;
  readonly #retry = new Backoff(...RETRY_MS);

  constructor(
    private readonly channel: string,
    /** The serial of the next message that is sent for the first time. */
    public serial: number,
    private readonly shared: Shared,
  ) {}

  get isEmpty(): boolean {
    return this.#entries.length + this.#queued.length === 0;
  }

  get inFlight(): number {
    return this.#entries.filter(({ sent }) => sent).length;
  }

  enqueue(ticket: number, body: PublishBody, timeoutMs: number): void {
    this.#queued.push({ ...this.#ghost(0), body, ticket, timeoutMs, deadline: this.#due(timeoutMs) });
  }

  disconnected(): void {
    for (const entry of this.#entries) {
      entry.sent = undefined;
      entry.gaps = 0;
    }
  }

  unanswered(): number {
    return Math.min(...this.#entries.map(({ sent }) => sent?.at ?? Infinity));
  }

  /** When to wake: for a message that is out of time, or, while connected, when the hold ends. */
  wakeAt(connected: boolean): number {
    return Math.min(connected && this.#hold ? this.#hold : Infinity, this.#earliest);
  }

  /** Sends what may be sent, as long as there is room in flight. */
  send(payloadBytesMax: number, room: { spare: number }): void {
    if (this.shared.now < this.#hold) return;
    this.#hold = 0;
    for (const entry of this.#entries) {
      if (entry.sent || room.spare <= 0) continue;
      // Another node may take less than the one it was first sent to.
      if (entry.body && entry.body.payload.length > payloadBytesMax) {
        this.#skip(entry, tooLarge(entry.body, payloadBytesMax));
      } else if (entry.tries > 0) this.shared.counts.resent++;
      this.#send(entry, room);
    }
    while (room.spare > 0) {
      const entry = this.#queued.shift();
      if (!entry?.body) return;
      if (entry.body.payload.length > payloadBytesMax) {
        // Never sent: the serial is still free.
        this.#settle(entry, tooLarge(entry.body, payloadBytesMax));
        continue;
      }
      entry.serial = this.serial++;
      entry.sinceMs = this.shared.clockMs;
      this.#entries.push(entry);
      this.shared.counts.published++;
      this.#send(entry, room);
    }
  }

  /** A serial has its result. */
  ack({ serial, skipped, position, copies, duplicate }: ServerBodies['ack']): void {
    // A serial that was sent twice is answered twice; the first answer counted.
    const entry = this.#find(serial);
    if (!entry) return;
    if (skipped && entry.body) throw new Violation('an ack that says skipped, to a publish');
    this.#retry.forgive();
    this.#remove(entry, position ? { position, copies, duplicate } : entry.error);
  }

  /** A serial was refused. An answer to an earlier sending says nothing about what was sent since. */
  refused(serial: number, { request, code, message, retryAfterMs, expectedSerial }: ServerBodies['error']): void {
    const entry = this.#find(serial);
    if (!entry || entry.sent?.request !== request) return;
    entry.sent = undefined;
    const error: Failure = { kind: 'refused', number: code, message, retryAfterMs };
    if (code === SERIAL_GAP) this.#gap(entry, expectedSerial);
    else if (code === OUTCOME_UNKNOWN) this.#remove(entry, unretired(entry));
    else if (isRetryable(code)) {
      entry.cause = message;
      this.#wait(retryAfterMs);
    }
    // Nothing was published under it and nothing will be: there is no serial left to retire.
    else if (code === SERIAL_SKIPPED) this.#remove(entry, error);
    else if (entry.body) this.#skip(entry, error);
    // The owner does not even let it be retired; it will ask for the serial if it ever wants it.
    else this.#remove(entry, unretired(entry));
  }

  giveUp(ticket: number, error: Failure): void {
    for (const entry of [...this.#queued, ...this.#entries]) if (entry.ticket === ticket) this.#abandon(entry, error);
  }

  /** Gives up what is out of time. */
  wake(): void {
    const { now, trouble } = this.shared;
    if (now < this.#earliest) return;
    this.#earliest = Infinity;
    for (const entry of [...this.#queued, ...this.#entries]) {
      if (!entry.ticket) continue;
      if (now >= entry.deadline) this.#abandon(entry, failure('timed_out', trouble || entry.cause));
      else this.#earliest = Math.min(this.#earliest, entry.deadline);
    }
  }

  close(error: Failure): void {
    // What was sent may have been published.
    for (const entry of this.#entries.splice(0)) this.#settle(entry, UNKNOWN);
    for (const entry of this.#queued.splice(0)) this.#settle(entry, error);
  }

  /** Nobody waits for it any more. */
  #abandon(entry: Entry, error: Failure): void {
    if (!entry.serial) {
      this.#queued = this.#queued.filter((other) => other !== entry);
      this.#settle(entry, error);
    } else if (entry.body) this.#skip(entry, error);
    // Not even the retirement was answered. The entry goes on until it has a result.
    else this.#answer(entry, unretired(entry));
  }

  /** Retires the serial instead of publishing under it. */
  #skip(entry: Entry, error: Failure): void {
    entry.body = undefined;
    entry.error = error;
    entry.sent = undefined;
    entry.deadline = this.#due(entry.timeoutMs);
  }

  #due(timeoutMs: number): number {
    const deadline = this.shared.now + timeoutMs;
    this.#earliest = Math.min(this.#earliest, deadline);
    return deadline;
  }

  #send(entry: Entry, room: { spare: number }): void {
    const { serial, sinceMs, body } = entry;
    const request = this.shared.ask({ kind: 'publish', line: this, serial });
    const fields = { request, channel: this.channel, serial, base: this.#entries[0]?.serial ?? serial, sinceMs };
    if (body) this.shared.send('publish', { ...fields, ...body });
    else this.shared.send('skip', fields);
    entry.sent = { at: this.shared.now, request };
    if (body) entry.tries++;
    room.spare--;
  }

  /** The owner wants another serial first. */
  #gap(entry: Entry, expected: number): void {
    if (expected > entry.serial) {
      // It holds a result for this serial, and does not tell which.
      this.#remove(entry, UNKNOWN);
      return;
    }
    if (expected === entry.serial || ++entry.gaps > GAPS_MAX) this.#wait(0);
    let ghosts = 0;
    for (let serial = expected; serial < entry.serial && ghosts < GHOSTS_MAX; serial++) {
      if (this.#find(serial)) continue;
      ghosts++;
      this.#entries.push(this.#ghost(serial));
    }
    if (ghosts > 0) this.#entries.sort((one, other) => one.serial - other.serial);
  }

  /** A serial that the owner asks for and that has no message any more. */
  #ghost(serial: number): Entry {
    return {
      serial,
      sinceMs: this.shared.clockMs,
      body: undefined,
      error: UNKNOWN,
      sent: undefined,
      tries: 0,
      gaps: 0,
      ticket: 0,
      deadline: 0,
      timeoutMs: 0,
      cause: '',
    };
  }

  #wait(retryAfterMs: number): void {
    const { now, random } = this.shared;
    // All that was on its way is refused together, and is one failure.
    const wait = this.#hold > now ? 0 : this.#retry.next(random);
    this.#hold = Math.max(this.#hold, now + retryAfterMs + wait);
  }

  #remove(entry: Entry, outcome: Published | Failure): void {
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#settle(entry, outcome);
  }

  #settle(entry: Entry, outcome: Published | Failure): void {
    if (entry.timeoutMs) this.shared.counts['kind' in outcome ? 'failed' : 'acknowledged']++;
    this.#answer(entry, outcome);
  }

  /** Tells who waits, once. */
  #answer(entry: Entry, outcome: Published | Failure): void {
    if (entry.ticket) this.shared.out.push({ do: 'answer', ticket: entry.ticket, outcome });
    entry.ticket = 0;
  }

  #find(serial: number): Entry | undefined {
    return this.#entries.find((entry) => entry.serial === serial);
  }
}

/** What to report if the serial cannot be retired: only the refusal of a message that was sent once is certain. */
const unretired = ({ error, tries }: Entry): Failure => (error.kind === 'refused' && tries === 1 ? error : UNKNOWN);

const tooLarge = ({ payload }: PublishBody, max: number): Failure =>
  failure('invalid', `the payload has ${payload.length} bytes, the server takes ${max}`);
