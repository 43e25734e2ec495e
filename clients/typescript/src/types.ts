/** What applications see, as plain values; also what crosses between a page and its worker. */

import type { Policy, Reason, SkipReason } from './codes.ts';

/** A place in a channel's history. Keep it whole; compare epochs for equality only. */
export interface Position {
  /** Names one unbroken history of the channel. */
  readonly epoch: string;
  /** Number of a message in it, from 1 and without gaps. */
  readonly seq: number;
  /** Tells two messages apart that two owners gave the same number; 0 if not known. */
  readonly term: number;
}

/** How far back a channel keeps messages; the bound that is reached first counts. */
export interface Window {
  readonly messages: number;
  readonly bytes: number;
  readonly ageMs: number;
}

/** What became of the place a reader asked for. There is no fourth case. */
export type Outcome =
  | { readonly kind: 'resumed' }
  | { readonly kind: 'rewound'; readonly count: number }
  | { readonly kind: 'discontinuity'; readonly reason: Reason };

/** A channel is attached: at first, and again after each reconnect. */
export interface Attached {
  /** Delivery goes on after this position. */
  readonly position: Position;
  /** Seq of the newest message at that time: what lies between is on its way. */
  readonly head: number;
  readonly outcome: Outcome;
  readonly window: Window;
  /** Messages carry keys. */
  readonly keyed: boolean;
}

/** Messages up to and including `to` were left out for this reader, and why. */
export interface Skipped {
  readonly to: number;
  readonly count: number;
  readonly reason: SkipReason;
}

/** The messages between the last one and `position` are lost to this reader, and why. Load the state anew. */
export interface Discontinuity {
  readonly reason: Reason;
  readonly position: Position;
}

/** Where a subscription starts: with what comes from now on, with the newest messages, or after a position. */
export type Since = 'now' | { readonly messages: number } | Position;

/** A message that the server acknowledged. */
export interface Published {
  /** Where it stands. */
  readonly position: Position;
  /** Nodes that hold it. */
  readonly copies: number;
  /** The server knew it already: an earlier acknowledgement was lost on the way. */
  readonly duplicate: boolean;
}

/** What carries a session. */
export type Transport = 'webtransport' | 'websocket';

/** Why a client stopped for good. */
export interface CloseReason {
  /** The close code: 1000 if the application closed it, or a token was denied. */
  readonly code: number;
  readonly name: string;
  /** For a person. */
  readonly reason: string;
}

/**
 * How a client is doing.
 *
 *     idle ─▶ connecting ─▶ connected ─▶ reconnecting ─▶ connected …
 *                 └──────────────┴─────────────┴──▶ closed
 */
export type State =
  /** It was not started. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting' }
  | {
      readonly kind: 'connected';
      readonly transport: Transport;
      /** Name of the node it is attached to. */
      readonly node: string;
      /** Name of the session in the server's logs. */
      readonly session: string;
    }
  /** It tries again by itself. */
  | { readonly kind: 'reconnecting'; readonly attempt: number; readonly error: string }
  | { readonly kind: 'closed'; readonly reason: CloseReason };

/** Counts since the client was built. */
export interface Counts {
  /** Sessions opened. */
  sessions: number;
  /** Connections that were lost or could not be made. */
  failures: number;
  /** Connections given up because they went silent. */
  silences: number;
  /** Frames from the server that broke the rules; each ended a connection. */
  violations: number;
  /** Messages handed on, in states of keyed channels too. */
  messages: number;
  /** Messages that came again and were left out. */
  duplicates: number;
  /** Times that a seq was missing and was pulled. */
  gaps: number;
  /** Times that the application was slow and what came was left with the server. */
  overflows: number;
  /** Pulls sent. */
  pulls: number;
  /** Messages that the server left out for a slow reader. */
  skipped: number;
  /** Times that a reader lost messages, as it was told. */
  discontinuities: number;
  /** Publishes sent for the first time. */
  published: number;
  /** Publishes sent again with the same serial. */
  resent: number;
  /** Publishes acknowledged. */
  acknowledged: number;
  /** Publishes that failed, timed out, or whose outcome is unknown. */
  failed: number;
}

/** Why a token is asked for. */
export type TokenRequest = 'first' | 'refresh' | 'replace';

/** What a failure says of itself; {@link StarlingError} is its class. */
export interface Failure {
  /** What kind of failure. */
  readonly kind: 'refused' | 'timed_out' | 'outcome_unknown' | 'closed' | 'invalid' | 'aborted';
  /** The protocol's number; 0 where there is none. */
  readonly number: number;
  /** What is known beyond the kind: why it closed, what stood in the way. */
  readonly message: string;
  readonly retryAfterMs?: number;
}

export type { Policy, Reason, SkipReason };
