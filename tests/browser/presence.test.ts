/** Presence from a page: what a reload, a copied tab and a closed one are to those who watch. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { WebSocket } from 'ws';
import { Client } from '../../clients/typescript/src/index.ts';
import { presence } from '../../clients/typescript/src/presence.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { start, type Tab } from './support/browser.ts';

const browser = await start();
const node = await StarlingNode.start();
const client = new Client({ url: node.url, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket });
after(async () => {
  await client.close();
  await node.stop();
  await browser.stop();
});

/** The page enters, with the client of the package as it is published. */
const enter = (tab: Tab, name: string, state: string) =>
  tab.evaluate(
    async ([url, name, state, path]) => {
      const { bench } = window;
      bench.client = new bench.Client({ url });
      const { presence } = (await import(path)) as typeof import('../../clients/typescript/src/presence.ts');
      await presence<string>(bench.client, name).enter(state);
    },
    [node.url, name, state, '/dist/presence.js'] as const,
  );

test('a page that is loaded again has not left, and one that is closed has, after its grace', async () => {
  const name = 'demo:page';
  const watcher = presence<string>(client, name);
  const told: string[] = [];
  for (const kind of ['join', 'update', 'leave'] as const) {
    watcher.on(kind, ({ client }) => told.push(`${kind} ${client.state}`));
  }
  watcher.watch();
  await until('the roster', () => watcher.isComplete);
  const tab = await browser.page();
  await enter(tab, name, 'first');
  await becomes('told', ['join first'], () => told);
  for (const state of ['second', 'third']) {
    await tab.reload();
    await enter(tab, name, state);
    await becomes('told', `update ${state}`, () => told.at(-1));
  }
  assert.equal(watcher.clients.size, 1);
  const other = await browser.page();
  await enter(other, name, 'another');
  await becomes('told', ['join first', 'update second', 'update third', 'join another'], () => told);
  await other.close();
  await tab.close();
  await becomes('how many are there', 0, () => watcher.clients.size);
  assert.deepEqual(told.slice(4).sort(), ['leave another', 'leave third']);
});
