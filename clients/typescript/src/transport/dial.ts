/**
 * From a node's HTTP base to an open connection. Browsers give no usable deadline, so it is ours; WebTransport gets a
 * head start, and where it lost or stalled, the WebSocket goes alone for a while.
 */

import type { Clock } from '../clock.ts';
import type { Node } from '../discovery.ts';
import type { Connect, Connection, Listener } from '../transport.ts';
import type { Transport } from '../types.ts';

/** The time for all of it with one node. */
const DIAL_MS_MAX = 5_000;

/** What WebTransport gets before the WebSocket is tried too: a round trip around the world, and one retransmission. */
const HEAD_START_MS = 500;

/**
 * What a node gets before the next one is tried too. Discovery and a handshake take a tenth of it; the operating system
 * says nothing for long of a machine that is gone.
 */
const NEXT_NODE_MS = 1_000;

/** How long a loser is remembered: long enough not to pay the head start again and again, short enough to notice. */
const LOSER_MS = 5 * 60_000;

/** A connection, and the neighbours of its node. */
export interface Dialed {
  /** The node that it leads to. */
  url: string;
  connection: Connection;
  nodes: string[];
}

/** What a dialer is made of. */
export interface Means {
  /** How each transport connects; one that is absent cannot be used here. */
  connect: Partial<Record<Transport, Connect>>;
  discover: (base: string, signal: AbortSignal) => Promise<Node>;
  clock: Clock;
}

/** For how long WebTransport is left out, in milliseconds, by the origin of the node. */
export type Losers = Readonly<Record<string, number>>;

/** Makes connections. */
export class Dialer {
  /** Until when WebTransport is not tried, by origin. */
  readonly #losers = new Map<string, number>();

  /** `losers` is what was told before, by this client or another of the same browser. */
  constructor(
    private readonly transports: readonly Transport[],
    private readonly means: Means,
    losers: Losers,
    private readonly tell: (loser: Losers) => void,
  ) {
    for (const [origin, leftMs] of Object.entries(losers)) {
      this.#losers.set(origin, means.clock.now() + Math.min(leftMs, LOSER_MS));
    }
  }

  /** Connects to one of the nodes at these HTTP bases: to the first if it answers soon. Aborted, it closes what it opened. */
  dial(bases: readonly string[], listener: Listener, outer: AbortSignal): Promise<Dialed> {
    const attempts = bases.map((base) => (signal: AbortSignal) => this.#dial(base, listener, signal));
    return race(attempts, NEXT_NODE_MS, this.means.clock, outer, ({ connection }) => connection.close(1000, ''));
  }

  #dial(base: string, listener: Listener, outer: AbortSignal): Promise<Dialed> {
    const { clock } = this.means;
    const deadline = new AbortController();
    return new Promise<Dialed>((resolve, reject) => {
      const abandon = () => {
        reject(new Error(`${base} did not answer within ${DIAL_MS_MAX / 1_000} s`));
        deadline.abort();
      };
      // Whoever races gives each attempt a signal of its own, which goes with it.
      outer.addEventListener('abort', abandon);
      const cancel = clock.at(clock.now() + DIAL_MS_MAX, abandon);
      this.#connect(base, listener, deadline.signal).then(resolve, reject).finally(cancel);
    });
  }

  /** WebTransport to this node lost, or went silent: a network that swallows UDP does that. */
  stalled(base: string): void {
    this.#losers.set(origin(base), this.means.clock.now() + LOSER_MS);
    this.tell({ [origin(base)]: LOSER_MS });
  }

  async #connect(base: string, listener: Listener, signal: AbortSignal): Promise<Dialed> {
    const { clock, connect } = this.means;
    const node = await this.means.discover(base, signal);
    const attempt = (transport: Transport): Attempt<Connection> | undefined => {
      const [by, address] = [connect[transport], node[transport]];
      return by && address && this.transports.includes(transport) ? (inner) => by(address, listener, inner) : undefined;
    };
    const websocket = attempt('websocket');
    const isLoser = (this.#losers.get(origin(base)) ?? 0) > clock.now();
    const webtransport = websocket && isLoser ? undefined : attempt('webtransport');
    const attempts = [webtransport, websocket].filter((one) => one !== undefined);
    if (attempts.length === 0) throw new Error(`no transport in common with ${base}; allow WebSocket`);
    const connection = await race(attempts, HEAD_START_MS, clock, signal, (late) => late.close(1000, ''));
    if (webtransport && connection.transport === 'websocket') this.stalled(base);
    return { url: base, connection, nodes: node.neighbours };
  }
}

type Attempt<T> = (signal: AbortSignal) => Promise<T>;

/**
 * The first to succeed. Each starts when those before it have had their time, or one of them has failed; the losers are
 * given up, and what one of them opens late is closed.
 */
function race<T>(
  attempts: readonly Attempt<T>[],
  headStartMs: number,
  clock: Clock,
  outer: AbortSignal,
  close: (late: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const contenders: AbortController[] = [];
    const errors: string[] = [];
    let failed = 0;
    let cancel = () => {};
    const start = (attempt: Attempt<T>) => {
      const own = new AbortController();
      const at = contenders.push(own) - 1;
      outer.addEventListener('abort', () => own.abort());
      attempt(own.signal).then(
        (won) => {
          if (own.signal.aborted) return close(won);
          cancel();
          for (const other of contenders) if (other !== own) other.abort();
          resolve(won);
        },
        ({ message }: Error) => {
          errors[at] = message;
          failed++;
          // Of those that were given up nobody waits for the next.
          if (!own.signal.aborted) next();
          else if (outer.aborted) reject(new Error(message));
        },
      );
    };
    const next = () => {
      cancel();
      const attempt = attempts[contenders.length];
      if (attempt) start(attempt);
      else if (failed === attempts.length) reject(new Error(errors.join('; ')));
      if (contenders.length < attempts.length) cancel = clock.at(clock.now() + headStartMs, next);
    };
    next();
  });
}

const origin = (base: string): string => new URL(base).origin;
