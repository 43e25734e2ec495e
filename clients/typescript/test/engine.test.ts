/** What an engine hands its page, and what it keeps from a page that is busy. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Notice } from '../src/bridge.ts';
import type { Node } from '../src/discovery.ts';
import { Engine } from '../src/engine.ts';
import type { Connection, Listener } from '../src/transport.ts';
import { encode } from '../src/wire/frame.ts';
import { SERVER, type ServerBodies } from '../src/wire/frames.ts';
import { Time } from './support/time.ts';

/** Of a kind that the session does not know. */
const frame = (bytes: number): Uint8Array<ArrayBuffer> => {
  const body = new Uint8Array(bytes);
  // Field 31, of bytes, with a length of three bytes.
  const length = bytes - 5;
  body.set([0xfa, 0x01, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14]);
  return body;
};

class Bench {
  readonly time = new Time();
  readonly notices: Notice[] = [];
  readonly listeners: Listener[] = [];
  readonly engine: Engine;

  constructor() {
    const node: Node = { websocket: { url: 'ws://a' }, webtransport: undefined, neighbours: [] };
    const means = {
      clock: this.time,
      discover: async () => node,
      connect: {
        websocket: async (_: unknown, listener: Listener): Promise<Connection> => {
          this.listeners.push(listener);
          return { transport: 'websocket', send() {}, close() {} };
        },
      },
    };
    const [publisher, client] = [new Uint8Array(16), new Uint8Array(16).fill(9)];
    const identity = { urls: ['http://a'], token: '', hasProvider: false, publisher, client, agent: 't' };
    this.engine = new Engine(
      { ...identity, transports: ['websocket'], browser: { name: 'other', version: 0 }, losers: {} },
      { means, tell: (notice) => this.notices.push(notice) },
    );
  }

  /** A session opens. */
  async open(): Promise<void> {
    const count = this.listeners.length;
    for (let waited = 0; this.listeners.length === count && waited < 100; waited++) await this.time.pass(100);
    await this.time.pass(1);
    const body = {
      version: 1,
      session: 's',
      node: 'n',
      heartbeatMs: 10_000,
      timeMs: 1_700_000_000_000,
      window: { messages: 1, bytes: 1, ageMs: 1 },
      limits: { frameBytes: 66_560, channels: 100, publishesInFlight: 64 },
      datagramBytes: 0,
    } as unknown as ServerBodies['welcome'];
    this.receive(encode<ServerBodies>(SERVER, { kind: 'welcome', body }));
  }

  receive(body: Uint8Array<ArrayBuffer>): void {
    this.listeners.at(-1)?.received(body);
  }

  /** How many frames each notice brought since the last time. */
  handed(): number[] {
    const notices = this.notices.splice(0);
    return notices.flatMap((notice) => (notice.do === 'foreign' ? [notice.given.length] : []));
  }

  /** The states that were told since the last time. */
  states(): string[] {
    return this.notices.splice(0).flatMap((notice) => (notice.do === 'state' ? [notice.state.kind] : []));
  }
}

test('frames come one notice at a time, and what gathers meanwhile comes together', async () => {
  const bench = new Bench();
  await bench.open();
  bench.receive(frame(100));
  bench.receive(frame(100));
  bench.receive(frame(100));
  assert.deepEqual(bench.handed(), [1]);
  bench.engine.command({ on: 'judged' });
  assert.deepEqual(bench.handed(), [2]);
  bench.engine.command({ on: 'judged' });
  assert.deepEqual(bench.handed(), []);
  bench.receive(frame(100));
  assert.deepEqual(bench.handed(), [1]);
});

test('frames of a session that is over do not follow into the next', async () => {
  const bench = new Bench();
  await bench.open();
  bench.receive(frame(100));
  bench.receive(frame(100));
  bench.listeners.at(-1)?.lost({ code: 0, reason: 'cut' });
  await bench.open();
  bench.receive(frame(100));
  assert.deepEqual(bench.handed(), [1], 'the page has one of the session before');
  bench.engine.command({ on: 'judged' });
  assert.deepEqual(bench.handed(), [1], 'and is handed the one of this session');
});

test('a page that judges nothing begins anew rather than have frames without end', async () => {
  const bench = new Bench();
  await bench.open();
  const large = frame(262_144);
  let received = 0;
  // More than a document of 64 MiB: it is with the page, and all of it again may wait.
  while (received < 64 * 1024 * 1024) {
    bench.receive(large);
    received += large.length;
  }
  await bench.time.pass(1);
  assert.deepEqual(bench.states(), ['connecting', 'connected']);
  while (received < 80 * 1024 * 1024) {
    bench.receive(large);
    received += large.length;
  }
  await bench.time.pass(1);
  assert.equal(bench.states()[0], 'reconnecting');
  await bench.open();
  bench.engine.command({ on: 'judged' });
  assert.deepEqual(bench.handed(), [], 'nothing is left of what it did not take');
  bench.receive(frame(100));
  assert.deepEqual(bench.handed(), [1]);
});
