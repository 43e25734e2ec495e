/** A client whose page and session are the real ones, and whose server is the test, frame by frame. */

import type { Command, Notice } from '../../src/bridge.ts';
import { noCounts } from '../../src/counts.ts';
import { Client } from '../../src/index.ts';
import type { Effect, Input } from '../../src/session/message.ts';
import { Session } from '../../src/session.ts';
import { check } from '../../src/wire/check.ts';
import { decode, encode } from '../../src/wire/frame.ts';
import { SERVER, type ServerBodies, type ServerFrame } from '../../src/wire/frames.ts';
import { Time } from './time.ts';

const MEASURES = { ...noCounts(), rttMs: null, packetsLost: null, bytesSent: 0, bytesReceived: 0 };

/** One client, and what its page writes itself. */
export abstract class Bench {
  readonly client: Client;
  /** What was sent since it was last taken, in short; behind a `~` what may get lost. */
  sent: string[] = [];
  /** Notices are kept from the page: it is busy. */
  isBusy = false;
  #kept: Notice[] = [];
  readonly #session: Session;
  readonly #worker: Pick<Worker, 'postMessage' | 'terminate' | 'onmessage' | 'onerror'>;

  constructor(readonly time = new Time()) {
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
  }

  /** What the page wrote, in short: a client that breaks the rules is the failure that these tests look for. */
  protected abstract wrote(body: Uint8Array<ArrayBuffer>): string;

  /** A session opens, over a transport that takes datagrams of so many bytes: what it began with. */
  open(datagramBytes = 0, frameBytes = 66_560): string[] {
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
      limits: { frameBytes, channels: 100, publishesInFlight: 64 },
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
    this.receive(encode<ServerBodies>(SERVER, { kind, body } as unknown as ServerFrame));
  }

  /** The page hears what was kept from it. */
  catchUp(): void {
    this.isBusy = false;
    for (const notice of this.#kept.splice(0)) this.#notice(notice);
  }

  /** Frames that were judged to be wrong. */
  get violations(): number {
    return this.#session.counts.violations;
  }

  /** The server sends a frame. */
  receive(body: Uint8Array<ArrayBuffer>): void {
    const frame = decode<ServerBodies>(SERVER, body);
    check(frame);
    this.#handle({ on: 'frame', frame, bytes: body.length });
  }

  #command(command: Command): void {
    if (command.on === 'start') this.#handle({ on: 'start' });
    else if (command.on === 'pass' || command.on === 'badFrame' || command.on === 'close') this.#handle(command);
  }

  #handle(input: Input): void {
    for (const effect of this.#session.handle(input, this.time.now())) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    if (effect.do === 'state') {
      const measures = { ...MEASURES, sessions: this.#session.counts.sessions };
      this.#notice({ do: 'state', state: effect.state, measures, url: '' });
    } else if (effect.do === 'foreign') this.#notice({ do: 'foreign', given: [effect.given] });
    else if (effect.do === 'send' && effect.frame.kind === 'foreign') {
      this.sent.push((effect.isLossy ? '~' : '') + this.wrote(effect.frame.body));
    } else if (effect.do === 'send' && effect.frame.kind === 'goodbye') {
      this.sent.push(`goodbye ${effect.frame.body.code}`);
    }
  }

  #notice(notice: Notice): void {
    if (this.isBusy) this.#kept.push(notice);
    else this.#worker.onmessage?.call(this.#worker as Worker, { data: notice } as MessageEvent);
  }
}
