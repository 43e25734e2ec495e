/** The subscriptions of a client: which are to be attached, which have failed, which wait, and where frames go. */

import { Backoff } from '../backoff.ts';
import { isRetryable, NOT_ATTACHED } from '../codes.ts';
import type { Failure } from '../types.ts';
import type { ServerBodies } from '../wire/frames.ts';
import { type Cost, type ReadOptions, Violation } from './message.ts';
import { Reading } from './reading.ts';
import { costOf } from './room.ts';
import type { Shared } from './shared.ts';

/** Attaches without an answer at once: a client that returns with thousands of channels does not ask in one breath. */
const ATTACHING_MAX = 64;

/** The waits before a channel that was refused for now, or detached by the server, is attached again. */
const RETRY_MS = [100, 10_000] as const;

/** How long a subscription may sit on the page credit that others need: longer than work on one page takes. */
const HOARDING_MS_MAX = 1_000;

interface Entry {
  reading: Reading;
  retry: Backoff;
}

/** The subscriptions of a client. */
export class Subscriptions {
  readonly #entries = new Map<number, Entry>();
  /** Which subscription each channel id of this connection stands for; 0 if it is being left. */
  readonly #routes = new Map<number, number>();
  /** Names of the channels in which the server holds, or may come to hold, a place: of which id, once known. */
  readonly #places = new Map<string, number>();

  constructor(private readonly shared: Shared) {}

  subscribe(id: number, channel: string, options: ReadOptions): void {
    this.#entries.set(id, { reading: new Reading(id, channel, options, this.shared), retry: new Backoff(...RETRY_MS) });
  }

  /** Forgets a subscription, and has the server forget it. */
  unsubscribe(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#leave(entry.reading);
    // What its queue still holds is not told of any more.
    this.shared.credit.giveBack(entry.reading.room.release());
    this.#entries.delete(id);
    this.shared.out.push({ do: 'end', id });
  }

  taken(id: number, costs: readonly Cost[]): void {
    this.#entries.get(id)?.reading.taken(costs);
  }

  /** Attaches what can be attached. A channel that was left waits until the server has confirmed that it was. */
  attach(): void {
    let room = ATTACHING_MAX;
    for (const { reading } of this.#entries.values()) if (reading.flow === 'attaching') room--;
    for (const { reading } of this.#entries.values()) {
      if (room <= 0 || !reading.wantsAttach || this.#places.has(reading.channel)) continue;
      room--;
      this.#places.set(reading.channel, 0);
      const request = this.shared.ask({ kind: 'attach', id: reading.id, channel: reading.channel });
      this.shared.send('attach', reading.attach(request));
    }
  }

  /** The server attached a subscription, which may be gone by now. */
  attached(id: number, frame: ServerBodies['attached']): void {
    const { channel, channelId } = frame;
    if (this.#places.get(channel) !== 0 || this.#routes.has(channelId)) throw new Violation('attached twice');
    this.#routes.set(channelId, id);
    this.#places.set(channel, channelId);
    const entry = this.#entries.get(id);
    if (!entry) {
      this.#detach(channelId);
      return;
    }
    if (entry.reading.channel !== channel) throw new Violation('attached as another channel');
    entry.reading.attached(frame);
    entry.retry.forgive();
  }

  /** The server refused to attach a subscription. */
  refused(id: number, channel: string, error: ServerBodies['error']): void {
    this.#places.delete(channel);
    this.#judge(id, error);
  }

  /** The server reports a fault of a channel that was attached. It may still be: it is left before anything else. */
  faulted(error: ServerBodies['error']): void {
    const reading = this.#entries.get(this.#routes.get(error.channelId) as number)?.reading;
    if (!reading) return;
    this.#leave(reading);
    this.#judge(reading.id, error);
  }

  /** Messages are lost to a reader. One of a keyed channel asks for the values that changed meanwhile instead. */
  discontinued(frame: ServerBodies['discontinuity']): void {
    const reading = this.route(frame.channelId);
    if (!reading?.keyed) {
      reading?.discontinuity(frame);
      return;
    }
    this.#leave(reading);
    reading.detached();
  }

  /** The server confirmed that a channel was left, or left it by itself. */
  departed(channelId: number): void {
    const id = this.#routes.get(channelId);
    this.#routes.delete(channelId);
    for (const [name, place] of this.#places) if (place === channelId) this.#places.delete(name);
    if (id) this.#detached(id, 0);
  }

  /** The subscription that a frame is of; none if it was left. */
  route(channelId: number): Reading | undefined {
    const id = this.#routes.get(channelId);
    if (id === undefined) throw new Violation('a frame of no attached channel');
    return this.#entries.get(id)?.reading;
  }

  /** The connection is gone. */
  disconnected(): void {
    this.#routes.clear();
    this.#places.clear();
    for (const { reading } of this.#entries.values()) reading.detached();
  }

  /** Has one that is not read share the page credit. */
  wake(): void {
    const hoarder = this.#hoarder();
    if (hoarder && hoarder.movedAt + HOARDING_MS_MAX <= this.shared.now) hoarder.release();
  }

  /** When to wake: for one that sits on the page credit, or, while connected, for one that may be tried again. */
  wakeAt(connected: boolean): number {
    const hoarder = this.#hoarder();
    let at = hoarder ? hoarder.movedAt + HOARDING_MS_MAX : Infinity;
    if (!connected) return at;
    for (const { reading } of this.#entries.values()) {
      if (reading.flow === 'detached' && reading.notBefore > this.shared.now) at = Math.min(at, reading.notBefore);
    }
    return at;
  }

  /** The client closes. */
  close(error: Failure): void {
    for (const id of this.#entries.keys()) this.#fail(id, error);
  }

  /** The subscription that has sat longest on page credit that another needs. */
  #hoarder(): Reading | undefined {
    if (this.shared.credit.coversAPage()) return undefined;
    const readings = [...this.#entries.values()].map(({ reading }) => reading);
    const [longest] = readings.filter(({ hoards }) => hoards).sort((one, other) => one.movedAt - other.movedAt);
    return readings.some((reading) => reading !== longest && reading.expectsPages) ? longest : undefined;
  }

  /** A subscription was refused, at first or later. */
  #judge(id: number, { code, message, retryAfterMs }: ServerBodies['error']): void {
    // A gateway that forgot the attachment can make it again.
    if (isRetryable(code) || code === NOT_ATTACHED) this.#detached(id, retryAfterMs);
    else this.#fail(id, { kind: 'refused', number: code, message });
  }

  #detached(id: number, retryAfterMs: number): void {
    const entry = this.#entries.get(id);
    entry?.reading.detached(this.shared.now + retryAfterMs + entry.retry.next(this.shared.random));
  }

  /** Ends a subscription that cannot go on. */
  #fail(id: number, error: Failure): void {
    if (!this.#entries.has(id)) return;
    this.shared.out.push({ do: 'deliver', id, event: { type: 'failed', error }, cost: costOf(0) });
    this.unsubscribe(id);
  }

  #leave(reading: Reading): void {
    if (reading.isAttached) this.#detach(reading.channelId);
  }

  /** Frames that were on their way go nowhere until the server confirms. */
  #detach(channelId: number): void {
    this.#routes.set(channelId, 0);
    const request = this.shared.ask({ kind: 'detach', channelId });
    this.shared.send('detach', { request, channelId });
  }
}
