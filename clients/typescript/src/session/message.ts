/** What can happen to a client, and what it has done about it: the two closed lists of `session.ts`. */

import type { Failure, Position, Published, Since, State, TokenRequest, Transport, Window } from '../types.ts';
import type { ClientFrame, ForeignFrame, ServerFrame } from '../wire/frames.ts';

/** One message, its payload as it came. */
export interface Entry {
  readonly position: Position;
  readonly timeMs: number;
  /** Empty on a channel without keys. */
  readonly key: string;
  readonly deleted: boolean;
  readonly payload: Uint8Array;
  /** It was published before the channel was attached, or comes from history after a gap was closed. */
  readonly replayed: boolean;
}

/** A part of the state of a keyed channel. */
export interface StatePart {
  /** The whole state: keys in none of its parts do not exist. Otherwise only the keys that changed. */
  readonly replace: boolean;
  readonly first: boolean;
  /** Messages after `at` follow. */
  readonly last: boolean;
  readonly at: Position;
  readonly entries: Entry[];
}

/** What became of the place asked for; reasons are numbers of the schema here. */
export type RawOutcome =
  | { kind: 'resumed' }
  | { kind: 'rewound'; count: number }
  | { kind: 'discontinuity'; reason: number };

/** A channel is attached. */
export interface RawAttached {
  position: Position;
  head: number;
  outcome: RawOutcome;
  window: Window;
  keyed: boolean;
  /** No state of a keyed channel follows. */
  isWhole: boolean;
}

/** What a subscription is told, in order. */
export type ReaderEvent =
  | { type: 'attached'; attached: RawAttached }
  | { type: 'message'; message: Entry }
  | { type: 'state'; state: StatePart }
  | { type: 'skipped'; skipped: { to: number; count: number; reason: number } }
  | { type: 'lagged'; seq: number }
  | { type: 'discontinuity'; discontinuity: { reason: number; position: Position } }
  /** The last: the subscription cannot go on. */
  | { type: 'failed'; error: Failure };

/** What a queued event takes: memory, and page credit of a connection. */
export interface Cost {
  bytes: number;
  credit: number;
  connection: number;
}

/** How a connection ended. */
export interface Ending {
  /** The code it was closed with; 0 for none. */
  code: number;
  reason: string;
  retryAfterMs?: number;
  /** HTTP bases the server names to return to. */
  alternates?: string[];
  /** It went silent, rather than being told. */
  stalled?: boolean;
}

/** What a subscription asks for. */
export interface ReadOptions {
  since: Since;
  /** The number of a policy; 0 leaves it to the namespace. */
  policy: number;
}

/** What is published. */
export interface PublishBody {
  payload: Uint8Array;
  key: string;
  delete: boolean;
}

/** What can happen to a client. */
export type Input =
  | { on: 'start' }
  | { on: 'close' }
  | { on: 'subscribe'; id: number; channel: string; options: ReadOptions }
  | { on: 'unsubscribe'; id: number }
  /** The application took events of a subscription. */
  | { on: 'taken'; id: number; costs: Cost[] }
  | { on: 'publish'; ticket: number; channel: string; body: PublishBody; timeoutMs: number }
  /** The application does not wait for a publish any more. */
  | { on: 'giveUp'; ticket: number }
  | { on: 'token'; token: string }
  /** There is no token: for now, or for good. */
  | { on: 'noToken'; denied: boolean; reason: string }
  /** The connection asked for is open. */
  | { on: 'dialed'; url: string; transport: Transport; nodes: string[] }
  | { on: 'dialFailed'; reason: string }
  | { on: 'frame'; frame: ServerFrame | ForeignFrame; bytes: number }
  /** What came is not a frame. */
  | { on: 'badFrame'; reason: string }
  /** The connection ended without a Goodbye. */
  | { on: 'lost'; ending: Ending }
  /**
   * A frame that the page wrote is to be sent: if a session is open, and, with a slot, at the start of each session that
   * follows, in place of what was in the slot. Without a frame the slot is emptied. A frame in a slot below 0 may get lost.
   * One that names a session, as `counts.sessions` numbers them, is sent in that one only.
   */
  | { on: 'pass'; slot: number; body: Uint8Array<ArrayBuffer> | undefined; session?: number }
  /** It is later. */
  | { on: 'wake' }
  /** The page is looked at again, or the network is back. */
  | { on: 'nudge' };

/** A state; the name of a close code is not known here, but the bytes of a frame that the server takes are. */
export type RawState =
  | Exclude<State, { kind: 'closed' | 'connected' }>
  | (Extract<State, { kind: 'connected' }> & { readonly frameBytes: number })
  | { readonly kind: 'closed'; readonly reason: { readonly code: number; readonly reason: string } };

/** What is done about it. */
export type Effect =
  /** Connect to one of these nodes; give up what is being dialed. */
  | { do: 'dial'; urls: string[] }
  | { do: 'askToken'; why: TokenRequest }
  | { do: 'send'; frame: ClientFrame | ForeignFrame; isLossy?: boolean }
  /** A frame is for the page to judge: of a kind that the session does not know, or about nothing it asked for. */
  | { do: 'foreign'; given: ForeignFrame | Extract<ServerFrame, { kind: 'error' | 'detached' }> }
  /** End the connection, after what was sent. */
  | { do: 'hangup'; stalled: boolean }
  | { do: 'deliver'; id: number; event: ReaderEvent; cost: Cost }
  /** Nothing more is handed to a subscription. */
  | { do: 'end'; id: number }
  /** Tell who published what became of it. */
  | { do: 'answer'; ticket: number; outcome: Published | Failure }
  | { do: 'state'; state: RawState }
  /** A ping was answered. */
  | { do: 'roundTrip'; ms: number };

/** What the server did that the protocol does not allow, to read after "the server sent". */
export class Violation extends Error {}
