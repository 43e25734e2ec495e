/** Presence against a real node, over a WebSocket that breaks, and moves. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Client, type ClientOptions, RefusedError } from '../src/index.ts';
import { type Presence, presence } from '../src/presence.ts';
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
  for (let number = 1; ; number++) yield `demo:presence-${number}`;
})();
const fresh = (): string => names.next().value as string;

/** What somebody says who is there, in order. */
const states = <State, Moment>(seen: Presence<State, Moment>): State[] =>
  [...seen.members.values()].map(({ state }) => state).sort();

/** What happens, as it is told. */
function follow<State, Moment>(seen: Presence<State, Moment>): string[] {
  const told: string[] = [];
  for (const kind of ['join', 'update', 'leave'] as const) {
    seen.on(kind, ({ client }) => told.push(`${kind} ${client.state}`));
  }
  return told;
}

test('who enters, changes and leaves is seen by who watches, and by nobody twice', async () => {
  const name = fresh();
  const watcher = presence<string>(connect(), name);
  const told = follow(watcher);
  watcher.watch();
  await until('the roster', () => watcher.isComplete && !watcher.isStale);
  assert.deepEqual(watcher.count, { members: 0, clients: 0 });
  const one = presence<string>(connect(), name);
  await one.enter('one');
  await becomes('told', ['join one'], () => told);
  await one.update('two');
  await becomes('told', ['join one', 'update two'], () => told);
  const late = presence<string>(connect(), name);
  late.watch();
  await becomes('states', ['two'], () => states(late));
  await one.leave();
  await becomes('told', ['join one', 'update two', 'leave two'], () => told);
  assert.equal(one.isEntered, false);
  await one.leave();
});

test('a client that closes is gone at once, one that is cut off and returns has not been away', async () => {
  const name = fresh();
  const watcher = presence<number>(connect(), name);
  const told = follow(watcher);
  watcher.watch();
  await until('the roster', () => watcher.isComplete);
  const proxy = await NodeProxy.start(node.port);
  const client = connect({ url: proxy.url });
  const member = presence<number>(client, name);
  await member.enter(1);
  await becomes('told', ['join 1'], () => told);
  for (let cut = 2; cut <= 5; cut++) {
    await becomes('the state', 'connected', () => client.state.kind);
    proxy.cutTcp();
    await member.update(cut);
  }
  await becomes('states', [5], () => states(watcher));
  assert.deepEqual(
    told.filter((line) => !line.startsWith('update')),
    ['join 1'],
  );
  assert.ok(client.stats.sessions >= 4, JSON.stringify(client.stats));
  await client.close();
  await becomes('states', [], () => states(watcher));
  await proxy.stop();
});

test('a page that is loaded again is the same client, and so is a tab that was copied', async () => {
  const name = fresh();
  const watcher = presence<string>(connect(), name);
  const told = follow(watcher);
  watcher.watch();
  await until('the roster', () => watcher.isComplete);
  const clientId = randomBytes(16);
  const before = connect({ clientId });
  await presence<string>(before, name).enter('before');
  await becomes('told', ['join before'], () => told);
  const copy = connect({ clientId });
  await presence<string>(copy, name).enter('after');
  await becomes('told', ['join before', 'update after'], () => told);
  assert.equal(watcher.clients.size, 1);
  await before.close();
  await presence<string>(copy, name).update('still');
  await becomes('told', 'update still', () => told.at(-1));
  await copy.close();
  await becomes('told', 'leave still', () => told.at(-1));
  assert.deepEqual(
    told.filter((line) => !line.startsWith('update')),
    ['join before', 'leave still'],
  );
});

test('a count is told of whom a watcher does not want to know, and a watch can ask for more', async () => {
  const name = fresh();
  await presence<string>(connect(), name).enter('one');
  await presence<string>(connect(), name).enter('two');
  const watcher = presence<string>(connect(), name);
  const counting = watcher.watch({ count: true });
  await becomes('the count', { members: 2, clients: 2 }, () => watcher.count);
  assert.deepEqual([watcher.isComplete, watcher.members.size], [false, 0]);
  watcher.watch();
  await becomes('states', ['one', 'two'], () => states(watcher));
  counting.close();
  assert.equal(watcher.isStale, false);
});

test('a watch that is closed and opened again goes on', async () => {
  const name = fresh();
  const member = presence<string>(connect(), name);
  await member.enter('one');
  const watcher = presence<string>(connect(), name);
  for (let round = 0; round < 3; round++) {
    const watch = watcher.watch();
    await becomes('states', ['one'], () => states(watcher));
    watch.close();
    await becomes('states', [], () => states(watcher));
  }
});

test('what is said for the moment arrives, the newest of it', async () => {
  const name = fresh();
  const watcher = presence<string, number>(connect(), name);
  const heard: number[] = [];
  watcher.on('ephemeral', ({ client, data }) => {
    assert.equal(client.state, 'pointer');
    heard.push(data);
  });
  watcher.watch();
  const member = presence<string, number>(connect(), name);
  await member.enter('pointer');
  await becomes('states', ['pointer'], () => states(watcher));
  for (let x = 0; x <= 500; x++) member.broadcast(x);
  await becomes('the last', 500, () => heard.at(-1));
  assert.ok(heard.length <= 2, String(heard));
});

test('refusals have their class, code and number', async () => {
  const client = connect();
  const nowhere = presence<string>(client, 'nowhere:x');
  await assert.rejects(
    nowhere.enter('x'),
    (error: RefusedError) => error instanceof RefusedError && error.code === 'unknown_namespace',
  );
  const failed = new Promise<Error>((resolve) => nowhere.on('error', resolve));
  nowhere.watch();
  assert.ok((await failed) instanceof RefusedError);
  const lobby = presence<string>(client, fresh());
  await lobby.enter('short');
  await assert.rejects(lobby.update('x'.repeat(2_000)), (error: RefusedError) => error.code === 'payload_too_large');
  lobby.watch();
  await becomes('states', ['short'], () => states(lobby));
  assert.equal(client.stats.sessions, 1);
});

test('after a restart of the node everybody is there again, and nothing is stale', async () => {
  const own = await StarlingNode.start();
  const lobby = presence<string>(connect({ url: own.url }), 'demo:restart');
  const watcher = presence<string>(connect({ url: own.url }), 'demo:restart');
  watcher.watch();
  await lobby.enter('one');
  await becomes('states', ['one'], () => states(watcher));
  await own.kill();
  await until('it is stale', () => watcher.isStale);
  assert.deepEqual(states(watcher), ['one'], 'what was shown stays');
  await own.restart();
  await until('it is not', () => !watcher.isStale);
  await becomes('states', ['one'], () => states(watcher));
  await until('entered', () => lobby.isEntered);
  await clients.close(2);
  await own.stop();
});
