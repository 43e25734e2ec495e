/** Who wins the race, what is remembered of it, and what a node's description permits. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Browser, browserOf } from '../src/browser.ts';
import { type Node, read } from '../src/discovery.ts';
import { Dialer, type Losers } from '../src/transport/dial.ts';
import type { Connect, Connection, Listener } from '../src/transport.ts';
import type { Transport } from '../src/types.ts';
import { Time } from './support/time.ts';

const listener: Listener = { received() {}, broken() {}, lost() {} };

class Bench {
  readonly time = new Time();
  readonly closed: Transport[] = [];
  readonly tried: Transport[] = [];
  /** What was told to remember. */
  readonly told: Losers[] = [];
  readonly dialer: Dialer;

  /** How long each transport takes; negative to fail after that. */
  constructor(
    readonly takes: Record<Transport, number>,
    allowed: Transport[] = ['webtransport', 'websocket'],
    losers: Losers = {},
  ) {
    const node: Node = { websocket: { url: 'ws://a' }, webtransport: { url: 'https://a' }, neighbours: ['http://b'] };
    const means = {
      clock: this.time,
      discover: async () => node,
      connect: { webtransport: this.#connect('webtransport'), websocket: this.#connect('websocket') },
    };
    this.dialer = new Dialer(allowed, means, losers, (loser) => this.told.push(loser));
  }

  #connect(transport: Transport): Connect {
    return () => {
      this.tried.push(transport);
      const takes = this.takes[transport];
      return new Promise<Connection>((resolve, reject) => {
        this.time.at(this.time.now() + Math.abs(takes), () => {
          if (takes < 0) reject(new Error(`no ${transport}`));
          else resolve({ transport, send() {}, close: () => this.closed.push(transport) });
        });
      });
    };
  }

  /** Which won and when, or why none did. */
  async dial(): Promise<string> {
    const from = this.time.now();
    let outcome = 'nothing';
    this.dialer.dial(['http://a'], listener, new AbortController().signal).then(
      ({ connection }) => {
        outcome = `${connection.transport} ${this.time.now() - from}`;
      },
      (error: Error) => {
        outcome = error.message;
      },
    );
    await this.time.pass(6_000);
    return outcome;
  }
}

test('WebTransport has a head start; the loser is closed', async () => {
  assert.equal(await new Bench({ webtransport: 100, websocket: 0 }).dial(), 'webtransport 100');
  const late = new Bench({ webtransport: 4_000, websocket: 10 });
  assert.equal(await late.dial(), 'websocket 510');
  assert.deepEqual(late.closed, ['webtransport']);
  assert.equal(await new Bench({ webtransport: 600, websocket: 500 }).dial(), 'webtransport 600');
  assert.equal(await new Bench({ webtransport: -20, websocket: 10 }).dial(), 'websocket 30');
  const neither = 'no webtransport; no websocket';
  assert.equal(await new Bench({ webtransport: -900, websocket: -10 }).dial(), neither);
});

test('a node that does not answer costs five seconds, not half a minute', async () => {
  const bench = new Bench({ webtransport: 60_000, websocket: 60_000 });
  assert.equal(await bench.dial(), 'http://a did not answer within 5 s');
  await bench.time.pass(60_000);
  assert.deepEqual(bench.closed.sort(), ['websocket', 'webtransport'], 'what opens late is closed');
});

test('a loser, and one that went silent, is left out for a while', async () => {
  const bench = new Bench({ webtransport: 4_000, websocket: 10 });
  assert.equal(await bench.dial(), 'websocket 510');
  assert.equal(await bench.dial(), 'websocket 10');
  bench.takes.webtransport = 20;
  await bench.time.pass(5 * 60_000);
  assert.equal(await bench.dial(), 'webtransport 20');
  bench.dialer.stalled('http://a');
  assert.equal(await bench.dial(), 'websocket 10');
});

test('a loser is told, and one that was told before is left out for what is left', async () => {
  const bench = new Bench({ webtransport: 4_000, websocket: 10 });
  await bench.dial();
  assert.deepEqual(bench.told, [{ 'http://a': 5 * 60_000 }]);
  const takes = { webtransport: 20, websocket: 10 };
  const next = new Bench(takes, undefined, { 'http://a': 60_000, 'http://b': 600_000 });
  assert.equal(await next.dial(), 'websocket 10');
  assert.deepEqual(next.told, [], 'it did not lose again');
  await next.time.pass(60_000);
  assert.equal(await next.dial(), 'webtransport 20');
  const clockSetBack = new Bench(takes, undefined, { 'http://a': 1e12 });
  assert.equal(await clockSetBack.dial(), 'websocket 10');
  await clockSetBack.time.pass(5 * 60_000);
  assert.equal(await clockSetBack.dial(), 'webtransport 20', 'never for longer than it would itself');
});

test('a choice of transports is kept', async () => {
  assert.equal(await new Bench({ webtransport: -5, websocket: 0 }, ['webtransport']).dial(), 'no webtransport');
  const bench = new Bench({ webtransport: 0, websocket: 5 }, ['websocket']);
  assert.equal(await bench.dial(), 'websocket 5');
  assert.deepEqual(bench.tried, ['websocket']);
});

const CHROME = browserOf(
  'Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/157.0.0.0 Safari/537.36',
);
const SAFARI = browserOf(
  'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/27.2 Safari/605.1.15',
);
const IOS_CHROME = browserOf(
  'Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/157.0 Mobile/15E148 Safari/604.1',
);
const FIREFOX = (version: number) =>
  browserOf(`Mozilla/5.0 (X11; Linux; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`);

const description = (websocket = 'wss://a/connect') => ({
  protocol: { min: 1, max: 1 },
  websocket: { url: websocket },
  webtransport: {
    url: 'https://a/connect',
    certificate: 'hash',
    hashes: [
      { algorithm: 'sha-256', value: '0F'.repeat(32) },
      { algorithm: 'md5', value: '00' },
    ],
  },
  nodes: [{ url: 'http://b' }, { url: 'http://c', protocol: { min: 2, max: 2 } }],
  browsers: [
    { name: 'safari', transport: 'websocket' },
    { name: 'firefox', below: 153, transport: 'websocket' },
  ],
});

test('hashes are trusted from https and from this machine only', () => {
  const hashes = (from: string, certificate = 'hash') => {
    const document = description();
    document.webtransport.certificate = certificate;
    return read(document, new URL(from), CHROME).webtransport?.hashes;
  };
  for (const from of ['https://a', 'http://127.0.0.1:4433', 'http://[::1]:4433', 'http://localhost']) {
    assert.deepEqual(hashes(from), [new Uint8Array(32).fill(15)], from);
  }
  for (const from of ['http://a', 'http://localhost.evil.io', 'http://127.0.0.1.evil.io', 'http://10.0.0.1']) {
    assert.equal(hashes(from), undefined, from);
  }
  assert.equal(hashes('https://a', 'pki'), undefined, 'a certificate of an authority is not pinned');
});

test('nodes that speak another version are none of the neighbours', () => {
  assert.deepEqual(read(description(), new URL('https://a'), CHROME).neighbours, ['http://b']);
});

/** Which node is reached and when, of those that take so long to answer, or to refuse where it is negative. */
async function firstOf(...takes: number[]): Promise<string> {
  const time = new Time();
  const opened: string[] = [];
  const closed: string[] = [];
  const after = (ms: number) => new Promise<void>((resolve) => void time.at(time.now() + ms, resolve));
  const means = {
    clock: time,
    discover: async (base: string) => ({ websocket: { url: base }, webtransport: undefined, neighbours: [] }),
    connect: {
      websocket: async ({ url }: { url: string }): Promise<Connection> => {
        const took = takes[Number(new URL(url).port) - 1] as number;
        await after(Math.abs(took));
        if (took < 0) throw new Error(`${url} refuses`);
        opened.push(url);
        return { transport: 'websocket', send() {}, close: () => closed.push(url) };
      },
    },
  };
  const dialer = new Dialer(['websocket'], means, {}, () => {});
  const bases = takes.map((_, at) => `http://a:${at + 1}`);
  let outcome = 'nothing';
  dialer.dial(bases, listener, new AbortController().signal).then(
    ({ url }) => {
      outcome = `${url} ${time.now()}`;
    },
    (error: Error) => {
      outcome = error.message;
    },
  );
  await time.pass(70_000);
  const [used] = outcome.split(' ');
  const others = opened.filter((url) => url !== used);
  assert.deepEqual(closed.sort(), others.sort(), 'what opens late is closed');
  return outcome;
}

test('the next node does not wait for one that is dead', async () => {
  assert.equal(await firstOf(900, 0), 'http://a:1 900');
  assert.equal(await firstOf(60_000, 10), 'http://a:2 1010');
  assert.equal(await firstOf(60_000, 60_000, 10), 'http://a:3 2010');
  assert.equal(await firstOf(-20, 10), 'http://a:2 30', 'refused: at once');
  assert.equal(await firstOf(1_500, 1_000), 'http://a:1 1500', 'a slow one may win');
  assert.equal(await firstOf(-4_000, -10, -10), 'http://a:1 refuses; http://a:2 refuses; http://a:3 refuses');
});

test('the node’s rules say which browsers use WebSocket', () => {
  const offered = (browser: Browser) => !!read(description(), new URL('https://a'), browser).webtransport;
  assert.deepEqual([CHROME, FIREFOX(153), browserOf()].map(offered), [true, true, true]);
  assert.deepEqual([SAFARI, IOS_CHROME, FIREFOX(152)].map(offered), [false, false, false]);
});

test('what cannot be used is refused with its reason', () => {
  const from = new URL('https://a');
  assert.throws(() => read(description('ws://a'), from, CHROME), /no wss URL/);
  assert.throws(() => read(description('http://a'), new URL('http://a'), CHROME), /no ws or wss URL/);
  assert.throws(() => read({ ...description(), protocol: { min: 2, max: 3 } }, from, CHROME), /speaks protocol 2 to 3/);
  assert.throws(() => read({} as never, from, CHROME), /speaks protocol/);
  const { webtransport, ...without } = description();
  assert.equal(read(without, from, CHROME).webtransport, undefined);
  assert.ok(webtransport);
});
