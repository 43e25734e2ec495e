/**
 * What is queued for one subscription, and whether more has room.
 *
 * Live messages are bounded here. Pages and states are bounded by the client's page credit instead, which comes back to
 * the server only when the application took them.
 */

import type { Cost } from './message.ts';

/**
 * Events queued for the application before live messages are left with the server, and pulled when it has caught up.
 * 8,192 carry a page that draws no frame for a second through 5,000 messages a second.
 */
const EVENTS_MAX = 8_192;

/** Bytes queued for the application, bounded like events. */
const BYTES_MAX = 4 * 1024 * 1024;

/** Bytes that an event takes beside its payload and key, about: a million empty messages are not free. */
const EVENT_BYTES = 160;

/** The cost of an event with so many bytes of payload and key, and no credit. */
export const costOf = (bytes: number): Cost => ({ bytes: bytes + EVENT_BYTES, credit: 0, connection: 0 });

/** The room of one subscription's queue. */
export class Room {
  #events = 0;
  #bytes = 0;
  /** Page credit that is held by what is queued on this connection. */
  credit = 0;
  #connection = 0;

  /** Whether a live message may be queued. */
  get hasRoom(): boolean {
    return this.#events < EVENTS_MAX && this.#bytes < BYTES_MAX;
  }

  /** Whether a queue that was full may be filled again: when it is half empty, so that one Pull fetches many. */
  get hasRoomAgain(): boolean {
    return this.#events <= EVENTS_MAX / 2 && this.#bytes <= BYTES_MAX / 2;
  }

  queued({ bytes, credit, connection }: Cost): void {
    this.#events++;
    this.#bytes += bytes;
    if (!credit) return;
    if (connection > this.#connection) this.credit = 0;
    this.#connection = connection;
    this.credit += credit;
  }

  /** The application took this: the page credit that is free again. */
  taken(cost: Cost): Cost {
    this.#events--;
    this.#bytes -= cost.bytes;
    const held = cost.connection === this.#connection ? Math.min(this.credit, cost.credit) : 0;
    this.credit -= held;
    return { ...cost, credit: held };
  }

  /** Gives up the page credit that is held by what is queued: it is free again before it was taken. */
  release(): Cost {
    const credit = this.credit;
    this.credit = 0;
    return { bytes: 0, credit, connection: this.#connection };
  }
}
