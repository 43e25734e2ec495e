/** Three real nodes, and clients that were given the URL of one: what becomes of them when it goes away, in every way. */

import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../src/index.ts';
import { Clients } from './support/clients.ts';
import { StarlingCluster } from './support/cluster.ts';
import { until } from './support/eventually.ts';
import type { StarlingNode } from './support/node.ts';

/** Half of what the heartbeat alone would take to notice silence, and twice what a reader is promised. */
const GAP_MS_MAX = 8_000;

let cluster: StarlingCluster;
const clients = new Clients();

before(async () => {
  cluster = await StarlingCluster.start();
});
after(async () => {
  await clients.close();
  await cluster.stop();
});

const connect = (node: StarlingNode): Client => clients.connect(node.url);

const nodeOf = ({ state }: Client): string | undefined => (state.kind === 'connected' ? state.node : undefined);

/** A reader at one node, and a writer at another that does not stop. */
class Stream {
  readonly #got: [data: number, seq: number][] = [];
  readonly #acknowledged: [data: number, seq: number][] = [];
  readonly #lost: string[] = [];
  #gapMs = 0;
  #isStopped = false;
  #writing: Promise<void>[] = [];

  private constructor(readonly reader: Client) {}

  static async start(name: string, from: StarlingNode, to: StarlingNode): Promise<Stream> {
    const reader = connect(to);
    const stream = new Stream(reader);
    const channel = reader.channel<number>(name);
    let last = Infinity;
    channel.on('discontinuity', ({ reason }) => stream.#lost.push(reason));
    channel.subscribe(({ data, position }) => {
      stream.#got.push([data, position.seq]);
      stream.#gapMs = Math.max(stream.#gapMs, Date.now() - last);
      last = Date.now();
    });
    await until('subscribed', () => channel.state === 'subscribed');
    const writer = connect(from).channel<number>(name);
    // Several on their way at once, and so often that it is noticed soon when none come.
    for (let n = 0; n < 4; n++) stream.#writing.push(stream.#write(writer, n));
    await stream.hears(50);
    return stream;
  }

  async #write(channel: ReturnType<typeof Client.prototype.channel<number>>, first: number): Promise<void> {
    for (let data = first; !this.#isStopped; data += 4) {
      const { position } = await channel.publish(data);
      this.#acknowledged.push([data, position.seq]);
      await sleep(20);
    }
  }

  /** So many messages more arrive. */
  async hears(count: number): Promise<void> {
    const enough = this.#got.length + count;
    await until(`${count} messages arrive`, () => this.#got.length >= enough);
  }

  /** The reader is connected to another node than this. */
  async leaves(node: string): Promise<void> {
    await until(`it leaves ${node}`, () => ![undefined, node].includes(nodeOf(this.reader)), 30_000);
  }

  /** Ends it; every acknowledged message came once and in order. The longest time in which none came. */
  async check(): Promise<number> {
    this.#isStopped = true;
    await Promise.all(this.#writing);
    await until('the last message arrives', () => this.#got.length >= this.#acknowledged.length);
    assert.deepEqual(
      this.#got,
      this.#acknowledged.sort(([, one], [, other]) => one - other),
    );
    assert.deepEqual(
      this.#got.map(([, seq]) => seq),
      this.#got.map((_, n) => n + 1),
    );
    assert.deepEqual(this.#lost, []);
    return this.#gapMs;
  }
}

const tell = (test: TestContext, gapMs: number) => test.diagnostic(`the longest gap was ${gapMs} ms`);

test('a node that is killed: the client goes on at one that it was not told of', async (test) => {
  const [a, b] = cluster.nodes;
  const stream = await Stream.start('demo:killed', a, b);
  assert.equal(nodeOf(stream.reader), 'b');
  await b.kill();
  await stream.leaves('b');
  await stream.hears(50);
  const gapMs = await stream.check();
  tell(test, gapMs);
  assert.ok(gapMs < GAP_MS_MAX, `${gapMs} ms`);
  const { messages } = await stream.reader.channel<number>('demo:killed').history({ limit: 10 });
  assert.equal(messages.length, 10, 'history is read there, too');
  await b.restart();
  await until('it is ready again', () => b.isReady(), 40_000);
});

test('a node that falls silent in the middle of a stream is left before a heartbeat is over', async (test) => {
  const [a, b] = cluster.nodes;
  const stream = await Stream.start('demo:frozen', a, b);
  assert.equal(nodeOf(stream.reader), 'b');
  b.freeze();
  try {
    await stream.leaves('b');
    await stream.hears(50);
  } finally {
    b.thaw();
  }
  const gapMs = await stream.check();
  tell(test, gapMs);
  assert.ok(gapMs < GAP_MS_MAX, `${gapMs} ms`);
  await until('it is ready again', () => b.isReady(), 40_000);
});

test('a node that stops says where to go', async (test) => {
  const [a, , c] = cluster.nodes;
  const stream = await Stream.start('demo:stopped', a, c);
  assert.equal(nodeOf(stream.reader), 'c');
  const stopped = c.stop();
  await stream.leaves('c');
  await stream.hears(50);
  await stopped;
  const gapMs = await stream.check();
  tell(test, gapMs);
  assert.ok(gapMs < GAP_MS_MAX, `${gapMs} ms`);
  assert.equal(stream.reader.stats.silences, 0, 'it did not have to find out');
});
