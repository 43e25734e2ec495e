/** Carries out what the rules of one session say: connections and timers. Everything else is its owner's business. */

import type { Clock } from './clock.ts';
import type { Effect, Input } from './session/message.ts';
import { type Identity, Session } from './session.ts';
import type { Dialer } from './transport/dial.ts';
import type { Connection, Listener } from './transport.ts';
import type { Counts } from './types.ts';
import { check } from './wire/check.ts';
import { FrameFault } from './wire/fault.ts';
import { decode, encode } from './wire/frame.ts';
import {
  CLIENT,
  type ClientBodies,
  type ForeignFrame,
  SERVER,
  type ServerBodies,
  type ServerFrame,
} from './wire/frames.ts';

/** What is left to the owner of a runner. */
export type Told = Exclude<Effect, { do: 'dial' | 'send' | 'hangup' }>;

/** What a runner is made of. */
export interface Parts {
  identity: Identity;
  dialer: Dialer;
  clock: Clock;
  tell: (effect: Told) => void;
}

/** One session that runs. */
export class Runner {
  bytesSent = 0;
  bytesReceived = 0;
  connection: Connection | undefined;
  /** The node that was reached last. */
  url = '';
  readonly #session: Session;
  readonly #parts: Parts;
  #dialing = new AbortController();
  #cancel = () => {};
  /** The code of the Goodbye that was sent last. */
  #farewell: [code: number, reason: string] = [1000, ''];

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#session = new Session(parts.identity, Math.random);
  }

  get counts(): Readonly<Counts> {
    return this.#session.counts;
  }

  /** Something happened. */
  handle(input: Input): void {
    const { clock } = this.#parts;
    for (const effect of this.#session.handle(input, clock.now())) this.#perform(effect);
    this.#cancel();
    const at = this.#session.wakeAt;
    this.#cancel = at < Infinity ? clock.at(at, () => this.handle({ on: 'wake' })) : () => {};
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'dial':
        this.#dial(effect.urls);
        break;
      case 'send': {
        const { frame } = effect;
        const body = frame.kind === 'foreign' ? frame.body : encode<ClientBodies>(CLIENT, frame);
        if (frame.kind === 'goodbye') this.#farewell = [frame.body.code, frame.body.reason];
        this.bytesSent += body.length;
        this.connection?.send(body, effect.isLossy);
        break;
      }
      case 'hangup':
        if (effect.stalled && this.connection?.transport === 'webtransport') this.#parts.dialer.stalled(this.url);
        this.#dialing.abort();
        this.connection?.close(...this.#farewell);
        this.connection = undefined;
        this.#farewell = [1000, ''];
        break;
      default:
        this.#parts.tell(effect);
    }
  }

  #dial(urls: string[]): void {
    this.#dialing.abort();
    const dialing = new AbortController();
    this.#dialing = dialing;
    // What a connection that was given up still tells is of no interest.
    const current = (act: () => void) => {
      if (!dialing.signal.aborted) act();
    };
    const listener: Listener = {
      received: (body) => current(() => this.#received(body)),
      broken: (reason) => current(() => this.handle({ on: 'badFrame', reason })),
      lost: (ending) => current(() => this.handle({ on: 'lost', ending })),
    };
    this.#parts.dialer.dial(urls, listener, dialing.signal).then(
      ({ url, connection, nodes }) => {
        if (dialing.signal.aborted) {
          connection.close(1000, '');
          return;
        }
        this.url = url;
        this.connection = connection;
        this.handle({ on: 'dialed', url, transport: connection.transport, nodes });
      },
      (error: Error) => current(() => this.handle({ on: 'dialFailed', reason: error.message })),
    );
  }

  #received(body: Uint8Array<ArrayBuffer>): void {
    this.bytesReceived += body.length;
    let frame: ServerFrame | ForeignFrame;
    try {
      frame = decode<ServerBodies>(SERVER, body);
      check(frame);
    } catch (error) {
      if (!(error instanceof FrameFault)) throw error;
      this.handle({ on: 'badFrame', reason: error.message });
      return;
    }
    this.handle({ on: 'frame', frame, bytes: body.length });
  }
}
