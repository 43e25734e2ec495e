/** Cursors between pages: over WebTransport in datagrams, in both directions, and where one stops it arrives. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { becomes } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { start, type Tab } from './support/browser.ts';
import { called, ways } from './support/follow.ts';

const browser = await start();
after(() => browser.stop());

/** What each of two pages does here, with the client of the package as it is published. */
const join = (tab: Tab, options: { url: string; transports: ('webtransport' | 'websocket')[]; worker: boolean }) =>
  tab.evaluate(
    async ([options, path]) => {
      const { bench } = window;
      bench.client = new bench.Client(options);
      const { presence } = (await import(path)) as typeof import('../../clients/typescript/src/presence.ts');
      const room = presence<string, number>(bench.client, 'demo:page');
      room.watch();
      await room.enter('here');
    },
    [options, '/dist/presence.js'] as const,
  );

/** The page moves its cursor so many times, as fast as a screen is drawn. */
const move = (tab: Tab, times: number) =>
  tab.evaluate(
    async ([times, path]) => {
      const { presence } = (await import(path)) as typeof import('../../clients/typescript/src/presence.ts');
      const room = presence<string, number>(window.bench.client, 'demo:page');
      for (let at = 1; at <= times; at++) {
        room.broadcast(at);
        await new Promise((resolve) => setTimeout(resolve, 16));
      }
    },
    [times, '/dist/presence.js'] as const,
  );

/** Where the page sees the cursors, its own among them. */
const seen = (tab: Tab) =>
  tab.evaluate(async (path) => {
    const { presence } = (await import(path)) as typeof import('../../clients/typescript/src/presence.ts');
    const room = presence<string, number>(window.bench.client, 'demo:page');
    return [...room.ephemerals.values()].map(({ data }) => data);
  }, '/dist/presence.js');

for (const way of ways(browser.transports)) {
  const { transport, worker } = way;

  test(`${called(way)}: a cursor is seen where it stops`, async () => {
    const node = await StarlingNode.start();
    const options = { url: node.url, transports: [transport], worker };
    const [tab, other] = [await browser.page(), await browser.page()];
    await join(tab, options);
    await join(other, options);
    await move(tab, 60);
    for (const one of [tab, other]) await becomes('the cursor', [60], () => seen(one));
    const counts = [
      await node.metric('starling_datagrams_received_total{result="taken"}'),
      await node.metric('starling_datagrams_sent_total'),
    ];
    if (transport === 'webtransport') {
      // About a second of it, thirty times a second; some are lost on a machine that has other things to do.
      for (const count of counts) assert.ok(count >= 10, `${counts} datagrams`);
    } else assert.deepEqual(counts, [0, 0]);
    await tab.close();
    await other.close();
    await node.stop();
  });
}
