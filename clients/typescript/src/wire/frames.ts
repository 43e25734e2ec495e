/**
 * Every frame of the protocol, as `protocol/proto/starling/v1` has it; the comments there say what each field means.
 * Names are those of protobuf's JSON. The golden vectors keep the two together.
 */

import { type Field, type Kind, message, type Schema } from './message.ts';
import type { U64 } from './reader.ts';

/** See common.proto. */
export interface WirePosition {
  epoch: string;
  seq: number;
  term: number;
}

/** A message in a page, and what it shares with a publication and a value of a snapshot. */
export interface WireEntry {
  seq: number;
  term: number;
  timeMs: number;
  key: string;
  deleted: boolean;
  payload: Uint8Array;
}

/** Bodies of a server, by kind. */
export interface ServerBodies {
  publication: WireEntry & { channelId: number };
  ack: {
    request: number;
    serial: number;
    position?: WirePosition;
    copies: number;
    skipped: boolean;
    duplicate: boolean;
    timeMs: number;
  };
  ping: { nonce: U64 };
  pong: { nonce: U64; timeMs: number };
  page: { channelId: number; after: number; entries: WireEntry[] };
  snapshot: {
    channelId: number;
    replace: boolean;
    at?: WirePosition;
    entries: Omit<WireEntry, 'term'>[];
    last: boolean;
  };
  skipped: { channelId: number; to: number; count: number; reason: number };
  lagged: { channelId: number; seq: number };
  attached: {
    request: number;
    channelId: number;
    channel: string;
    position?: WirePosition;
    head: number;
    window?: { messages: number; bytes: number; ageMs: number };
    policy: number;
    keyed: boolean;
    resumed?: object;
    rewound?: { count: number };
    discontinuity?: { reason: number };
  };
  detached: { request: number; channelId: number };
  discontinuity: { channelId: number; reason: number; position?: WirePosition };
  error: {
    request: number;
    channelId: number;
    code: number;
    message: string;
    retryAfterMs: number;
    expectedSerial: number;
  };
  welcome: {
    version: number;
    session: string;
    node: string;
    generation: U64;
    heartbeatMs: number;
    timeMs: number;
    window?: { messages: number; bytes: number; ageMs: number };
    limits?: { frameBytes: number; channels: number; publishesInFlight: number };
    expiresMs: number;
  };
  refreshed: { request: number; expiresMs: number };
  goodbye: { code: number; reason: string; retryAfterMs: number; alternates: string[] };
}

/** Bodies of a client, by kind; what is left out is at its default. */
export interface ClientBodies {
  publish: {
    request: number;
    channel: string;
    serial: number;
    base: number;
    sinceMs: number;
    key: string;
    delete: boolean;
    payload: Uint8Array;
  };
  ping: { nonce: number };
  pong: { nonce: U64 };
  credit: { bytes: number };
  pull: { channelId: number; seq: number };
  attach: { request: number; channel: string; position?: WirePosition; rewind?: number; policy: number };
  detach: { request: number; channelId: number };
  skip: { request: number; channel: string; serial: number; base: number; sinceMs: number };
  hello: {
    versionMin: number;
    versionMax: number;
    token: string;
    publisher: Uint8Array;
    agent: string;
    pageCredit: number;
  };
  refresh: { request: number; token: string };
  goodbye: { code: number; reason: string };
}

/** One frame of either side: its kind, and the body. */
export type FrameOf<Bodies> = { [Kind in keyof Bodies]: { kind: Kind; body: Bodies[Kind] } }[keyof Bodies];

/** What a server sends. */
export type ServerFrame = FrameOf<ServerBodies>;

/** What a client sends. */
export type ClientFrame = FrameOf<ClientBodies>;

/** Fields that are numbered from 1 in this order; `null` leaves a number out. */
function fields(...list: (Field | null)[]): Schema {
  const numbered: Record<number, Field> = {};
  list.forEach((field, at) => {
    if (field) numbered[at + 1] = field;
  });
  return message(numbered);
}

const field =
  (kind: Kind) =>
  (name: string, oneof?: string): Field =>
    oneof ? [name, kind, oneof] : [name, kind];
const text = field('text');
const bytes = field('bytes');
const u64 = field('u64');
const wide = field('wide');
const u32 = field('u32');
const bool = field('bool');

const request = u64('request');
const channelId = u32('channelId');
const channel = text('channel');
const timeMs = u64('timeMs');
const key = text('key');
const payload = bytes('payload');
const reason = u32('reason');

const position = fields(text('epoch'), u64('seq'), u64('term'));
const window = fields(u64('messages'), u64('bytes'), u64('ageMs'));
const entry = [u64('seq'), u64('term'), timeMs, key, bool('deleted'), payload];
const ping = fields(wide('nonce'));
const pong = fields(wide('nonce'), timeMs);
const goodbye = fields(u32('code'), text('reason'), u32('retryAfterMs'), ['alternates', ['text']]);
const serial = [u64('serial'), u64('base'), u64('sinceMs')];

/** What a server sends, by number. */
export const SERVER = message({
  1: ['publication', fields(channelId, ...entry)],
  2: [
    'ack',
    fields(request, u64('serial'), ['position', position], u32('copies'), bool('skipped'), bool('duplicate'), timeMs),
  ],
  3: ['ping', ping],
  4: ['pong', pong],
  5: ['page', fields(channelId, u64('after'), ['entries', [fields(...entry)]])],
  6: [
    'snapshot',
    fields(
      channelId,
      bool('replace'),
      ['at', position],
      ['entries', [fields(key, u64('seq'), timeMs, bool('deleted'), payload)]],
      bool('last'),
    ),
  ],
  7: ['skipped', fields(channelId, u64('to'), u64('count'), reason)],
  8: ['lagged', fields(channelId, u64('seq'))],
  9: [
    'attached',
    fields(
      request,
      channelId,
      channel,
      ['position', position],
      u64('head'),
      ['window', window],
      u32('policy'),
      bool('keyed'),
      ['resumed', fields(), 'outcome'],
      ['rewound', fields(u64('count')), 'outcome'],
      ['discontinuity', fields(reason), 'outcome'],
    ),
  ],
  10: ['detached', fields(request, channelId)],
  11: ['discontinuity', fields(channelId, reason, ['position', position])],
  12: ['error', fields(request, channelId, u32('code'), text('message'), u32('retryAfterMs'), u64('expectedSerial'))],
  16: [
    'welcome',
    fields(
      u32('version'),
      text('session'),
      text('node'),
      wide('generation'),
      u32('heartbeatMs'),
      timeMs,
      ['window', window],
      ['limits', fields(u32('frameBytes'), u32('channels'), u32('publishesInFlight'))],
      u64('expiresMs'),
    ),
  ],
  17: ['refreshed', fields(request, u64('expiresMs'))],
  18: ['goodbye', goodbye],
});

/** What a client sends, by number. */
export const CLIENT = message({
  1: ['publish', fields(request, channel, ...serial, key, bool('delete'), payload)],
  2: ['ping', ping],
  3: ['pong', pong],
  4: ['credit', fields(u32('bytes'))],
  5: ['pull', fields(channelId, u64('seq'))],
  6: ['attach', fields(request, channel, ['position', position, 'from'], u32('rewind', 'from'), u32('policy'))],
  7: ['detach', fields(request, channelId)],
  8: ['skip', fields(request, channel, ...serial)],
  16: [
    'hello',
    fields(u32('versionMin'), u32('versionMax'), text('token'), bytes('publisher'), text('agent'), u32('pageCredit')),
  ],
  17: ['refresh', fields(request, text('token'))],
  18: ['goodbye', goodbye],
});
