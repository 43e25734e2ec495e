/**
 * Watching a channel: Watch stands in a slot of the engine, and each session begins with it.
 *
 *                 Watch             Watched
 *     unwatched ────────▶ watching ─────────▶ watched ── Detach ──▶ leaving ── Detached ──▶ unwatched
 *         ▲                 │  ▲                │
 *         └── refused ──────┘  └── lost, faulted ┘
 */

import { isRetryable, NOT_ATTACHED } from '../codes.ts';
import { type StarlingError, toError } from '../errors.ts';
import type { Retry } from '../retry.ts';
import type { Answer, Desk, Refusal, Told, Watcher } from './desk.ts';

/** What is told to whoever looks. */
export interface Sink {
  /** What comes from now on is of this session. */
  watched(): void;
  /** What was told may be old: the session is over, or the server has ended the watch. */
  unsure(): void;
  told(frame: Told): void;
  failed(error: StarlingError): void;
}

/** How much is seen: everybody, or how many there are. */
export type Mode = 'roster' | 'count';

/** One channel that is watched, or not. */
export class Watching implements Watcher {
  readonly #slot: number;
  readonly #retry: Retry;
  #mode: Mode | undefined;
  /** The Watch that was sent last, and what of it stands in the slot. */
  #sent: { request: number; mode: Mode | undefined } | undefined;
  #isInFlight = false;
  /** What is watched, as this session's Watched numbered it. */
  #channelId = 0;
  /** The Detach that was sent last, and whether it has no answer yet. */
  #detach = 0;
  #isLeaving = false;

  constructor(
    private readonly channel: string,
    private readonly desk: Desk,
    private readonly sink: Sink,
  ) {
    this.#slot = desk.join(this);
    this.#retry = desk.retry(() => this.#watch());
  }

  /** Watches so much from now on, or nothing. */
  want(mode: Mode | undefined): void {
    if (mode === this.#mode) return;
    this.#mode = mode;
    if (mode) this.desk.host.connect();
    else {
      this.#retry.stop();
      if (this.#sent) this.#sent.mode = undefined;
      this.desk.host.pass(this.#slot, undefined);
    }
    this.#pump();
  }

  connected(): void {
    this.#isInFlight = this.#sent?.mode !== undefined;
  }

  disconnected(): void {
    this.#isInFlight = false;
    this.#isLeaving = false;
    this.#channelId = 0;
    if (!this.#mode) this.#sent = undefined;
    this.#retry.stop();
    this.sink.unsure();
    this.#pump();
  }

  closed(error: StarlingError): void {
    this.#retry.stop();
    if (!this.#mode) return;
    this.#mode = undefined;
    this.sink.unsure();
    this.sink.failed(error);
  }

  answered(answer: Answer): boolean {
    if (answer.kind === 'detached') {
      if (this.#isLeaving) this.#left();
      return answer.body.request === this.#detach;
    }
    if (answer.kind !== 'watched' || answer.body.channel !== this.channel) return false;
    this.#isInFlight = false;
    this.#retry.stop();
    this.#retry.forgive();
    if (this.#channelId) this.desk.route(this.#channelId, undefined);
    this.#channelId = answer.body.channelId;
    this.desk.route(this.#channelId, this);
    if (this.#mode) this.sink.watched();
    this.#pump();
    return true;
  }

  refused({ request, code, message, retryAfterMs }: Refusal): void {
    if (request === this.#detach) {
      // Not attached is what was wanted.
      if (this.#isLeaving) this.#left();
      return;
    }
    if (request !== this.#sent?.request) return;
    this.#isInFlight = false;
    if (this.#mode && isRetryable(code)) this.#retry.later(retryAfterMs);
    else this.#fail(toError({ kind: 'refused', number: code, message }));
  }

  told(frame: Told): void {
    if (this.#mode && !this.#isLeaving) this.sink.told(frame);
  }

  faulted(refusal: Refusal | undefined): void {
    if (refusal && !isRetryable(refusal.code) && refusal.code !== NOT_ATTACHED) {
      const { code, message } = refusal;
      this.#fail(toError({ kind: 'refused', number: code, message }));
    } else if (!refusal) {
      // The server has ended it: a node that can may take it up again.
      this.#forget();
      this.sink.unsure();
      if (this.#mode) this.#retry.later();
    }
  }

  #pump(): void {
    if (this.#isInFlight || this.#isLeaving || this.#retry.isDue) return;
    if (this.#mode) {
      if (this.#mode !== this.#sent?.mode) this.#watch();
      return;
    }
    this.#sent = undefined;
    if (!this.#channelId) return;
    this.#isLeaving = true;
    this.#detach = this.desk.number(this, this.#detach);
    this.desk.send(0, 'detach', { request: this.#detach, channelId: this.#channelId });
  }

  #watch(): void {
    const mode = this.#mode;
    if (!mode) return;
    const request = this.desk.number(this, this.#sent?.request);
    this.#sent = { request, mode };
    this.#isInFlight = this.desk.isConnected;
    this.desk.send(this.#slot, 'watch', { request, channel: this.channel, count: mode === 'count' });
  }

  #left(): void {
    this.#isLeaving = false;
    this.#forget();
    this.#pump();
  }

  #forget(): void {
    if (this.#channelId) this.desk.route(this.#channelId, undefined);
    this.#channelId = 0;
  }

  #fail(error: StarlingError): void {
    this.#forget();
    this.#sent = undefined;
    this.desk.host.pass(this.#slot, undefined);
    const wasWanted = this.#mode !== undefined;
    this.#mode = undefined;
    if (!wasWanted) return;
    this.sink.unsure();
    this.sink.failed(error);
  }
}
