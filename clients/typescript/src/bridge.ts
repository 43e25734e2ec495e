/**
 * What crosses between a page and its engine, which runs in a worker or beside the page: plain values only.
 *
 *     page (client.ts, channel.ts)  ── Command ──▶  engine.ts (session rules, transports)
 *                                   ◀── Notice ───
 *
 * Events cross in batches, one at a time: the next follows when the page has handled the last (`flushed`), so that a
 * page that draws slowly gets few large batches and a worker never floods it. So do frames that are for the page to judge
 * (`judged`), beside them: those do not wait until the page draws.
 */

import type { Browser } from './browser.ts';
import type { Effect, Input, RawAttached, RawState, ReadOptions } from './session/message.ts';
import type { Losers } from './transport/dial.ts';
import type { Counts, Failure, Position, Transport } from './types.ts';

/** A payload: text where it is UTF-8 and the channel is not one of bytes. */
export type Payload = string | Uint8Array;

/** One message on its way to the page. */
export interface Told {
  position: Position;
  timeMs: number;
  key: string;
  deleted: boolean;
  payload: Payload;
  replayed: boolean;
}

/** What happened on a subscription. */
export type PageEvent =
  | { type: 'message'; message: Told }
  | { type: 'state'; state: { replace: boolean; first: boolean; last: boolean; at: Position; entries: Told[] } }
  | { type: 'attached'; attached: RawAttached }
  | { type: 'skipped'; skipped: { to: number; count: number; reason: number } }
  | { type: 'lagged'; seq: number }
  | { type: 'discontinuity'; discontinuity: { reason: number; position: Position } }
  | { type: 'failed'; error: Failure };

/** How an engine is set up. */
export interface EngineOptions {
  urls: string[];
  token: string;
  hasProvider: boolean;
  transports: Transport[];
  publisher: Uint8Array;
  client: Uint8Array;
  agent: string;
  browser: Browser;
  /** What `lost` told, here or in a page before this one, and what is left of it. */
  losers: Losers;
}

/** What the engine measures. */
export interface Measures extends Counts {
  /** Smoothed round trip; `null` before the first. */
  rttMs: number | null;
  /** Packets lost by the connection in use, where the browser tells. */
  packetsLost: number | null;
  bytesSent: number;
  bytesReceived: number;
}

/** What a page asks for: some inputs of the session, as they are, and what the engine translates. */
export type Command =
  | Extract<Input, { on: 'unsubscribe' | 'giveUp' | 'token' | 'noToken' | 'nudge' | 'close' | 'pass' | 'badFrame' }>
  | { on: 'start'; options: EngineOptions }
  | { on: 'subscribe'; id: number; channel: string; options: ReadOptions; bytes: boolean }
  /** So many events of a subscription are off its queue. */
  | { on: 'taken'; id: number; events: number }
  /** The last batch is handled. */
  | { on: 'flushed' }
  /** The last frames are judged. */
  | { on: 'judged' }
  | { on: 'publish'; ticket: number; channel: string; body: PagePublish; timeoutMs: number };

/** A frame that is for the page to judge. */
export type Foreign = Extract<Effect, { do: 'foreign' }>['given'];

/** What is published. */
export interface PagePublish {
  key: string;
  delete: boolean;
  payload: Payload;
}

/** What an engine has a page do: some effects of the session, as they are, and what the engine translates. */
export type Notice =
  | Extract<Effect, { do: 'answer' | 'askToken' }>
  /** It is there, and takes commands. */
  | { do: 'ready' }
  | { do: 'events'; events: [id: number, event: PageEvent][] }
  | { do: 'foreign'; given: Foreign[] }
  /** With the node that was reached last. */
  | { do: 'state'; state: RawState; measures: Measures; url: string }
  | { do: 'measures'; measures: Measures }
  /** WebTransport lost, and is left out for so long. A worker has no storage: the page keeps it. */
  | { do: 'lost'; losers: Losers };
