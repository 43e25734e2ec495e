/**
 * The rules of publishing: each message once, in order, however often the connection breaks.
 *
 * A client is one publisher. On each channel its messages carry a serial that rises by one, given when a message is
 * first sent; until then it can be forgotten without a trace. Once sent, a serial has exactly one result:
 *
 *     queued ── first sent ──▶ Publish ──┬─ acknowledged ────────────────────────▶ published
 *       │                       ▲  │     └─ outcome unknown ─────────────────────▶ unknown
 *       │    lost, gap, refused │  │
 *       │    for now: again ────┴──┤
 *       │                          └─ refused for good, out of time ─▶ Skip ─────▶ published after all, or failed
 *       └─ out of time: failed
 *
 * Skip retires the serial at the owner, so that the failure can be reported as one: the message cannot appear later.
 */

import { FRAME_HEADER_BYTES, PAYLOAD_BYTES_MAX } from '../limits.ts';
import type { Failure } from '../types.ts';
import type { ServerBodies } from '../wire/frames.ts';
import { Line } from './line.ts';
import type { PublishBody } from './message.ts';
import { failure, type Shared } from './shared.ts';

export type { Line } from './line.ts';

/**
 * Channels without a publish in flight whose next serial is remembered. One that is forgotten goes on above every serial
 * used before: an owner that still knows the publisher asks for the serials in between, which are skipped.
 */
const IDLE_MAX = 4_096;

/** The publishes of a client. */
export class Publishing {
  /** Channels with messages that have no result. */
  readonly #lines = new Map<string, Line>();
  /** The next serial of the others; the one used longest ago is first. */
  readonly #idle = new Map<string, number>();
  /** First serial on a channel that is not remembered. */
  #floor = 1;
  #payloadBytesMax = PAYLOAD_BYTES_MAX;
  #inFlightMax = 0;

  constructor(private readonly shared: Shared) {}

  /** Whether every publish has its result. */
  get isIdle(): boolean {
    return this.#lines.size === 0;
  }

  enqueue(ticket: number, channel: string, body: PublishBody, timeoutMs: number): void {
    let line = this.#lines.get(channel);
    if (!line) {
      line = new Line(channel, this.#idle.get(channel) ?? this.#floor, this.shared);
      this.#idle.delete(channel);
      this.#lines.set(channel, line);
    }
    line.enqueue(ticket, body, timeoutMs);
  }

  /** A session is open: what was sent before has to be sent again. */
  connected({ frameBytes, publishesInFlight }: NonNullable<ServerBodies['welcome']['limits']>): void {
    this.#payloadBytesMax = frameBytes - FRAME_HEADER_BYTES;
    this.#inFlightMax = publishesInFlight;
  }

  /** The connection is gone, and with it the answers to what was sent. */
  disconnected(): void {
    this.#inFlightMax = 0;
    for (const line of this.#lines.values()) line.disconnected();
  }

  /** Sends what may be sent now. */
  send(): void {
    const room = { spare: this.#inFlightMax };
    for (const line of this.#lines.values()) room.spare -= line.inFlight;
    for (const [channel, line] of this.#lines) {
      line.send(this.#payloadBytesMax, room);
      if (!line.isEmpty) continue;
      this.#lines.delete(channel);
      this.#idle.set(channel, line.serial);
    }
    for (const [channel, serial] of this.#idle) {
      if (this.#idle.size <= IDLE_MAX) break;
      this.#idle.delete(channel);
      this.#floor = Math.max(this.#floor, serial);
    }
  }

  /** The application does not wait for this one any more. */
  giveUp(ticket: number): void {
    for (const line of this.#lines.values()) line.giveUp(ticket, failure('aborted'));
  }

  /** It is later: what is out of time is given up. */
  wake(): void {
    for (const line of this.#lines.values()) line.wake();
  }

  /** When to wake. */
  wakeAt(): number {
    return Math.min(...[...this.#lines.values()].map((line) => line.wakeAt(this.#inFlightMax > 0)));
  }

  /** When the oldest publish without an answer was sent. */
  unanswered(): number {
    return Math.min(...[...this.#lines.values()].map((line) => line.unanswered()));
  }

  /** The client closes: nothing more will be known. */
  close(error: Failure): void {
    for (const line of this.#lines.values()) line.close(error);
    this.#lines.clear();
  }
}
