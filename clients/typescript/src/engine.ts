/** The engine of a client: its session, and batches of events for the page. */

import type { Command, EngineOptions, Measures, Notice, PageEvent, Payload, Told } from './bridge.ts';
import type { Clock } from './clock.ts';
import { noCounts } from './counts.ts';
import { type Told as Effect, Runner } from './runner.ts';
import type { Cost, Entry, RawState, ReaderEvent } from './session/message.ts';
import { Dialer, type Means } from './transport/dial.ts';
import { text } from './wire/reader.ts';
import { encodeText } from './wire/writer.ts';

/** How often the page hears what was measured, while it changes. */
const MEASURES_MS = 1_000;

/** The share of a new round trip in the smoothed one: that of TCP. */
const SMOOTHING = 1 / 8;

/** What an engine is made of. */
export interface EngineParts {
  means: Means;
  clock: Clock;
  random: () => number;
  /** Tells the page. */
  tell: (notice: Notice) => void;
}

/** One client's engine. */
export class Engine {
  readonly #parts: EngineParts;
  #main: Runner | undefined;
  /** What each subscription's queued events take, oldest first. */
  readonly #costs = new Map<number, Cost[]>();
  /** Subscriptions whose payloads stay bytes. */
  readonly #bytes = new Set<number>();
  #batch: [number, PageEvent][] = [];
  /** A batch is with the page. */
  #isFlushing = false;
  #rttMs: number | null = null;
  #packetsLost: number | null = null;
  #measuresDue = false;

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** The page asks for something. */
  command(command: Command): void {
    const main = this.#main;
    switch (command.on) {
      case 'start':
        this.#start(command.options);
        break;
      case 'flushed':
        this.#isFlushing = false;
        this.#flush();
        break;
      case 'subscribe':
        this.#costs.set(command.id, []);
        if (command.bytes) this.#bytes.add(command.id);
        main?.handle(command);
        break;
      case 'taken': {
        const { on, id, events } = command;
        main?.handle({ on, id, costs: this.#costs.get(id)?.splice(0, events) ?? [] });
        break;
      }
      case 'publish': {
        const { payload } = command.body;
        const bytes = typeof payload === 'string' ? encodeText(payload) : payload;
        main?.handle({ ...command, body: { ...command.body, payload: bytes } });
        break;
      }
      default:
        main?.handle(command);
    }
  }

  #start(options: EngineOptions): void {
    const { means, clock, random, tell } = this.#parts;
    this.#main = new Runner({
      identity: options,
      dialer: new Dialer(options.transports, means, options.losers, (losers) => tell({ type: 'lost', losers })),
      clock,
      random,
      tell: (effect) => this.#perform(effect),
    });
    this.#main.handle({ on: 'start' });
  }

  #perform(effect: Effect): void {
    const { tell } = this.#parts;
    switch (effect.do) {
      case 'deliver':
        this.#costs.get(effect.id)?.push(effect.cost);
        this.#batch.push([effect.id, toPage(effect.event, this.#bytes.has(effect.id))]);
        this.#flush();
        this.#measure();
        break;
      case 'end':
        this.#costs.delete(effect.id);
        this.#bytes.delete(effect.id);
        break;
      case 'answer':
        tell({ type: 'answer', ticket: effect.ticket, outcome: effect.outcome });
        this.#measure();
        break;
      case 'askToken':
        tell({ type: 'askToken', why: effect.why });
        break;
      case 'state':
        this.#stateChanged(effect.state);
        break;
      case 'roundTrip':
        this.#rttMs = this.#rttMs === null ? effect.ms : this.#rttMs + (effect.ms - this.#rttMs) * SMOOTHING;
        this.#main?.connection?.measure?.().then(
          ({ smoothedRtt, packetsLost }) => {
            this.#rttMs = smoothedRtt ?? this.#rttMs;
            this.#packetsLost = packetsLost ?? this.#packetsLost;
          },
          () => {},
        );
        this.#measure();
        break;
    }
  }

  #stateChanged(state: RawState): void {
    // Another connection has another round trip.
    if (state.kind !== 'connected') this.#rttMs = this.#packetsLost = null;
    this.#parts.tell({ type: 'state', state, measures: this.#measures(), url: this.#main?.url ?? '' });
  }

  /** Hands the page what has gathered, if it has handled what it was handed before. */
  #flush(): void {
    if (this.#isFlushing || this.#batch.length === 0) return;
    this.#isFlushing = true;
    const events = this.#batch;
    this.#batch = [];
    this.#parts.tell({ type: 'events', events });
  }

  #measure(): void {
    if (this.#measuresDue) return;
    this.#measuresDue = true;
    const { clock, tell } = this.#parts;
    clock.at(clock.now() + MEASURES_MS, () => {
      this.#measuresDue = false;
      tell({ type: 'measures', measures: this.#measures() });
    });
  }

  #measures(): Measures {
    const { counts = noCounts(), bytesSent = 0, bytesReceived = 0 } = this.#main ?? {};
    return { ...counts, rttMs: this.#rttMs, packetsLost: this.#packetsLost, bytesSent, bytesReceived };
  }
}

function toPage(event: ReaderEvent, bytes: boolean): PageEvent {
  if (event.type === 'message') return { type: 'message', message: toTold(event.message, bytes) };
  if (event.type !== 'state') return event;
  const entries = event.state.entries.map((entry) => toTold(entry, bytes));
  return { type: 'state', state: { ...event.state, entries } };
}

/** Texts are copied between threads in one piece; bytes are cut free of the frame they came in. */
function toTold(entry: Entry, bytes: boolean): Told {
  const payload: Payload = (bytes ? undefined : text(entry.payload)) ?? entry.payload.slice();
  return { ...entry, payload };
}
