/** What carries the frames of a session: the interface, of which `transport/` has the implementations. */

import type { Ending } from './session/message.ts';
import type { Transport } from './types.ts';

/** What a connection tells. Nothing comes after `lost`. */
export interface Listener {
  /** One body. The bytes belong to the listener. */
  received(body: Uint8Array<ArrayBuffer>): void;
  /** What came is not a stream of frames. */
  broken(reason: string): void;
  lost(ending: Ending): void;
}

/** What the browser measures of a connection, where it does. */
export interface Measured {
  smoothedRtt?: number;
  packetsLost?: number;
}

/** An open connection. */
export interface Connection {
  readonly transport: Transport;
  /** What may get lost goes in a datagram, where there are any. */
  send(body: Uint8Array<ArrayBuffer>, isLossy?: boolean): void;
  /** Ends it after what was sent; safe to call twice. */
  close(code: number, reason: string): void;
  measure?(): Promise<Measured>;
}

/** Where a transport of a node is. */
export interface Address {
  url: string;
  /** SHA-256 of the certificates that are taken, where no authority vouches for them. */
  hashes?: Uint8Array<ArrayBuffer>[];
}

/** Opens a connection. When the signal aborts, what was opened is closed. */
export type Connect = (address: Address, listener: Listener, signal: AbortSignal) => Promise<Connection>;
