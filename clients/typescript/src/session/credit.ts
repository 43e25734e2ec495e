/**
 * How many bytes of pages the server may send. It starts with a window and loses what each Page or Snapshot takes; what
 * the application took comes back with Credit frames. Pages that nobody reads pile up to one window, in the client and
 * on the way together, and the rest of history stays with the server.
 */

import { PAGE_BYTES_MAX, PAGE_CREDIT_BYTES_DEFAULT } from '../limits.ts';
import { type Cost, Violation } from './message.ts';

/** Two full pages: one travels while the application works on the other. */
export const WINDOW_BYTES = PAGE_CREDIT_BYTES_DEFAULT;

/** Returned bytes are granted together once they are as many: few frames, and room for a full page is never held back. */
const GRANT_BYTES = WINDOW_BYTES / 4;

/** The page credit of a client. */
export class PageCredit {
  /** Counts connections: the credit of an earlier one is void. */
  connection = 0;
  #used = 0;
  #returned = 0;

  /** A new connection starts with a full window. */
  connected(): void {
    this.connection++;
    this.#used = 0;
    this.#returned = 0;
  }

  /** A page of so many bytes came. */
  received(bytes: number): Cost {
    this.#used += bytes;
    // One page more than the window is let pass: whether the last may overdraw it is a matter of reading.
    if (this.#used > WINDOW_BYTES + PAGE_BYTES_MAX) throw new Violation('more pages than the credit allows');
    return { bytes: 0, credit: bytes, connection: this.connection };
  }

  /** Whether the server may send a full page. */
  coversAPage(): boolean {
    return this.#used + PAGE_BYTES_MAX <= WINDOW_BYTES;
  }

  /** What a page used is free again. */
  giveBack(cost: Cost): void {
    if (cost.connection === this.connection) this.#returned += cost.credit;
  }

  /** The grant to send, if it is worth a frame. */
  grant(): number {
    const bytes = this.#returned;
    if (bytes < GRANT_BYTES) return 0;
    this.#returned = 0;
    this.#used -= bytes;
    return bytes;
  }
}
