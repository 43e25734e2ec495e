/** Every way to reach a node from a page: both transports, each from a worker and beside the page. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { NodeProxy } from '../../clients/typescript/test/support/proxy.ts';
import { start } from './support/browser.ts';
import { called, connect, got, publish, range, told, ways } from './support/follow.ts';

const browser = await start();
after(() => browser.stop());

const BOTH = ['webtransport', 'websocket'] as const;
const [preferred] = browser.transports;

for (const way of ways(browser.transports)) {
  const { transport, worker } = way;

  test(`${called(way)}: connects, publishes, receives; the node agrees on the transport`, async () => {
    const node = await StarlingNode.start();
    const tab = await browser.page();
    await connect(tab, { url: node.url, transports: [transport], worker }, 'demo:a');
    assert.deepEqual(await node.carries(), { webtransport: 0, websocket: 0, [transport]: 1 });
    const seqs = await publish(tab, 'demo:a', 0, 300);
    await becomes('messages', 300, async () => (await got(tab, 'demo:a')).length);
    assert.deepEqual(
      await got(tab, 'demo:a'),
      range(300).map((n) => [n, seqs[n]]),
    );
    assert.equal(await tab.workers(), worker ? 1 : 0);
    await until('a round trip is measured', () => tab.evaluate(() => (window.bench.client.stats.rttMs ?? 0) > 0));
    await tab.evaluate(() => window.bench.client.close());
    await becomes('sessions', { webtransport: 0, websocket: 0 }, () => node.carries());
    await until('the worker has ended', async () => (await tab.workers()) === 0);
    await tab.close();
    await node.stop();
  });
}

test('without a choice a page takes the best that the node lets this browser use', async () => {
  const node = await StarlingNode.start();
  const tab = await browser.page();
  await connect(tab, { url: node.url }, 'demo:a');
  assert.deepEqual(await node.carries(), { webtransport: 0, websocket: 0, [preferred as string]: 1 });
  await tab.close();
  await node.stop();
});

test('a node whose rules say so gets a WebSocket from this browser', async () => {
  const node = await StarlingNode.start({ 'client.websocket_browsers': browser.name });
  const tab = await browser.page();
  await connect(tab, { url: node.url }, 'demo:a');
  assert.deepEqual(await node.carries(), { webtransport: 0, websocket: 1 });
  await tab.close();
  await node.stop();
});

test('where no worker may be started, the engine runs beside the page', async () => {
  const node = await StarlingNode.start();
  const tab = await browser.page('/strict');
  await connect(tab, { url: node.url, transports: ['websocket'] }, 'demo:a');
  await publish(tab, 'demo:a', 0, 3);
  await becomes('messages', 3, async () => (await got(tab, 'demo:a')).length);
  assert.equal(await tab.workers(), 0);
  await tab.close();
  await node.stop();
});

// Where the node lets a browser use nothing but WebSocket, blocked UDP is nothing to it.
if (preferred === 'webtransport') {
  test('where UDP is blocked from the start, the WebSocket is taken after the head start', async () => {
    const node = await StarlingNode.start();
    const proxy = await NodeProxy.start(node.port);
    proxy.isUdpBlocked = true;
    const tab = await browser.page();
    await connect(tab, { url: proxy.url, transports: BOTH }, 'demo:a');
    assert.deepEqual(await node.carries(), { webtransport: 0, websocket: 1 });
    // The pages after it do not try again for a while, although their workers are new.
    await until('the page remembers', () => tab.evaluate(() => localStorage.length > 0));
    await tab.reload();
    proxy.isUdpBlocked = false;
    await connect(tab, { url: proxy.url, transports: BOTH }, 'demo:a');
    await becomes('connections', { webtransport: 0, websocket: 1 }, () => node.carries());
    await tab.close();
    await proxy.stop();
    await node.stop();
  });

  for (const worker of [true, false]) {
    test(`UDP blocked in the middle of a session: moves to the WebSocket, and nothing is lost (worker: ${worker})`, async () => {
      const node = await StarlingNode.start();
      const proxy = await NodeProxy.start(node.port);
      const tab = await browser.page();
      await connect(tab, { url: proxy.url, transports: BOTH, worker }, 'demo:a');
      assert.deepEqual(await node.carries(), { webtransport: 1, websocket: 0 });
      await publish(tab, 'demo:a', 0, 50);
      proxy.isUdpBlocked = true;
      await publish(tab, 'demo:a', 50, 50);
      await becomes('messages', 100, async () => (await got(tab, 'demo:a')).length);
      assert.deepEqual(
        await got(tab, 'demo:a'),
        range(100).map((n) => [n, n + 1]),
      );
      assert.equal(
        await tab.evaluate(() => 'transport' in window.bench.client.state && window.bench.client.state.transport),
        'websocket',
      );
      assert.deepEqual(await told(tab, 'demo:a'), ['rewound', 'resumed']);
      await tab.close();
      await proxy.stop();
      await node.stop();
    });
  }
}
