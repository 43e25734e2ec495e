/** How a client gets a session, keeps its token, and what each ending leads to: the rules alone. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect, Input } from '../src/session/message.ts';
import { Session } from '../src/session.ts';
import type { ServerBodies, ServerFrame } from '../src/wire/frames.ts';

const CLOCK = 1_700_000_000_000;

class Bench {
  now = 0;
  readonly session: Session;

  constructor(options: { token?: string; hasProvider?: boolean; urls?: string[] } = {}) {
    const { token = '', hasProvider = false, urls = ['http://a'] } = options;
    const [publisher, client] = [new Uint8Array(16), new Uint8Array(16).fill(9)];
    this.session = new Session({ publisher, client, agent: 't', token, hasProvider, urls }, () => 0.5);
  }

  /** What happens, and what is done about it, in short. */
  on(input: Input): string[] {
    return this.session.handle(input, this.now).map(short);
  }

  frame<Kind extends ServerFrame['kind']>(kind: Kind, body: Partial<ServerBodies[Kind]>): string[] {
    return this.on({ on: 'frame', frame: { kind, body } as unknown as ServerFrame, bytes: 10 });
  }

  /** Dials and is welcomed. */
  open(welcome: Partial<ServerBodies['welcome']> = {}): string[] {
    this.on({ on: 'dialed', url: 'http://a', transport: 'websocket', nodes: [] });
    return this.frame('welcome', {
      version: 1,
      session: 's',
      node: 'n',
      heartbeatMs: 10_000,
      timeMs: CLOCK,
      limits: { frameBytes: 66_560, channels: 100, publishesInFlight: 64 },
      expiresMs: 0,
      ...welcome,
    });
  }

  /** Sleeps until it wants to be woken. */
  wake(): string[] {
    this.now = this.session.wakeAt;
    return this.on({ on: 'wake' });
  }

  goodbye(code: number, more: Partial<ServerBodies['goodbye']> = {}): string[] {
    return this.frame('goodbye', { code, reason: 'because', retryAfterMs: 0, alternates: [], ...more });
  }
}

function short(effect: Effect): string {
  switch (effect.do) {
    case 'send': {
      const { frame } = effect;
      if (frame.kind === 'foreign') return `page's ${frame.body.join(' ')}`;
      const { kind, body } = frame;
      if (kind === 'refresh' || kind === 'hello') return `${kind} ${body.token}`.trim();
      return kind === 'goodbye' ? `goodbye ${body.code}` : kind;
    }
    case 'state':
      return effect.state.kind === 'closed' ? `closed ${effect.state.reason.code}` : effect.state.kind;
    case 'dial':
      return `dial ${effect.urls.join(' ')}`;
    case 'askToken':
      return `token? ${effect.why}`;
    case 'foreign':
      return `to the page: ${effect.given.kind}`;
    default:
      return effect.do;
  }
}

test('without a provider the token it has is sent, and only in hello', () => {
  const bench = new Bench({ token: 'secret' });
  assert.deepEqual(bench.on({ on: 'start' }), ['connecting', 'dial http://a']);
  assert.deepEqual(bench.on({ on: 'dialed', url: 'http://a', transport: 'websocket', nodes: [] }), ['hello secret']);
});

test('a provider is asked at first, before the token expires, and once when it was not accepted', () => {
  const bench = new Bench({ hasProvider: true });
  assert.deepEqual(bench.on({ on: 'start' }), ['connecting', 'token? first']);
  assert.deepEqual(bench.on({ on: 'token', token: 'one' }), ['dial http://a']);
  bench.open({ expiresMs: CLOCK + 5_000 });
  bench.frame('pong', { nonce: 1, timeMs: CLOCK });
  assert.equal(bench.session.wakeAt, 0, 'the first ping');
  assert.deepEqual(bench.wake(), ['ping']);
  assert.equal(bench.session.wakeAt, 4_000, 'four fifths of its time');
  assert.deepEqual(bench.wake(), ['token? refresh']);
  assert.deepEqual(bench.on({ on: 'token', token: 'two' }), ['refresh two']);
  bench.frame('refreshed', { request: 1, expiresMs: CLOCK + 9_000 });

  assert.deepEqual(bench.goodbye(4401), ['hangup', 'reconnecting']);
  assert.deepEqual(bench.wake(), ['token? replace']);
  assert.deepEqual(bench.on({ on: 'token', token: 'three' }), ['dial http://a']);
  assert.deepEqual(bench.on({ on: 'dialed', url: 'http://a', transport: 'websocket', nodes: [] }), ['hello three']);
  assert.deepEqual(bench.goodbye(4401), ['hangup', 'hangup', 'closed 4401'], 'the second in a row is the end');
});

test('an expired token is replaced as often as need be', () => {
  const bench = new Bench({ hasProvider: true });
  bench.on({ on: 'start' });
  bench.on({ on: 'token', token: 'one' });
  for (let round = 0; round < 3; round++) {
    bench.open();
    assert.deepEqual(bench.goodbye(4505), ['hangup', 'reconnecting']);
    assert.deepEqual(bench.wake(), ['token? replace']);
    bench.on({ on: 'token', token: 'next' });
  }
});

test('a provider that has none for now is asked again, one that denies ends the client', () => {
  const bench = new Bench({ hasProvider: true });
  bench.on({ on: 'start' });
  assert.deepEqual(bench.on({ on: 'noToken', denied: false, reason: 'offline' }), ['reconnecting']);
  assert.deepEqual(bench.wake(), ['token? first']);
  assert.deepEqual(bench.on({ on: 'token', token: 'x'.repeat(3_073) }), ['hangup', 'closed 4401'], 'too long to send');

  const denied = new Bench({ hasProvider: true });
  denied.on({ on: 'start' });
  assert.deepEqual(denied.on({ on: 'noToken', denied: true, reason: 'signed out' }), ['hangup', 'closed 4401']);
});

test('a goodbye from 4400 to 4499 is the end, any other a return', () => {
  for (const [code, ends] of [
    [4400, true],
    [4409, true],
    [4450, true],
    [1000, false],
    [4500, false],
    [4501, false],
    [4999, false],
  ] as const) {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.open();
    assert.deepEqual(bench.goodbye(code), ends ? ['hangup', 'hangup', `closed ${code}`] : ['hangup', 'reconnecting']);
  }
});

test('who says goodbye says when and where to return', () => {
  const bench = new Bench();
  bench.on({ on: 'start' });
  bench.open();
  bench.goodbye(4501, { retryAfterMs: 3_000, alternates: ['http://b'] });
  assert.equal(bench.session.wakeAt, 3_000, 'who is sent on does not wait by itself');
  bench.now = 1_000;
  assert.deepEqual(bench.on({ on: 'nudge' }), [], 'not even a person may come sooner');
  assert.equal(bench.session.wakeAt, 3_000);
  assert.deepEqual(bench.wake(), ['dial http://b http://a']);
  bench.open();
  bench.goodbye(4501, { retryAfterMs: 3_000, alternates: ['http://a'] });
  // Half of the second ceiling of 1,000 ms, after what the server asked for.
  assert.equal(bench.session.wakeAt, 6_500, 'but not again and again');
  bench.on({ on: 'nudge' });
  assert.equal(bench.session.wakeAt, 6_000, 'a person does not wait for that');
});

test('a server that breaks the rules, or does not greet, is left for another connection', () => {
  const broken: ((bench: Bench) => string[])[] = [
    (bench) => bench.frame('welcome', {}),
    (bench) => bench.frame('ack', { request: 9, serial: 1 }),
    (bench) => bench.frame('attached', { request: 9 }),
    (bench) => bench.frame('publication', { channelId: 77 }),
    (bench) => bench.on({ on: 'badFrame', reason: 'malformed' }),
  ];
  for (const fault of broken) {
    const bench = new Bench();
    bench.on({ on: 'start' });
    bench.open();
    assert.deepEqual(fault(bench), ['goodbye 4400', 'hangup', 'reconnecting']);
    assert.equal(bench.session.counts.violations, 1);
  }
  const mute = new Bench();
  mute.on({ on: 'start' });
  mute.on({ on: 'dialed', url: 'http://a', transport: 'websocket', nodes: [] });
  assert.equal(mute.session.wakeAt, 5_000);
  assert.deepEqual(mute.wake(), ['hangup', 'reconnecting']);
});

test('a session makes up for a failure with each five seconds, with a minute for all, and dropped soon for none', () => {
  const bench = new Bench();
  bench.on({ on: 'start' });
  const waits: number[] = [];
  for (const lasted of [0, 4_999, 0, 10_000, 60_000]) {
    bench.open();
    bench.now += lasted;
    bench.goodbye(4500);
    waits.push(bench.session.wakeAt - bench.now);
    bench.wake();
  }
  assert.deepEqual(waits, [250, 500, 1_000, 500, 250]);
});

test('a gateway that falls silent in the middle of a stream is left within seconds', () => {
  const bench = new Bench();
  bench.on({ on: 'start' });
  bench.open();
  bench.wake();
  bench.frame('pong', { nonce: 1, timeMs: CLOCK });
  for (let frame = 1; frame <= 10; frame++) {
    bench.now = frame * 100;
    bench.frame('ping', { nonce: frame });
  }
  assert.deepEqual(bench.wake(), ['ping']);
  assert.equal(bench.now, 2_500);
  assert.deepEqual(bench.wake(), ['goodbye 4504', 'hangup', 'reconnecting']);
  assert.equal(bench.now, 3_500);
});

/** Publishes `count` messages and has all of them refused for now, `times` over: how long each wait was. */
function refusedTogether(count: number, times: number): number[] {
  const bench = new Bench();
  bench.on({ on: 'start' });
  bench.open();
  // The first ping, which is due at once, is not what the waits end with.
  assert.deepEqual(bench.wake(), ['ping']);
  const body = { payload: new Uint8Array(1), key: '', delete: false };
  for (let ticket = 1; ticket <= count; ticket++) {
    bench.on({ on: 'publish', ticket, channel: 'demo:a', body, timeoutMs: 60_000 });
  }
  const waits: number[] = [];
  for (let time = 0; time < times; time++) {
    const refusal = { code: 103, channelId: 0, message: 'no', retryAfterMs: 0, expectedSerial: 0 };
    for (let at = 1; at <= count; at++) bench.frame('error', { ...refusal, request: time * count + at });
    const from = bench.now;
    assert.deepEqual(bench.wake(), Array(count).fill('publish'));
    waits.push(bench.now - from);
  }
  return waits;
}

test('publishes that are refused together wait as after one refusal, and then no longer than a second', () => {
  assert.deepEqual(refusedTogether(64, 1), [50], 'half of the first ceiling of 100 ms');
  assert.deepEqual(refusedTogether(8, 7), [50, 100, 200, 400, 500, 500, 500]);
});

test('silence ends a session, and tells that it stalled', () => {
  const bench = new Bench();
  bench.on({ on: 'start' });
  bench.open();
  const seen: string[] = [];
  while (bench.now < 15_000) seen.push(...bench.wake());
  assert.deepEqual(seen, ['ping', 'ping', 'goodbye 4504', 'hangup', 'reconnecting']);
  assert.equal(bench.session.counts.silences, 1);
});

test('what the page wrote into a slot begins each session, and what it wrote for once goes out once', () => {
  const bench = new Bench();
  const pass = (slot: number, ...bytes: number[]) =>
    bench.on({ on: 'pass', slot, body: bytes.length > 0 ? Uint8Array.from(bytes) : undefined });
  bench.on({ on: 'start' });
  assert.deepEqual(pass(1, 10), [], 'there is no session yet');
  assert.deepEqual(pass(2, 20), []);
  assert.deepEqual(pass(0, 30), []);
  assert.deepEqual(bench.open(), ['connected', "page's 10", "page's 20"]);
  assert.deepEqual(pass(1, 11), ["page's 11"], 'the newest counts');
  assert.deepEqual(pass(0, 31), ["page's 31"]);
  assert.deepEqual(pass(2), [], 'the slot is empty');
  bench.goodbye(4500);
  bench.wake();
  assert.deepEqual(bench.open(), ['connected', "page's 11"]);
});

test('frames that are none of its own go to the page, which says whether they are right', () => {
  const bench = new Bench();
  bench.on({ on: 'start' });
  const foreign = { kind: 'foreign', body: Uint8Array.of(0x9a) } as const;
  bench.open();
  assert.deepEqual(bench.on({ on: 'frame', frame: foreign, bytes: 1 }), ['to the page: foreign']);
  assert.deepEqual(bench.frame('error', { request: 9, code: 1 }), ['to the page: error']);
  assert.deepEqual(bench.frame('error', { request: 0, channelId: 7, code: 4 }), ['to the page: error']);
  assert.deepEqual(bench.frame('detached', { request: 9, channelId: 7 }), ['to the page: detached']);
  assert.deepEqual(bench.on({ on: 'badFrame', reason: 'no' }), ['goodbye 4400', 'hangup', 'reconnecting']);

  const greeting = new Bench();
  greeting.on({ on: 'start' });
  greeting.on({ on: 'dialed', url: 'http://a', transport: 'websocket', nodes: [] });
  const before = greeting.on({ on: 'frame', frame: foreign, bytes: 1 });
  assert.deepEqual(before, ['goodbye 4400', 'hangup', 'reconnecting'], 'not before Welcome');
});
