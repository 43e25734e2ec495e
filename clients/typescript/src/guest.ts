/** What reads and writes frames of its own over a client's sessions, as presence and documents do. */

import type { Foreign } from './bridge.ts';
import type { StarlingError } from './errors.ts';

/** What a client tells its guest. */
export interface Guest {
  /** A session has opened, or is over; or the client has closed. */
  changed(): void;
  /** A frame that is none of the session's own: whether it is for this guest. */
  frame(foreign: Foreign): boolean;
}

/** What a guest may ask its client for. */
export interface Host {
  connect(): void;
  isConnected(): boolean;
  /** The number of the session that is open; 0 for none. */
  session(): number;
  /** Bytes of a frame that the session takes. */
  frameBytes(): number;
  /** What may get lost goes in datagrams, so that it may. */
  hasDatagrams(): boolean;
  /**
   * Sends a frame; in a slot it also stands, and each session that follows begins with it. Nothing empties the slot. Below 0
   * it may get lost. With the number of a session it goes into that one or none: what it names may be something else in
   * another.
   */
  pass(slot: number, body: Uint8Array<ArrayBuffer> | undefined, session?: number): void;
  /** The server sent something wrong. */
  broken(reason: string): void;
  /** Why nothing more can be asked for, if it cannot. */
  closed(): StarlingError | undefined;
}
