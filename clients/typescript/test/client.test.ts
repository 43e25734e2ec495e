/** The whole client in Node, against a real node: over a WebSocket, with the engine beside the caller. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  Client,
  type ClientOptions,
  ClosedError,
  InvalidError,
  type Message,
  type Position,
  RefusedError,
  TimedOutError,
} from '../src/index.ts';
import { Clients } from './support/clients.ts';
import { becomes, until } from './support/eventually.ts';
import { StarlingNode } from './support/node.ts';
import { NodeProxy } from './support/proxy.ts';

let node: StarlingNode;
const clients = new Clients();

before(async () => {
  node = await StarlingNode.start();
});
after(async () => {
  await clients.close();
  await node.stop();
});

const connect = (options?: ClientOptions): Client => clients.connect(node.url, options);

const names = (function* () {
  for (let number = 1; ; number++) yield `demo:client-${number}`;
})();
const fresh = (): string => names.next().value as string;

test('what is published comes back once, in order, with the positions of its acknowledgements', async () => {
  const client = connect();
  const channel = client.channel<{ n: number }>(fresh());
  const messages: Message<{ n: number }>[] = [];
  channel.subscribe((message) => messages.push(message));
  await until('subscribed', () => channel.state === 'subscribed');
  const acks = await Promise.all(Array.from({ length: 200 }, (_, n) => channel.publish({ n })));
  await becomes('messages', 200, () => messages.length);
  assert.deepEqual(
    messages.map(({ data }) => data.n),
    Array.from({ length: 200 }, (_, n) => n),
  );
  assert.deepEqual(
    messages.map(({ position }) => position.seq),
    acks.map(({ position }) => position.seq),
  );
  assert.deepEqual([acks[0]?.copies, acks[0]?.duplicate], [1, false]);
  assert.deepEqual(channel.position, acks.at(-1)?.position);
  await until('a round trip is measured', () => client.stats.rttMs !== null && client.stats.acknowledged === 200);
  assert.deepEqual((await node.carries()).webtransport, 0);
});

test('payloads are JSON, text or bytes, as the channel says', async () => {
  const client = connect();
  const name = fresh();
  const json = client.channel(name, { since: { messages: 10 } });
  await json.publish({ a: [1, 'ü', null] });
  await json.publish('plain');
  const text = connect().channel(name, { encoding: 'text' });
  await text.publish('not json');
  const bytes = connect().channel(name, { encoding: 'bytes' });
  await bytes.publish(Uint8Array.of(0xff, 0, 1));
  const seen: unknown[] = [];
  json.subscribe(({ data, format }) => seen.push([format, data]));
  await becomes('messages', 4, () => seen.length);
  assert.deepEqual(seen, [
    ['json', { a: [1, 'ü', null] }],
    ['json', 'plain'],
    ['text', 'not json'],
    ['bytes', Uint8Array.of(0xff, 0, 1)],
  ]);
  const raw = connect().channel(name, { encoding: 'bytes', since: { messages: 1 } });
  for await (const message of raw.subscribe()) {
    assert.deepEqual(message.data, Uint8Array.of(0xff, 0, 1));
    break;
  }
  await assert.rejects(json.publish(Uint8Array.of(1)), InvalidError);
  await assert.rejects(text.publish(5 as never), InvalidError);
  await assert.rejects(json.publish(undefined), InvalidError);
});

test('a subscriber that iterates slowly loses nothing and holds up nobody', async () => {
  const publisher = connect().channel<number>(fresh());
  const client = connect();
  const channel = client.channel<number>(publisher.name);
  const slow = channel.subscribe()[Symbol.asyncIterator]();
  await until('subscribed', () => channel.state === 'subscribed');
  const other = client.channel<number>(`${publisher.name}-other`);
  let heard = 0;
  other.subscribe(() => heard++);
  const total = 12_000;
  for (let n = 0; n < total; n += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, at) => publisher.publish(n + at)));
  }
  await until('the queue is full', () => client.stats.overflows > 0);
  await other.publish(1);
  await becomes('another channel', 1, () => heard);
  for (let n = 0; n < total; n++) {
    const { value } = await slow.next();
    assert.equal(value?.data, n);
  }
  await slow.return?.();
  await becomes('the channel is left', 'unsubscribed', () => channel.state);
});

test('after a restart of the node a channel in memory reports its discontinuity and goes on', async () => {
  const own = await StarlingNode.start();
  const client = connect({ url: own.url });
  const channel = client.channel<number>('demo:restart');
  const told: string[] = [];
  channel.on('subscribed', ({ outcome }) => told.push(outcome.kind));
  channel.on('discontinuity', ({ reason }) => told.push(reason));
  channel.subscribe(({ data }) => told.push(String(data)));
  await channel.publish(1);
  await becomes('told', ['rewound', '1'], () => told);
  await own.kill();
  const late = channel.publish(2);
  await until('the loss is noticed', () => client.state.kind === 'reconnecting');
  await own.restart();
  await late;
  await becomes('told', ['rewound', '1', 'discontinuity', 'node_restarted'], () => told.slice(0, 4));
  await becomes('the message', '2', () => told[4] ?? '');
  await client.close();
  await own.stop();
});

test('a connection that is cut again and again loses nothing, doubles nothing', async () => {
  const proxy = await NodeProxy.start(node.port);
  const client = connect({ url: proxy.url });
  const channel = client.channel<number>(fresh());
  const heard: number[] = [];
  const outcomes = new Set<string>();
  channel.on('subscribed', ({ outcome }) => outcomes.add(outcome.kind));
  channel.subscribe(({ data }) => heard.push(data));
  const acks: Promise<unknown>[] = [];
  for (let cut = 0; cut < 6; cut++) {
    await becomes('the state', 'connected', () => client.state.kind);
    for (let n = 0; n < 100; n++) acks.push(channel.publish(acks.length));
    // In the middle of it: some are answered, some are on their way, some are not sent.
    await Promise.race(acks.slice(-60));
    proxy.cutTcp();
  }
  await Promise.all(acks);
  await becomes('messages', 600, () => heard.length);
  assert.deepEqual(
    heard,
    Array.from({ length: 600 }, (_, n) => n),
  );
  assert.deepEqual([...outcomes], ['rewound', 'resumed']);
  assert.ok(client.stats.sessions > 3 && client.stats.resent > 0, JSON.stringify(client.stats));
  await client.close();
  await proxy.stop();
});

test('history is read from the newest back, from a position on, and to its end', async () => {
  const channel = connect().channel<number>(fresh());
  let third = (await channel.publish(0)).position;
  for (let n = 1; n <= 20; n++) {
    const { position } = await channel.publish(n);
    if (n === 3) third = position;
  }
  const data = (history: { messages: Message<number>[] }) => history.messages.map((message) => message.data);
  assert.deepEqual(data(await channel.history({ limit: 3 })), [18, 19, 20]);
  assert.deepEqual(data(await channel.history({ since: third, limit: 2 })), [4, 5]);
  assert.equal(data(await channel.history()).length, 21);
  const lost = await channel.history({ since: { ...third, epoch: '0-0000000000000000' } });
  // A node in memory takes every epoch it does not know for one of its earlier lives.
  assert.equal(lost.discontinuity?.reason, 'node_restarted');
  assert.equal(channel.state, 'unsubscribed', 'reading history subscribes nobody');
  assert.deepEqual(data(await connect().channel<number>(fresh()).history()), []);
});

test('history is read in the session that there is, or in one beside it while somebody subscribes', async () => {
  const sessions = async () => (await node.carries()).websocket;
  const client = connect();
  const channel = client.channel<number>(fresh());
  for (let n = 0; n < 9; n++) await channel.publish(n);
  const before = await sessions();
  const data = async (options: { limit: number; since?: Position }) =>
    (await channel.history(options)).messages.map((message) => message.data);
  assert.deepEqual(await data({ limit: 2 }), [7, 8]);
  assert.deepEqual(await Promise.all([data({ limit: 1 }), data({ limit: 3 })]), [[8], [6, 7, 8]], 'in turns');
  assert.equal(await sessions(), before);

  const heard: number[] = [];
  channel.subscribe((message) => heard.push(message.data));
  await until('subscribed', () => channel.state === 'subscribed');
  const { messages } = await channel.history({ limit: 9 });
  for (const { position, data: first } of messages.slice(0, 5)) {
    assert.deepEqual(await data({ limit: 2, since: position }), [first + 1, first + 2]);
  }
  assert.equal(await sessions(), before + 1, 'one for all pages');
  await channel.publish(9);
  await becomes('messages', [9], () => heard);
  assert.equal(client.stats.sessions, 1);
  await client.close();
  await becomes('sessions', before - 1, sessions);
  await assert.rejects(channel.history(), ClosedError);
});

test('more readings of a channel than may wait for their turn are refused', async () => {
  const channel = connect().channel<number>(fresh());
  const readings = await Promise.allSettled(Array.from({ length: 66 }, () => channel.history()));
  const refused = readings.filter((reading) => reading.status === 'rejected');
  assert.deepEqual(
    refused.map(({ reason }) => reason.code),
    ['busy', 'busy'],
  );
  assert.deepEqual((await channel.history()).messages, [], 'and later there is room again');
});

test('who subscribes while history is read takes the place, and the reading goes on beside it', async () => {
  const sessions = async () => (await node.carries()).websocket;
  const client = connect();
  const channel = client.channel<number>(fresh());
  for (let n = 0; n < 9; n++) await channel.publish(n);
  const before = await sessions();
  const reading = channel.history({ limit: 2 });
  // It has begun, and nothing can have come.
  for (let turn = 0; turn < 5; turn++) await null;
  const heard: number[] = [];
  channel.subscribe((message) => heard.push(message.data));
  assert.deepEqual(
    (await reading).messages.map((message) => message.data),
    [7, 8],
  );
  assert.equal(await sessions(), before + 1);
  await until('subscribed', () => channel.state === 'subscribed');
  await channel.publish(9);
  await becomes('messages', [9], () => heard);
});

test('a keyed channel is a map of its newest values', async () => {
  const writer = connect().channel<number>('board:one');
  await writer.publish(1, { key: 'a' });
  await writer.publish(2, { key: 'b' });
  await writer.publish(3, { key: 'a' });
  await writer.publish(9, { key: 'c' });
  await writer.remove('c');
  const view = connect().channel<number>('board:one').keyed();
  const changes: string[] = [];
  view.on('change', (all) => {
    for (const { key, message } of all) changes.push(`${key}=${message?.data}`);
  });
  await until('the state', () => view.isComplete);
  const values = () => Object.fromEntries([...view.values].map(([key, { data }]) => [key, data]));
  assert.deepEqual(values(), { a: 3, b: 2 });
  await writer.publish(5, { key: 'b' });
  await writer.remove('a');
  await becomes('values', { b: 5 }, values);
  assert.deepEqual(changes.slice(-2), ['b=5', 'a=undefined']);
  view.close();
  view.close();
  await assert.rejects(
    writer.publish(1),
    (error: RefusedError) => error.code === 'key_mismatch' && error.number === 10,
  );
});

test('refusals and time limits have their class, code and number', async () => {
  const client = connect();
  const refused = await client
    .channel('nowhere:x')
    .publish(1)
    .catch((error: unknown) => error);
  assert.ok(refused instanceof RefusedError);
  assert.deepEqual([refused.code, refused.number], ['unknown_namespace', 2]);
  const channel = client.channel('nowhere:y');
  const failed = new Promise((resolve) => channel.on('error', resolve));
  const iterated = (async () => {
    for await (const _ of channel.subscribe());
  })();
  await assert.rejects(iterated, RefusedError);
  assert.ok((await failed) instanceof RefusedError);
  assert.equal(channel.state, 'failed');

  const nobody = connect({ url: 'http://127.0.0.1:1' });
  await assert.rejects(nobody.ready({ timeoutMs: 200 }), TimedOutError);
  await assert.rejects(nobody.channel('demo:x').publish(1, { timeoutMs: 100 }), TimedOutError);
  await assert.rejects(nobody.ready({ signal: AbortSignal.abort(new Error('no')) }), /no/);
  const controller = new AbortController();
  const pending = nobody.channel('demo:x').publish(1, { signal: controller.signal });
  controller.abort(new Error('changed my mind'));
  await assert.rejects(pending, /changed my mind/);
  const waits = nobody.channel('demo:x').publish(1);
  await nobody.close();
  await assert.rejects(waits, ClosedError);
  await assert.rejects(nobody.ready(), ClosedError);
  assert.throws(() => new Client({ url: 'ws://x' }), InvalidError);
  assert.throws(() => new Client(), InvalidError);
});

test('without a class of its own a client in Node finds one: the global, or that of the package ws', async () => {
  const client = new Client({ url: node.url });
  await client.ready();
  assert.equal(client.state.kind === 'connected' && client.state.transport, 'websocket');
  await client.close();
});

test('closing waits for what is on its way, and is safe to call twice', async () => {
  const client = connect();
  await client.ready();
  const channel = client.channel<number>(fresh());
  const acks = Promise.all([channel.publish(1), channel.publish(2)]);
  await Promise.all([client.close(), client.close()]);
  assert.equal((await acks).length, 2);
  assert.deepEqual(client.state, {
    kind: 'closed',
    reason: { code: 1000, name: 'normal', reason: 'closed by the application' },
  });
});

test('two subscribers share a channel, and it is left with the last', async () => {
  const client = connect();
  const channel = client.channel<number>(fresh());
  assert.equal(client.channel(channel.name), channel);
  const heard: string[] = [];
  const one = channel.subscribe(({ data }) => heard.push(`one ${data}`));
  const two = channel.subscribe(({ data }) => {
    heard.push(`two ${data}`);
  });
  await until('subscribed', () => channel.state === 'subscribed');
  await channel.publish(1);
  await becomes('both', ['one 1', 'two 1'], () => heard);
  one.close();
  one.close();
  await channel.publish(2);
  await becomes('the other', ['one 1', 'two 1', 'two 2'], () => heard);
  two.close();
  // As React does in development: closed and opened again at once.
  const three = channel.subscribe(({ data }) => heard.push(`three ${data}`));
  await channel.publish(3);
  await becomes('the third', 'three 3', () => heard.at(-1));
  assert.equal((await client.stats).sessions, 1);
  three.close();
  await becomes('left', 'unsubscribed', () => channel.state);
});
