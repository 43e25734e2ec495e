/** The engine of a client: its session, and batches of events and frames for the page. */

import type { Command, EngineOptions, Foreign, Measures, Notice, PageEvent, Payload, Told } from './bridge.ts';
import { type Told as Effect, Runner } from './runner.ts';
import type { Cost, Entry, ReaderEvent } from './session/message.ts';
import { Dialer, type Means } from './transport/dial.ts';
import { text } from './wire/reader.ts';
import { encodeText } from './wire/writer.ts';

/** How often the page hears what was measured, while it changes. */
const MEASURES_MS = 1_000;

/** The share of a new round trip in the smoothed one: that of TCP. */
const SMOOTHING = 1 / 8;

/**
 * Bytes of frames that wait for the page: a document of the largest kind in whole, and what is edited meanwhile. A page that
 * leaves more begins with a new session when it goes on, and is given anew what it has open.
 */
const FOREIGN_BYTES_MAX = 72 * 1024 * 1024;

/** What a frame takes beside its bytes. */
const FOREIGN_FRAME_BYTES = 64;

/** What an engine is made of. */
export interface EngineParts {
  means: Means;
  /** Tells the page. */
  tell: (notice: Notice) => void;
}

/** One client's engine. */
export class Engine {
  readonly #parts: EngineParts;
  readonly #runner: Runner;
  /** Of each subscription: whether its payloads stay bytes, and what its queued events take, oldest first. */
  readonly #queues = new Map<number, { bytes: boolean; costs: Cost[] }>();
  #batch: [number, PageEvent][] = [];
  /** A batch is with the page. */
  #isFlushing = false;
  #foreign: Foreign[] = [];
  #foreignBytes = 0;
  /** Frames are with the page. */
  #isJudging = false;
  #rttMs: number | null = null;
  #packetsLost: number | null = null;
  #measuresDue = false;

  constructor(options: EngineOptions, parts: EngineParts) {
    const { means, tell } = parts;
    this.#parts = parts;
    this.#runner = new Runner({
      identity: options,
      dialer: new Dialer(options.transports, means, options.losers, (losers) => tell({ do: 'lost', losers })),
      clock: means.clock,
      tell: (effect) => this.#perform(effect),
    });
    this.#runner.handle({ on: 'start' });
  }

  /** The page asks for something. */
  command(command: Exclude<Command, { on: 'start' }>): void {
    const runner = this.#runner;
    switch (command.on) {
      case 'flushed':
        this.#isFlushing = false;
        this.#flush();
        break;
      case 'judged':
        this.#isJudging = false;
        this.#pass();
        break;
      case 'subscribe':
        this.#queues.set(command.id, { bytes: command.bytes, costs: [] });
        runner.handle(command);
        break;
      case 'taken':
        runner.handle({ ...command, costs: this.#queues.get(command.id)?.costs.splice(0, command.events) ?? [] });
        break;
      case 'publish': {
        const { payload } = command.body;
        const bytes = typeof payload === 'string' ? encodeText(payload) : payload;
        runner.handle({ ...command, body: { ...command.body, payload: bytes } });
        break;
      }
      default:
        runner.handle(command);
    }
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'deliver': {
        const queue = this.#queues.get(effect.id);
        queue?.costs.push(effect.cost);
        this.#batch.push([effect.id, toPage(effect.event, !!queue?.bytes)]);
        this.#flush();
        this.#measure();
        break;
      }
      case 'end':
        this.#queues.delete(effect.id);
        break;
      case 'answer':
        this.#parts.tell(effect);
        this.#measure();
        break;
      case 'foreign':
        this.#hold(effect.given);
        this.#pass();
        break;
      case 'state':
        if (effect.state.kind !== 'connected') {
          // Another connection has another round trip, and frames of its own.
          this.#rttMs = this.#packetsLost = null;
          this.#release();
        }
        this.#parts.tell({ ...effect, measures: this.#measures(), url: this.#runner.url });
        break;
      case 'roundTrip':
        this.#rttMs = this.#rttMs === null ? effect.ms : this.#rttMs + (effect.ms - this.#rttMs) * SMOOTHING;
        this.#runner.connection?.measure?.().then(
          ({ smoothedRtt, packetsLost }) => {
            this.#rttMs = smoothedRtt ?? this.#rttMs;
            this.#packetsLost = packetsLost ?? this.#packetsLost;
          },
          () => {},
        );
        this.#measure();
        break;
      default:
        this.#parts.tell(effect);
    }
  }

  /** Hands the page what has gathered, if it has handled what it was handed before. */
  #flush(): void {
    if (this.#isFlushing || this.#batch.length === 0) return;
    this.#isFlushing = true;
    const events = this.#batch;
    this.#batch = [];
    this.#parts.tell({ do: 'events', events });
  }

  /** Keeps a frame for the page, or ends the session of a page that has left too many. */
  #hold(given: Foreign): void {
    this.#foreign.push(given);
    this.#foreignBytes += FOREIGN_FRAME_BYTES + (given.kind === 'foreign' ? given.body.length : 0);
    if (this.#foreignBytes <= FOREIGN_BYTES_MAX) return;
    this.#release();
    const ending = { code: 0, reason: 'the page does not keep up' };
    // After what the session is doing: it has told of the frame.
    queueMicrotask(() => this.#runner.handle({ on: 'lost', ending }));
  }

  /** Hands the page what has gathered, if it has judged what it was handed before. */
  #pass(): void {
    if (this.#isJudging || this.#foreign.length === 0) return;
    this.#isJudging = true;
    this.#parts.tell({ do: 'foreign', given: this.#release() });
  }

  #release(): Foreign[] {
    const given = this.#foreign;
    this.#foreign = [];
    this.#foreignBytes = 0;
    return given;
  }

  #measure(): void {
    if (this.#measuresDue) return;
    this.#measuresDue = true;
    const { means, tell } = this.#parts;
    const { clock } = means;
    clock.at(clock.now() + MEASURES_MS, () => {
      this.#measuresDue = false;
      tell({ do: 'measures', measures: this.#measures() });
    });
  }

  #measures(): Measures {
    const { counts, bytesSent, bytesReceived } = this.#runner;
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
