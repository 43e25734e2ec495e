/** One client and one server under simulated time, on a link that delays and breaks. A seed decides everything. */

import type { Cost, Effect, Input, ReaderEvent } from '../../src/session/message.ts';
import { Session } from '../../src/session.ts';
import type { Failure, Published } from '../../src/types.ts';
import { check } from '../../src/wire/check.ts';
import { decode, encode } from '../../src/wire/frame.ts';
import { CLIENT, type ClientBodies, SERVER, type ServerBodies } from '../../src/wire/frames.ts';
import { Served, Server } from './server.ts';

/** Dice that fall the same way for the same seed: mulberry32. */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How a link breaks. */
export type Cut = 'closed' | 'dead' | 'dead-up' | 'dead-down';

interface Link {
  served: Served;
  cut: Cut | undefined;
  /** Bodies arrive in order: none before these times. */
  upAt: number;
  downAt: number;
}

interface Due {
  at: number;
  act: () => void;
}

/** Everything that happens, in order of its time. */
export class World {
  now = 0;
  readonly random: () => number;
  readonly server: Server;
  readonly session: Session;
  readonly events = new Map<number, ReaderEvent[]>();
  readonly answers = new Map<number, Published | Failure>();
  states: string[] = [];
  /** The application takes events; otherwise its queue fills. */
  isReading = true;
  /** Connections can be made. */
  isReachable = true;
  readonly #queued: [number, Cost][] = [];
  readonly #due: Due[] = [];
  #link: Link | undefined;
  #wakeAt = Infinity;

  constructor(seed: number) {
    this.random = dice(seed);
    this.server = new Server(this.random);
    const publisher = new Uint8Array(16).fill(7);
    const client = new Uint8Array(16).fill(9);
    const identity = {
      publisher,
      client,
      agent: 'test',
      token: '',
      hasProvider: false,
      urls: ['http://a', 'http://b'],
    };
    this.session = new Session(identity, this.random);
  }

  /** Does something after a while. */
  after(ms: number, act: () => void): void {
    const at = this.now + ms;
    // Kept in order, the latest first: most of what comes is due soon.
    let place = this.#due.length;
    while (place > 0 && (this.#due[place - 1] as Due).at <= at) place--;
    this.#due.splice(place, 0, { at, act });
  }

  /** Lets time pass. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = this.#due.at(-1)?.at ?? Infinity;
      const at = Math.min(due, this.#wakeAt);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      if (due <= this.#wakeAt) this.#due.pop()?.act();
      else this.handle({ on: 'wake' });
    }
    this.now = end;
  }

  /** Something happens to the client. */
  handle(input: Input): void {
    for (const effect of this.session.handle(input, this.now)) this.#perform(effect);
    // A rule that asks to be woken in the past, again and again, would never let time pass.
    this.#wakeAt = Math.max(this.now + 0.01, this.session.wakeAt);
  }

  /** Breaks the connection that there is. */
  cut(how: Cut): void {
    const link = this.#link;
    if (!link || link.cut) return;
    link.cut = how;
    if (how !== 'closed') return;
    link.served.isClosed = true;
    this.after(this.#delay(), () => {
      if (this.#link === link) this.handle({ on: 'lost', ending: { code: 0, reason: 'cut' } });
    });
  }

  /** The server has something new: it tells its readers. */
  serve(): void {
    const link = this.#link;
    if (link && !link.served.isClosed) link.served.tick();
  }

  /** The application takes what is queued. */
  read(): void {
    for (const [id, cost] of this.#queued.splice(0)) this.handle({ on: 'taken', id, costs: [cost] });
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'dial':
        this.after(this.#delay(), () => this.#dialed(effect.urls[0] as string));
        break;
      case 'send': {
        const link = this.#link;
        const { frame } = effect;
        const body = frame.kind === 'foreign' ? frame.body : encode<ClientBodies>(CLIENT, frame);
        if (!link) break;
        link.upAt = Math.max(link.upAt, this.now + this.#delay());
        this.after(link.upAt - this.now, () => {
          if (!link.cut || link.cut === 'dead-down') link.served.receive(body, this.now);
        });
        break;
      }
      case 'hangup':
        if (this.#link) this.#link.cut ??= 'dead-down';
        this.#link = undefined;
        break;
      case 'deliver': {
        const events = this.events.get(effect.id) ?? [];
        this.events.set(effect.id, events);
        events.push(effect.event);
        this.#queued.push([effect.id, effect.cost]);
        if (this.isReading) this.after(1, () => this.isReading && this.read());
        break;
      }
      case 'answer':
        if (this.answers.has(effect.ticket)) throw new Error(`publish ${effect.ticket} has two results`);
        this.answers.set(effect.ticket, effect.outcome);
        break;
      case 'state':
        this.states.push(effect.state.kind);
    }
  }

  #dialed(url: string): void {
    if (!this.isReachable) {
      this.handle({ on: 'dialFailed', reason: 'unreachable' });
      return;
    }
    const link: Link = {
      served: new Served(this.server, (body) => {
        link.downAt = Math.max(link.downAt, this.now + this.#delay());
        this.after(link.downAt - this.now, () => {
          if (this.#link !== link || (link.cut && link.cut !== 'dead-up')) return;
          const frame = decode<ServerBodies>(SERVER, body);
          check(frame);
          this.handle({ on: 'frame', frame, bytes: body.length });
        });
      }),
      cut: undefined,
      upAt: 0,
      downAt: 0,
    };
    this.#link = link;
    this.handle({ on: 'dialed', url, transport: 'websocket', nodes: [] });
  }

  #delay(): number {
    return 1 + this.random() * 40;
  }
}
