/** Every way to reach a node from a page: both transports, each from a worker and beside the page. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { NodeProxy } from '../../clients/typescript/test/support/proxy.ts';
import { Chromium } from './support/browser.ts';

let chromium: Chromium;
before(async () => {
  chromium = await Chromium.start();
});
after(() => chromium.stop());

interface Way {
  transport: 'webtransport' | 'websocket';
  worker: boolean;
}

const WAYS: Way[] = (['webtransport', 'websocket'] as const).flatMap((transport) =>
  [true, false].map((worker) => ({ transport, worker })),
);

/** Connects, with everything that happens on one channel noted. */
async function connect(page: Page, url: string, transports: Way['transport'][], worker: boolean, channel: string) {
  await page.evaluate(
    ([url, transports, worker, name]) => {
      const { bench } = window;
      bench.client = new bench.Client({ url, transports, worker });
      const channel = bench.client.channel(name);
      channel.on('subscribed', ({ outcome }) => bench.told.push(outcome.kind));
      channel.on('discontinuity', ({ reason }) => bench.told.push(reason));
      channel.subscribe(({ data, position }) => bench.got.push([data, position.seq]));
    },
    [url, transports, worker, channel] as const,
  );
  await until('subscribed', () => page.evaluate(() => window.bench.told.length > 0));
}

const publish = (page: Page, channel: string, from: number, count: number) =>
  page.evaluate(
    ([name, from, count]) => {
      const channel = window.bench.client.channel(name);
      return Promise.all(Array.from({ length: count }, async (_, n) => (await channel.publish(from + n)).position.seq));
    },
    [channel, from, count] as const,
  );

const got = (page: Page) => page.evaluate(() => window.bench.got as [unknown, number][]);
const state = (page: Page) => page.evaluate(() => window.bench.client.state);
const range = (count: number) => Array.from({ length: count }, (_, n) => n);

for (const { transport, worker } of WAYS) {
  const place = worker ? 'in a worker' : 'beside the page';

  test(`${transport} ${place}: connects, publishes, receives; the node agrees on the transport`, async () => {
    const node = await StarlingNode.start();
    const page = await chromium.page();
    await connect(page, node.url, [transport], worker, 'demo:a');
    assert.deepEqual(await node.carries(), { webtransport: 0, websocket: 0, [transport]: 1 });
    const seqs = await publish(page, 'demo:a', 0, 300);
    await becomes('messages', 300, async () => (await got(page)).length);
    assert.deepEqual(
      await got(page),
      range(300).map((n) => [n, seqs[n]]),
    );
    assert.equal(page.workers().length, worker ? 1 : 0);
    await until('a round trip is measured', () => page.evaluate(() => (window.bench.client.stats.rttMs ?? 0) > 0));
    await page.evaluate(() => window.bench.client.close());
    await becomes('sessions', { webtransport: 0, websocket: 0 }, () => node.carries());
    await until('the worker has ended', () => page.workers().length === 0);
    await page.close();
    await node.stop();
  });

  test(`${transport} ${place}: a node killed and started again`, async () => {
    const node = await StarlingNode.start();
    const page = await chromium.page();
    await connect(page, node.url, [transport], worker, 'demo:a');
    await publish(page, 'demo:a', 0, 10);
    await becomes('messages', 10, async () => (await got(page)).length);
    await node.kill();
    const waits = publish(page, 'demo:a', 10, 10);
    await node.restart();
    await waits;
    await becomes('messages', 20, async () => (await got(page)).length);
    assert.deepEqual(
      (await got(page)).map(([data]) => data),
      range(20),
    );
    assert.deepEqual(await page.evaluate(() => window.bench.told), ['rewound', 'discontinuity', 'node_restarted']);
    await page.close();
    await node.stop();
  });
}

test('without a choice a page takes WebTransport', async () => {
  const node = await StarlingNode.start();
  const page = await chromium.page();
  await connect(page, node.url, ['webtransport', 'websocket'], true, 'demo:a');
  assert.deepEqual(await node.carries(), { webtransport: 1, websocket: 0 });
  await page.close();
  await node.stop();
});

test('a node whose rules say so gets a WebSocket from this browser', async () => {
  const node = await StarlingNode.start({ 'client.websocket_browsers': 'chrome' });
  const page = await chromium.page();
  await connect(page, node.url, ['webtransport', 'websocket'], true, 'demo:a');
  assert.deepEqual(await node.carries(), { webtransport: 0, websocket: 1 });
  await page.close();
  await node.stop();
});

test('where no worker may be started, the engine runs beside the page', async () => {
  const node = await StarlingNode.start();
  const page = await chromium.page('/strict');
  await connect(page, node.url, ['websocket'], true, 'demo:a');
  await publish(page, 'demo:a', 0, 3);
  await becomes('messages', 3, async () => (await got(page)).length);
  assert.equal(page.workers().length, 0);
  await page.close();
  await node.stop();
});

test('where UDP is blocked from the start, the WebSocket is taken after the head start', async () => {
  const node = await StarlingNode.start();
  const proxy = await NodeProxy.start(node.port);
  proxy.isUdpBlocked = true;
  const page = await chromium.page();
  await connect(page, proxy.url, ['webtransport', 'websocket'], true, 'demo:a');
  assert.deepEqual(await node.carries(), { webtransport: 0, websocket: 1 });
  await page.close();
  await proxy.stop();
  await node.stop();
});

for (const worker of [true, false]) {
  test(`UDP blocked in the middle of a session: moves to the WebSocket, and nothing is lost (worker: ${worker})`, async () => {
    const node = await StarlingNode.start();
    const proxy = await NodeProxy.start(node.port);
    const page = await chromium.page();
    await connect(page, proxy.url, ['webtransport', 'websocket'], worker, 'demo:a');
    assert.deepEqual(await node.carries(), { webtransport: 1, websocket: 0 });
    await publish(page, 'demo:a', 0, 50);
    proxy.isUdpBlocked = true;
    await publish(page, 'demo:a', 50, 50);
    await becomes('messages', 100, async () => (await got(page)).length);
    assert.deepEqual(
      (await got(page)).map(([data, seq]) => [data, seq]),
      range(100).map((n) => [n, n + 1]),
    );
    assert.equal(((await state(page)) as { transport: string }).transport, 'websocket');
    assert.deepEqual(await page.evaluate(() => window.bench.told), ['rewound', 'resumed']);
    await page.close();
    await proxy.stop();
    await node.stop();
  });
}
