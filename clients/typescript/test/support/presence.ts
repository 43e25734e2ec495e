/** A client whose page and session are the real ones, and whose server is the test, frame by frame. */

import type { Command, Notice } from '../../src/bridge.ts';
import { noCounts } from '../../src/counts.ts';
import { Client } from '../../src/index.ts';
import { Desk } from '../../src/presence/desk.ts';
import { type Presence, type PresenceOptions, presence } from '../../src/presence.ts';
import type { Effect, Input } from '../../src/session/message.ts';
import { Session } from '../../src/session.ts';
import { check } from '../../src/wire/check.ts';
import { decode, encode } from '../../src/wire/frame.ts';
import { type FrameOf, SERVER, type ServerBodies, type ServerFrame } from '../../src/wire/frames.ts';
import {
  PRESENCE_CLIENT,
  PRESENCE_SERVER,
  type PresenceClientBodies,
  type PresenceFrame,
  type PresenceServerBodies,
  type WirePresent,
} from '../../src/wire/presence.ts';
import { checkClient } from './client-check.ts';
import { Time } from './time.ts';

/** Requests of presence are numbered above this one; tests number them from 1. */
const FROM = 2 ** 32;

const MEASURES = { ...noCounts(), rttMs: null, packetsLost: null, bytesSent: 0, bytesReceived: 0 };

/** A client that is there. */
export const present = (id: number, member: string, state: unknown = '', node = 'n'): WirePresent => ({
  client: new Uint8Array(16).fill(id),
  member,
  node,
  state: state === '' ? new Uint8Array() : Buffer.from(JSON.stringify(state)),
});

/** Its id as the page has it. */
export const idOf = (id: number): string => id.toString(16).padStart(2, '0').repeat(16);

/** One client, and what it sent. */
export class PresenceBench {
  readonly time = new Time();
  readonly client: Client;
  /** Frames of presence that were sent since they were last taken, in short; behind a `~` what may get lost. */
  sent: string[] = [];
  /** What a watch on the wall shows when the clock begins. */
  wallMs = 1_000;
  /** Notices are kept from the page: it is busy. */
  isBusy = false;
  #kept: Notice[] = [];
  readonly #session: Session;
  readonly #worker: Pick<Worker, 'postMessage' | 'terminate' | 'onmessage' | 'onerror'>;

  constructor() {
    this.#worker = {
      onmessage: null,
      onerror: null,
      terminate: () => {},
      postMessage: (command: Command) => this.#command(command),
    };
    // The client looks for the class before it asks for one.
    Object.defineProperty(globalThis, 'Worker', { configurable: true, value: Object });
    const [publisher, client] = [new Uint8Array(16), new Uint8Array(16).fill(9)];
    const identity = { publisher, client, agent: 't', token: '', hasProvider: false, urls: ['http://a'] };
    this.#session = new Session(identity, () => 0.5);
    this.client = new Client({ url: 'http://a', worker: () => this.#worker as Worker });
    const means = { clock: this.time, random: () => 0.5, wallMs: () => this.wallMs + this.time.now() };
    this.client.guest(Desk, (host) => new Desk(host, means));
  }

  presence<State, Moment = unknown>(name = 'demo:a', options: PresenceOptions = {}): Presence<State, Moment> {
    return presence<State, Moment>(this.client, name, options);
  }

  /** A session opens, over a transport that takes datagrams of so many bytes: what it began with. */
  open(datagramBytes = 0): string[] {
    this.client.connect();
    // Whoever waits for its back-off comes at once.
    this.#handle({ on: 'nudge' });
    const transport = datagramBytes ? 'webtransport' : 'websocket';
    this.#handle({ on: 'dialed', url: 'http://a', transport, nodes: [] });
    this.server('welcome', {
      version: 1,
      session: 's',
      node: 'n',
      heartbeatMs: 10_000,
      timeMs: 1_700_000_000_000,
      window: { messages: 1, bytes: 1, ageMs: 1 },
      limits: { frameBytes: 66_560, channels: 100, publishesInFlight: 64 },
      datagramBytes,
    } as ServerBodies['welcome']);
    return this.taken();
  }

  /** The session ends; the next is opened by the test. */
  lose(): void {
    this.#handle({ on: 'lost', ending: { code: 0, reason: 'cut' } });
  }

  /** What was sent since the last time. */
  taken(): string[] {
    return this.sent.splice(0);
  }

  /** The server sends a frame that the session knows. */
  server<Kind extends ServerFrame['kind']>(kind: Kind, body: Partial<ServerBodies[Kind]>): void {
    this.#receive(encode<ServerBodies>(SERVER, { kind, body } as unknown as ServerFrame));
  }

  /** The server sends a frame of presence; its request counts from 1. */
  tell<Kind extends PresenceFrame['kind']>(kind: Kind, body: Partial<PresenceServerBodies[Kind]>): void {
    const numbered = 'request' in body ? { ...body, request: FROM + (body.request as number) } : body;
    const named = kind === 'entered' ? { client: new Uint8Array(16).fill(7), ...numbered } : numbered;
    const frame = { kind, body: named } as unknown as PresenceFrame;
    this.#receive(encode<PresenceServerBodies>(PRESENCE_SERVER, frame));
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

  /** The page hears what was kept from it. */
  catchUp(): void {
    this.isBusy = false;
    for (const notice of this.#kept.splice(0)) this.#notice(notice);
  }

  /** Frames that a session judged to be wrong. */
  get violations(): number {
    return this.#session.counts.violations;
  }

  #command(command: Command): void {
    if (command.on === 'start') this.#handle({ on: 'start' });
    else if (command.on === 'pass' || command.on === 'badFrame' || command.on === 'close') this.#handle(command);
  }

  #receive(body: Uint8Array<ArrayBuffer>): void {
    const frame = decode<ServerBodies>(SERVER, body);
    check(frame);
    this.#handle({ on: 'frame', frame, bytes: body.length });
  }

  #handle(input: Input): void {
    for (const effect of this.#session.handle(input, this.time.now())) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    if (effect.do === 'state')
      this.#notice({
        do: 'state',
        state: effect.state,
        measures: { ...MEASURES, sessions: this.#session.counts.sessions },
        url: '',
      });
    else if (effect.do === 'foreign') this.#notice(effect);
    else if (effect.do === 'send' && effect.frame.kind === 'foreign') {
      const frame = decode<PresenceClientBodies>(PRESENCE_CLIENT, effect.frame.body);
      if (frame.kind === 'foreign') throw new Error('a frame that is none of presence');
      // A client that breaks the rules is the failure that these tests look for.
      checkClient(frame);
      this.sent.push((effect.isLossy ? '~' : '') + short(frame));
    } else if (effect.do === 'send' && effect.frame.kind === 'goodbye') {
      this.sent.push(`goodbye ${effect.frame.body.code}`);
    }
  }

  #notice(notice: Notice): void {
    if (this.isBusy) this.#kept.push(notice);
    else this.#worker.onmessage?.call(this.#worker as Worker, { data: notice } as MessageEvent);
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
