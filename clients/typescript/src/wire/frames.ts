/**
 * Every frame of the protocol, as `protocol/proto/starling/v1` has it; the comments there say what each field means.
 * Names are those of protobuf's JSON. The golden vectors keep the two together.
 */

import { ALTERNATE_BYTES_MAX, TEXT_BYTES_MAX } from '../limits.ts';
import { fields } from './fields.ts';
import { type Field, message } from './message.ts';
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
    channel: string;
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
    datagramBytes: number;
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
    client: Uint8Array;
    datagrams: boolean;
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

/** A frame of a kind that is in no table here: whoever knows it has its bytes. */
export interface ForeignFrame {
  kind: 'foreign';
  body: Uint8Array<ArrayBuffer>;
}

const position = fields('epoch! seq term');
const window: Field = ['window!', fields('messages bytes ageMs')];
const ping = fields('nonce');
const pong = fields('nonce timeMs');
const goodbye = fields('code!', ['reason', TEXT_BYTES_MAX], 'retryAfterMs', ['alternates', [ALTERNATE_BYTES_MAX]]);

/** What a server sends, by number. */
export const SERVER = message({
  1: ['publication', fields('channelId! seq! term timeMs key deleted payload')],
  2: ['ack', fields('request! serial!', ['position', position], 'copies skipped duplicate timeMs')],
  3: ['ping', ping],
  4: ['pong', pong],
  5: ['page', fields('channelId! after', ['entries', [fields('seq term timeMs key deleted payload')]])],
  6: [
    'snapshot',
    fields('channelId! replace', ['at!', position], ['entries', [fields('key! seq timeMs deleted payload')]], 'last'),
  ],
  7: ['skipped', fields('channelId! to! count reason')],
  8: ['lagged', fields('channelId! seq')],
  9: [
    'attached',
    fields(
      'request! channelId! channel!',
      ['position!', position],
      'head',
      window,
      'policy keyed',
      ['resumed', message({}), 'outcome'],
      ['rewound', fields('count'), 'outcome'],
      ['discontinuity', fields('reason'), 'outcome'],
    ),
  ],
  10: ['detached', fields('request channelId!')],
  11: ['discontinuity', fields('channelId! reason', ['position!', position])],
  12: ['error', fields('request channelId code! message retryAfterMs expectedSerial channel')],
  16: [
    'welcome',
    fields(
      // A publish carries `timeMs` back as `since_ms`, which may not be 0.
      'version! session! node! generation heartbeatMs! timeMs!',
      window,
      ['limits!', fields('frameBytes! channels! publishesInFlight!')],
      'expiresMs datagramBytes',
    ),
  ],
  17: ['refreshed', fields('request! expiresMs')],
  18: ['goodbye', goodbye],
});

/** What a client sends, by number. */
export const CLIENT = message({
  1: ['publish', fields('request channel serial base sinceMs key delete payload')],
  2: ['ping', ping],
  3: ['pong', pong],
  4: ['credit', fields(['bytes', 'u32'])],
  5: ['pull', fields('channelId seq')],
  6: ['attach', fields('request channel', ['position', position, 'from'], ['rewind', 'u32', 'from'], 'policy')],
  7: ['detach', fields('request channelId')],
  8: ['skip', fields('request channel serial base sinceMs')],
  16: ['hello', fields('versionMin versionMax token publisher agent pageCredit client datagrams')],
  17: ['refresh', fields('request token')],
  18: ['goodbye', goodbye],
});
