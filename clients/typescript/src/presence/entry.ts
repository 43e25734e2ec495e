/**
 * A client's own place in a channel: entered, changed, left.
 *
 * What the application wants last stands in a slot of the engine, as Enter or as Leave: every session begins with it, also
 * while the page is busy, so that a client that moves is there again before its grace is over. While a request is
 * unanswered, what is wanted next waits, and the newest replaces what waits.
 */

import { isRetryable, PAYLOAD_TOO_LARGE } from '../codes.ts';
import { type StarlingError, toError } from '../errors.ts';
import type { Retry } from '../retry.ts';
import type { Answer, Asker, Desk, Refusal } from './desk.ts';
import { toId } from './roster.ts';

/** What the application wants: a state, or none to be gone. A later one has a higher number. */
interface Wish {
  version: number;
  state: Uint8Array | undefined;
}

interface Waiting {
  version: number;
  isLeaving: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/** How long is waited for an answer, and what gives up waiting. */
export interface EntryOptions {
  /** 30 s by default. What is not done then goes on being tried, until the channel is left. */
  timeoutMs?: number;
  /** Gives up waiting. */
  signal?: AbortSignal;
}

const ENTER_MS = 30_000;

/** One client in one channel. */
export class Entry implements Asker {
  /** A node has said, in this session, that the client is there. */
  isEntered = false;
  /** Under what others see it: the same as long as the client and its subject are. */
  id: string | undefined;
  readonly #slot: number;
  readonly #retry: Retry;
  #versions = 0;
  #wish: Wish | undefined;
  /** What stands in the slot. */
  #stands: (Wish & { request: number }) | undefined;
  #isInFlight = false;
  /** A Leave beside it. */
  #stray = 0;
  /** The last state that a node took. */
  #taken: Uint8Array | undefined;
  #waiting: Waiting[] = [];

  constructor(
    private readonly channel: string,
    private readonly desk: Desk,
    /** It cannot go on. */
    private readonly failed: (error: StarlingError) => void,
    /** It is known under what others see it. */
    private readonly known: () => void,
  ) {
    this.#slot = desk.join(this);
    this.#retry = desk.retry(() => this.#stand());
  }

  /** Whether the application wants to be there. */
  get isWanted(): boolean {
    return this.#wish?.state !== undefined;
  }

  /** Enters with this state, or changes it. */
  enter(state: Uint8Array, options: EntryOptions): Promise<void> {
    return this.#ask(state, options);
  }

  /** Leaves. Without a connection there is nothing to wait for: the node that was left behind forgets by itself. */
  leave(): Promise<void> {
    this.#settle(({ isLeaving }) => !isLeaving, toError({ kind: 'aborted', number: 0, message: '' }));
    if (!this.#wish && !this.#stands) return Promise.resolve();
    const left = this.#ask(undefined, { timeoutMs: Infinity });
    if (!this.desk.isConnected) this.#settle(({ isLeaving }) => isLeaving);
    return left;
  }

  connected(): void {
    this.#isInFlight = this.#stands !== undefined;
  }

  disconnected(): void {
    this.#isInFlight = false;
    this.isEntered = false;
    this.#retry.stop();
    this.#settle(({ isLeaving }) => isLeaving);
    this.#pump();
  }

  closed(error: StarlingError): void {
    this.isEntered = false;
    this.#retry.stop();
    this.#settle(({ isLeaving }) => isLeaving);
    this.#settle(() => true, error);
  }

  answered(answer: Answer): boolean {
    const { kind, body } = answer;
    const stands = this.#stands;
    if (body.request !== stands?.request) {
      // A session began with what was taken from the slot at that moment.
      if (!stands && kind === 'entered') {
        this.#stray = this.desk.number(this, this.#stray);
        this.desk.send(0, 'leave', { request: this.#stray, channel: this.channel });
      }
      return true;
    }
    const { state, version } = stands;
    if (kind !== (state ? 'entered' : 'left')) return false;
    this.#isInFlight = false;
    this.#retry.stop();
    this.#retry.forgive();
    if (state && answer.kind === 'entered') {
      this.isEntered = true;
      const before = this.id;
      this.id = toId(answer.body.client);
      if (this.id !== before) this.known();
      this.#taken = state;
    } else this.#gone();
    this.#settle((waiting) => waiting.version <= version);
    this.#pump();
    return true;
  }

  refused({ request, code, message, retryAfterMs }: Refusal): void {
    const stands = this.#stands;
    if (!stands || stands.request !== request) return;
    this.#isInFlight = false;
    if (isRetryable(code)) {
      this.#retry.later(retryAfterMs);
      return;
    }
    const upTo = ({ version }: Waiting) => version <= stands.version;
    if (!stands.state) {
      // It is not there, which is what was wanted.
      this.#gone();
      this.#settle(upTo);
    } else {
      const error = toError({ kind: 'refused', number: code, message });
      const before = code === PAYLOAD_TOO_LARGE ? this.#taken : undefined;
      const isNewest = this.#wish?.version === stands.version;
      // What it said before still holds.
      if (before && isNewest) this.#wish = { version: ++this.#versions, state: before };
      else if (!before) this.#gone();
      this.#settle(upTo, error);
      this.failed(error);
    }
    this.#pump();
  }

  takenOut({ channel, code, message }: Refusal): void {
    if (channel !== this.channel || !this.#stands?.state) return;
    const error = toError({ kind: 'refused', number: code, message });
    this.#isInFlight = false;
    this.#retry.stop();
    const wasWanted = this.isWanted;
    // Who leaves meanwhile is to be gone, and asks until the node has said so.
    if (wasWanted) this.#wish = undefined;
    this.#gone();
    this.#settle(({ isLeaving }) => !isLeaving, error);
    if (wasWanted) this.failed(error);
    this.#pump();
  }

  async #ask(state: Uint8Array | undefined, { timeoutMs = ENTER_MS, signal }: EntryOptions): Promise<void> {
    const closed = this.desk.host.closed();
    if (closed && !state) return;
    if (closed) throw closed;
    signal?.throwIfAborted();
    this.desk.host.connect();
    const { clock } = this.desk.means;
    if (state || this.#wish?.state || !this.#wish) this.#wish = { version: ++this.#versions, state };
    const { version } = this.#wish;
    let stop = () => {};
    const done = new Promise<void>((resolve, reject) => {
      const waiting = { version, isLeaving: !state, resolve, reject };
      this.#waiting.push(waiting);
      const late = () => reject(toError({ kind: 'timed_out', number: 0, message: '' }));
      const cancel = timeoutMs < Infinity ? clock.at(clock.now() + timeoutMs, late) : () => {};
      const aborted = () => reject(signal?.reason);
      signal?.addEventListener('abort', aborted);
      stop = () => {
        cancel();
        signal?.removeEventListener('abort', aborted);
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
      };
    });
    this.#pump();
    return done.finally(stop);
  }

  /** Has what is wanted stand in the slot, if nothing is to be waited for. */
  #pump(): void {
    if (!this.#wish || this.#isInFlight || this.#retry.isDue || this.desk.host.closed()) return;
    if (this.#stands?.version !== this.#wish.version) this.#stand();
  }

  #stand(): void {
    if (!this.#wish) return;
    const { state } = this.#wish;
    const request = this.desk.number(this, this.#stands?.request);
    this.#stands = { ...this.#wish, request };
    this.#isInFlight = this.desk.isConnected;
    if (state) this.desk.send(this.#slot, 'enter', { request, channel: this.channel, state });
    else this.desk.send(this.#slot, 'leave', { request, channel: this.channel });
  }

  /** It is there no more, and nothing stands. */
  #gone(): void {
    this.isEntered = false;
    this.#taken = undefined;
    if (this.#wish?.version === this.#stands?.version) this.#wish = undefined;
    this.#stands = undefined;
    this.desk.host.pass(this.#slot, undefined);
  }

  /** Tells who waits. */
  #settle(which: (waiting: Waiting) => boolean, error?: unknown): void {
    for (const waiting of this.#waiting.filter(which)) {
      if (error) waiting.reject(error);
      else waiting.resolve();
    }
    this.#waiting = this.#waiting.filter((waiting) => !which(waiting));
  }
}
