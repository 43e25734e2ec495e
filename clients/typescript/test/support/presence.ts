/** Presence of a client whose page and session are the real ones, and whose server is the test. */

import { Desk } from '../../src/presence/desk.ts';
import { type Presence, type PresenceOptions, presence } from '../../src/presence.ts';
import { decode, encode } from '../../src/wire/frame.ts';
import type { FrameOf } from '../../src/wire/frames.ts';
import {
  PRESENCE_CLIENT,
  PRESENCE_SERVER,
  type PresenceClientBodies,
  type PresenceFrame,
  type PresenceServerBodies,
  type WirePresent,
} from '../../src/wire/presence.ts';
import { Bench } from './bench.ts';
import { checkClient } from './client-check.ts';

/** Requests of presence are numbered above this one; tests number them from 1. */
const FROM = 2 ** 32;

/** A client that is there. */
export const present = (id: number, member: string, state: unknown = '', node = 'n'): WirePresent => ({
  client: new Uint8Array(16).fill(id),
  member,
  node,
  state: state === '' ? new Uint8Array() : Buffer.from(JSON.stringify(state)),
});

/** Its id as the page has it. */
export const idOf = (id: number): string => id.toString(16).padStart(2, '0').repeat(16);

/** One client, and the frames of presence that it sent. */
export class PresenceBench extends Bench {
  /** What a watch on the wall shows when the clock begins. */
  wallMs = 1_000;

  constructor() {
    super();
    const means = { clock: this.time, random: () => 0.5, wallMs: () => this.wallMs + this.time.now() };
    this.client.guest(Desk, (host) => new Desk(host, means));
  }

  presence<State, Moment = unknown>(name = 'demo:a', options: PresenceOptions = {}): Presence<State, Moment> {
    return presence<State, Moment>(this.client, name, options);
  }

  /** The server sends a frame of presence; its request counts from 1. */
  tell<Kind extends PresenceFrame['kind']>(kind: Kind, body: Partial<PresenceServerBodies[Kind]>): void {
    const numbered = 'request' in body ? { ...body, request: FROM + (body.request as number) } : body;
    const named = kind === 'entered' ? { client: new Uint8Array(16).fill(7), ...numbered } : numbered;
    const frame = { kind, body: named } as unknown as PresenceFrame;
    this.receive(encode<PresenceServerBodies>(PRESENCE_SERVER, frame));
  }

  /** The server watches, by this request, as this channel id. */
  watched(request: number, channelId: number, channel = 'demo:a'): void {
    this.tell('watched', { request, channelId, channel });
  }

  /** A whole roster. */
  roster(channelId: number, ...clients: WirePresent[]): void {
    this.tell('roster', { channelId, first: true, last: true, clients });
  }

  refuse(request: number, code: number, retryAfterMs = 0): void {
    this.server('error', { request: FROM + request, code, message: 'no', retryAfterMs });
  }

  protected wrote(body: Uint8Array<ArrayBuffer>): string {
    const frame = decode<PresenceClientBodies>(PRESENCE_CLIENT, body);
    if (frame.kind === 'foreign') throw new Error('a frame that is none of presence');
    checkClient(frame);
    return short(frame);
  }
}

function short(frame: FrameOf<PresenceClientBodies>): string {
  const text = (state: Uint8Array) => Buffer.from(state).toString();
  switch (frame.kind) {
    case 'enter':
      return `enter ${frame.body.request - FROM} ${text(frame.body.state)}`.trim();
    case 'ephemeral':
      return `ephemeral ${frame.body.number} ${text(frame.body.state)}`;
    case 'watch':
      return `watch ${frame.body.request - FROM}${frame.body.count ? ' count' : ''}`;
    case 'detach':
      return `detach ${frame.body.request - FROM} of ${frame.body.channelId}`;
    case 'leave':
      return `leave ${frame.body.request - FROM}`;
  }
}
