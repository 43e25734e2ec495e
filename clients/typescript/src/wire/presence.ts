/**
 * The frames of presence, as `presence.proto` has them. The session does not know them: a page that uses presence reads
 * and writes them itself, so that one without it loads nothing for it.
 */

import { CLIENT_BYTES, MEMBER_BYTES_MAX, NAME_BYTES_MAX } from '../limits.ts';
import { type FaultName, FrameFault } from './fault.ts';
import { fields } from './fields.ts';
import { decode } from './frame.ts';
import type { ForeignFrame, FrameOf } from './frames.ts';
import { type Field, message } from './message.ts';

/** A client that is in a channel. */
export interface WirePresent {
  client: Uint8Array;
  member: string;
  node: string;
  state: Uint8Array;
}

/** Bodies of a server, by kind. */
export interface PresenceServerBodies {
  presenceChanges: {
    channelId: number;
    joined: WirePresent[];
    updated: WirePresent[];
    left: { client: Uint8Array }[];
  };
  ephemerals: { channelId: number; states: { client: Uint8Array; number: number; state: Uint8Array }[] };
  occupancy: { channelId: number; members: number; clients: number };
  entered: { request: number; client: Uint8Array };
  left: { request: number };
  watched: { request: number; channelId: number; channel: string };
  roster: { channelId: number; first: boolean; last: boolean; clients: WirePresent[] };
  certainty: { channelId: number; stale: boolean; uncertain: string[] };
}

/** Bodies of a client, by kind. */
export interface PresenceClientBodies {
  enter: { request: number; channel: string; state: Uint8Array };
  ephemeral: { channel: string; number: number; state: Uint8Array };
  leave: { request: number; channel: string };
  watch: { request: number; channel: string; count: boolean };
  /** Ends a watch as it does an attachment. */
  detach: { request: number; channelId: number };
}

/** What a server sends about presence. */
export type PresenceFrame = FrameOf<PresenceServerBodies>;

const state: Field = ['state', 'bytes'];
const present = fields('client', ['member', MEMBER_BYTES_MAX], 'node!', state);

/** What a server sends, by number. */
export const PRESENCE_SERVER = message({
  13: [
    'presenceChanges',
    fields('channelId!', ['joined', [present]], ['updated', [present]], ['left', [fields('client')]]),
  ],
  14: ['ephemerals', fields('channelId!', ['states', [fields('client number!', state)]])],
  15: ['occupancy', fields('channelId! members clients')],
  19: ['entered', fields('request! client')],
  20: ['left', fields('request!')],
  21: ['watched', fields('request! channelId! channel!')],
  22: ['roster', fields('channelId!', ['first', 'bool'], 'last', ['clients', [present]])],
  23: ['certainty', fields('channelId!', ['stale', 'bool'], ['uncertain', [NAME_BYTES_MAX]])],
});

/** What a client sends, by number. */
export const PRESENCE_CLIENT = message({
  7: ['detach', fields('request channelId')],
  9: ['enter', fields('request channel', state)],
  10: ['ephemeral', fields('channel number', state)],
  11: ['leave', fields('request channel')],
  12: ['watch', fields('request channel', ['count', 'bool'])],
});

/** The frame that a body is which the session does not know; foreign if it is none of presence. */
export function decodePresence(bytes: Uint8Array<ArrayBuffer>, exact = false): PresenceFrame | ForeignFrame {
  const frame = decode<PresenceServerBodies>(PRESENCE_SERVER, bytes, exact);
  if (frame.kind !== 'foreign') check(frame);
  return frame;
}

/** Throws the fault of a frame that may not be sent. */
function check({ kind, body }: PresenceFrame): void {
  const holds = (field: string, truth: unknown, fault: FaultName = 'field_missing') => {
    if (!truth) throw new FrameFault(fault, `${kind}.${field}`);
  };
  const numbered = (field: string, client: Uint8Array) =>
    holds(field, client.length === CLIENT_BYTES, 'field_wrong_length');
  const eachIs = (clients: readonly WirePresent[]) => {
    for (const { client } of clients) numbered('clients.client', client);
  };
  switch (kind) {
    case 'presenceChanges':
      eachIs(body.joined);
      eachIs(body.updated);
      for (const { client } of body.left) numbered('left.client', client);
      break;
    case 'entered':
      numbered('client', body.client);
      break;
    case 'roster':
      eachIs(body.clients);
      break;
    case 'occupancy':
      holds('members', body.members <= body.clients, 'field_out_of_range');
      break;
    case 'ephemerals':
      for (const { client } of body.states) numbered('states.client', client);
  }
}
