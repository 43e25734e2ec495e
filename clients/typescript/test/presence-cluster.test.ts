/** Presence on three real nodes: who moves away from one that dies, and who goes with it. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Client } from '../src/index.ts';
import { type Presence, presence } from '../src/presence.ts';
import { Clients } from './support/clients.ts';
import { StarlingCluster } from './support/cluster.ts';
import { becomes, until } from './support/eventually.ts';
import type { StarlingNode } from './support/node.ts';

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

const states = (seen: Presence<string>): string[] => [...seen.clients.values()].map(({ state }) => state).sort();
const nodesOf = (seen: Presence<string>): Record<string, string> =>
  Object.fromEntries([...seen.clients.values()].map(({ state, node }) => [state, node]));

test('a node dies, another stops: their clients are there from elsewhere, and nobody has seen them leave', async () => {
  const [a, b, c] = cluster.nodes;
  const name = 'demo:presence-cluster';
  const watcher = presence<string>(connect(c), name);
  const told: string[] = [];
  watcher.on('join', ({ client }) => told.push(`join ${client.state}`));
  watcher.on('leave', ({ client }) => told.push(`leave ${client.state}`));
  watcher.watch();
  for (const [state, node] of [
    ['anna', a],
    ['bert', b],
    ['cara', c],
  ] as const) {
    await presence<string>(connect(node), name).enter(state);
  }
  await becomes('states', ['anna', 'bert', 'cara'], () => states(watcher));
  assert.deepEqual(nodesOf(watcher), { anna: 'a', bert: 'b', cara: 'c' });
  told.length = 0;

  await a.kill();
  await until('anna has moved', () => nodesOf(watcher).anna !== 'a', 30_000);
  await a.restart();
  await until('it is ready', () => a.isReady(), 40_000);
  await b.stop();
  await until('bert has moved', () => nodesOf(watcher).bert !== 'b', 30_000);
  await until('all is sure', () => !watcher.isStale && watcher.uncertain.size === 0, 30_000);
  assert.deepEqual(states(watcher), ['anna', 'bert', 'cara']);
  assert.deepEqual(told, []);
});
