/** Two tabs on two nodes of a cluster; the third node, which owns their channel, is killed while both publish. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { StarlingCluster } from '../../clients/typescript/test/support/cluster.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { start, type Tab } from './support/browser.ts';
import { connect, got, told } from './support/follow.ts';
import { channelOf } from './support/owner.ts';
import { acknowledged, dry, pump } from './support/pump.ts';

const browser = await start();
after(() => browser.stop());

/** Acknowledgements to each tab before the kill, and again after it. */
const ACKNOWLEDGED = 100;

/** Where the numbers of the second tab begin. */
const SECOND = 1_000_000;

/** The term under which the newest message that the tab has seen was accepted: it rises with each owner. */
const term = (tab: Tab, name: string): Promise<number> =>
  tab.evaluate((name) => window.bench.client.channel(name).position?.term ?? 0, name);

test('the owner of a channel is killed: both tabs go on, and every acknowledged message comes once and in order', async () => {
  const cluster = await StarlingCluster.start();
  const [a, b, owner] = cluster.nodes;
  const name = await channelOf(owner, a);
  // The transport that this browser prefers, in a worker; and the WebSocket, beside the page.
  const one = await browser.page();
  await connect(one, { url: a.url, transports: browser.transports.slice(0, 1), worker: true }, name);
  const other = await browser.page();
  await connect(other, { url: b.url, transports: ['websocket'], worker: false }, name);
  const tabs = [one, other];
  await pump(one, [name]);
  await pump(other, [name], SECOND);
  const moreThan = (counts: number[]) =>
    until('acknowledgements to both tabs', async () => {
      const now = await Promise.all(tabs.map(async (tab) => (await acknowledged(tab, name)).length));
      return now.every((count, at) => count >= (counts[at] as number) + ACKNOWLEDGED);
    });
  await moreThan([0, 0]);
  const termBefore = await term(one, name);
  await owner.kill();
  await moreThan(await Promise.all(tabs.map(async (tab) => (await acknowledged(tab, name)).length)));
  for (const tab of tabs) assert.deepEqual(await dry(tab), [], 'no publish failed');

  const acks = (await Promise.all(tabs.map((tab) => acknowledged(tab, name)))).flat();
  acks.sort(([, one], [, other]) => one - other);
  for (const tab of tabs) {
    await becomes('messages', acks.length, async () => (await got(tab, name)).length);
    assert.deepEqual(await got(tab, name), acks, 'every acknowledged message once, at its place');
    assert.deepEqual(
      (await told(tab, name)).filter((kind) => !['rewound', 'resumed'].includes(kind)),
      [],
      'nothing was lost',
    );
    assert.ok((await term(tab, name)) > termBefore, 'another node has taken the channel over');
  }
  // They count on from the two that were published before the tabs came: nothing else lies between.
  const seqs = acks.map(([, seq]) => seq);
  assert.deepEqual(
    seqs,
    seqs.map((_, n) => n + 3),
  );
  for (const tab of tabs) await tab.close();
  await cluster.stop();
});
