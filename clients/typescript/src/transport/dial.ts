/**
 * From a node's HTTP base to an open connection. Browsers give no usable deadline, so it is ours; WebTransport gets a
 * head start, and where it lost or stalled, the WebSocket goes alone for a while.
 */

import type { Clock } from '../clock.ts';
import type { Node } from '../discovery.ts';
import type { Connect, Connection, Listener } from '../transport.ts';
import type { Transport } from '../types.ts';

/** The time for all of it. */
const DIAL_MS_MAX = 5_000;

/** What WebTransport gets before the WebSocket is tried too: a round trip around the world, and one retransmission. */
const HEAD_START_MS = 500;

/** How long a loser is remembered: long enough not to pay the head start again and again, short enough to notice. */
const LOSER_MS = 5 * 60_000;

/** A connection, and the neighbours of its node. */
export interface Dialed {
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

  /** Connects to the node at an HTTP base. Aborted, it closes what it opened. */
  async dial(base: string, listener: Listener, outer: AbortSignal): Promise<Dialed> {
    const { clock } = this.means;
    const deadline = new AbortController();
    const abandon = () => deadline.abort();
    outer.addEventListener('abort', abandon);
    const cancel = clock.at(clock.now() + DIAL_MS_MAX, abandon);
    const late = new Promise<never>((_, reject) => {
      deadline.signal.addEventListener('abort', () =>
        reject(new Error(`${base} did not answer within ${DIAL_MS_MAX / 1_000} s`)),
      );
    });
    try {
      return await Promise.race([this.#connect(base, listener, deadline.signal), late]);
    } finally {
      cancel();
      outer.removeEventListener('abort', abandon);
    }
  }

  /** A connection to this node went silent: a network that swallows UDP does that. */
  stalled(base: string, transport: Transport): void {
    if (transport !== 'webtransport') return;
    this.#losers.set(origin(base), this.means.clock.now() + LOSER_MS);
    this.tell({ [origin(base)]: LOSER_MS });
  }

  async #connect(base: string, listener: Listener, signal: AbortSignal): Promise<Dialed> {
    const { clock, connect } = this.means;
    const node = await this.means.discover(base, signal);
    const attempt = (transport: Transport): Attempt | undefined => {
      const [by, address] = [connect[transport], node[transport]];
      return by && address && this.transports.includes(transport) ? (inner) => by(address, listener, inner) : undefined;
    };
    const websocket = attempt('websocket');
    const isLoser = (this.#losers.get(origin(base)) ?? 0) > clock.now();
    const webtransport = websocket && isLoser ? undefined : attempt('webtransport');
    const first = webtransport ?? websocket;
    if (!first) throw new Error(`no transport in common with ${base}; allow WebSocket`);
    const connection = await race(first, webtransport && websocket, clock, signal);
    if (webtransport && connection.transport === 'websocket') this.stalled(base, 'webtransport');
    return { connection, nodes: node.neighbours };
  }
}

type Attempt = (signal: AbortSignal) => Promise<Connection>;

/** The first to succeed. The second starts after the head start, or when the first has failed; the loser is closed. */
export async function race(
  first: Attempt,
  second: Attempt | undefined,
  clock: Clock,
  outer: AbortSignal,
): Promise<Connection> {
  const contenders: AbortController[] = [];
  const start = async (attempt: Attempt): Promise<Connection> => {
    const own = new AbortController();
    contenders.push(own);
    outer.addEventListener('abort', () => own.abort());
    const connection = await attempt(own.signal);
    if (own.signal.aborted) {
      connection.close(1000, '');
      throw new Error('given up');
    }
    // The winner: whatever else was started is given up.
    for (const other of contenders) if (other !== own) other.abort();
    return connection;
  };
  const leading = start(first);
  if (!second) return leading;
  let cancel = () => {};
  const headStart = new Promise<void>((resolve) => {
    cancel = clock.at(clock.now() + HEAD_START_MS, resolve);
    leading.catch(resolve);
  });
  const following = headStart.then(() => start(second));
  try {
    return await Promise.any([leading, following]);
  } catch (error) {
    const [one, other] = (error as AggregateError).errors as Error[];
    throw new Error(`${one?.message}; ${other?.message}`);
  } finally {
    cancel();
  }
}

const origin = (base: string): string => new URL(base).origin;
