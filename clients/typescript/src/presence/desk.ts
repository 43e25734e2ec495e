/**
 * Where a client's frames of presence are written and read: it numbers requests, knows who asked, and which watch a channel
 * id stands for. One serves all channels of a client.
 *
 *     Presence ─┬─ Entry ────┐ ask, once          pass              in a slot, or once
 *               └─ Watching ─┴──────────▶ Desk ────────▶ client ──▶ engine: sends, and begins each session with it
 *                            ◀──────────       ◀────────        ◀──
 *                   answered, refused,  watched frames
 */

import type { Foreign } from '../bridge.ts';
import { clock as ownClock } from '../clock.ts';
import type { StarlingError } from '../errors.ts';
import type { Guest, Host } from '../guest.ts';
import { Retry, type RetryMeans } from '../retry.ts';
import { FrameFault } from '../wire/fault.ts';
import { encode } from '../wire/frame.ts';
import type { FrameOf, ServerBodies } from '../wire/frames.ts';
import { decodePresence, PRESENCE_CLIENT, type PresenceClientBodies, type PresenceFrame } from '../wire/presence.ts';

/** The session numbers its requests from 1 on; those of presence are above. */
const REQUESTS_FROM = 2 ** 32;

/** A refusal, or a fault of a channel. */
export type Refusal = ServerBodies['error'];

/** An answer to a request. */
export type Answer =
  | Extract<PresenceFrame, { kind: 'entered' | 'left' | 'watched' }>
  | { kind: 'detached'; body: ServerBodies['detached'] };

/** What is told of a channel that is watched. */
export type Told = Exclude<PresenceFrame, { kind: Answer['kind'] }>;

/** Who asks the server for something. */
export interface Asker {
  /** A session has opened, and what stands in a slot is on its way. */
  connected(): void;
  /** The session is over. */
  disconnected(): void;
  /** The client has closed. */
  closed(error: StarlingError): void;
  /** A request has its answer; whether it is one to what was asked. */
  answered(answer: Answer): boolean;
  refused(refusal: Refusal): void;
  /** The server has taken the client out of a channel. */
  takenOut?(refusal: Refusal): void;
}

/** Who watches a channel. */
export interface Watcher extends Asker {
  told(frame: Told): void;
  /** The server has a fault to report, or has ended the watch: then there is no refusal. */
  faulted(refusal: Refusal | undefined): void;
}

/** What a desk is made of, beside its client. */
export interface Means extends RetryMeans {
  /** Milliseconds since 1970. */
  wallMs: () => number;
}

/** The presence of one client. */
export class Desk implements Guest {
  /** What `presence` gave, by channel. */
  readonly presences = new Map<string, unknown>();
  readonly #askers = new Set<Asker>();
  readonly #asked = new Map<number, Asker>();
  /** By channel id in this session. */
  readonly #watchers = new Map<number, Watcher>();
  #requests = REQUESTS_FROM;
  #slots = 0;
  #isConnected = false;

  constructor(
    readonly host: Host,
    readonly means: Means = { clock: ownClock, random: Math.random, wallMs: Date.now },
  ) {
    this.#isConnected = host.isConnected();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** A slot for somebody who will ask. */
  join(asker: Asker): number {
    this.#askers.add(asker);
    return ++this.#slots;
  }

  /** Numbers a request, in place of one that is of no interest any more. */
  number(asker: Asker, instead?: number): number {
    if (instead) this.#asked.delete(instead);
    this.#asked.set(++this.#requests, asker);
    return this.#requests;
  }

  /** Sends a frame; in a slot it stands for the sessions to come. */
  send<Kind extends keyof PresenceClientBodies>(slot: number, kind: Kind, body: PresenceClientBodies[Kind]): void {
    const frame = { kind, body } as FrameOf<PresenceClientBodies>;
    this.host.pass(slot, encode<PresenceClientBodies>(PRESENCE_CLIENT, frame));
  }

  /** Watches what a channel id stands for in this session; nobody does without a watcher. */
  route(channelId: number, watcher: Watcher | undefined): void {
    if (watcher) this.#watchers.set(channelId, watcher);
    else this.#watchers.delete(channelId);
  }

  /** A way to try again later, longer each time. */
  retry(again: () => void): Retry {
    return new Retry(this.means, again);
  }

  changed(): void {
    const closed = this.host.closed();
    const isConnected = this.host.isConnected();
    if (isConnected === this.#isConnected && !closed) return;
    this.#isConnected = isConnected;
    this.#watchers.clear();
    for (const asker of this.#askers) {
      if (closed) asker.closed(closed);
      else if (isConnected) asker.connected();
      else asker.disconnected();
    }
  }

  frame(foreign: Foreign): boolean {
    try {
      if (foreign.kind !== 'foreign') return this.#answers(foreign);
      const frame = decodePresence(foreign.body);
      if (frame.kind === 'foreign') return false;
      this.#told(frame);
    } catch (error) {
      if (!(error instanceof FrameFault)) throw error;
      this.host.broken(error.message);
    }
    return true;
  }

  #answers(foreign: Exclude<Foreign, { kind: 'foreign' }>): boolean {
    const { request } = foreign.body;
    if (request && !this.#isOwn(request)) return false;
    if (foreign.kind === 'error') this.#refused(foreign.body);
    else this.#detached(foreign);
    return true;
  }

  #refused(refusal: Refusal): void {
    if (refusal.request) this.#asked.get(refusal.request)?.refused(refusal);
    else if (refusal.channel) for (const asker of this.#askers) asker.takenOut?.(refusal);
    else this.#watchers.get(refusal.channelId)?.faulted(refusal);
  }

  #detached(frame: Extract<Answer, { kind: 'detached' }>): void {
    if (frame.body.request) this.#answered(frame);
    else this.#watchers.get(frame.body.channelId)?.faulted(undefined);
  }

  #told(frame: PresenceFrame): void {
    if ('request' in frame.body) this.#answered(frame as Answer);
    // What was on its way when the watch ended is of no interest.
    else this.#watchers.get(frame.body.channelId)?.told(frame as Told);
  }

  #answered(answer: Answer): void {
    if (this.#asker(answer.kind, answer.body.request)?.answered(answer) === false) this.#unasked(answer.kind);
  }

  /** Who asked; nobody, if what was asked is of no interest any more. What stands is answered once a session. */
  #asker(kind: string, request: number): Asker | undefined {
    if (!this.#isOwn(request)) this.#unasked(kind);
    return this.#asked.get(request);
  }

  #isOwn(request: number): boolean {
    return request > REQUESTS_FROM && request <= this.#requests;
  }

  #unasked(kind: string): void {
    this.host.broken(`${kind}, in answer to nothing`);
  }
}
