/** The hooks in a real page, under StrictMode; and what a flood and a hidden tab do to it. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { Client } from '../../clients/typescript/src/index.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { Chromium } from './support/browser.ts';

let chromium: Chromium;
let node: StarlingNode;
let publisher: Client;

before(async () => {
  chromium = await Chromium.start();
  node = await StarlingNode.start();
  publisher = new Client({ url: node.url, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket });
});
after(async () => {
  await publisher.close();
  await node.stop();
  await chromium.stop();
});

/** Draws the page for these channels. */
async function draw(
  page: Page,
  name: string,
  options: { board?: string; transport?: string; production?: boolean } = {},
): Promise<void> {
  await page.evaluate(
    async ([url, name, board, transport, list]) => {
      const { bench } = window;
      const { start } = (await import(list)) as typeof import('./support/list.tsx');
      bench.client = new bench.Client({ url, ...(transport && { transports: [transport as 'websocket'] }) });
      bench.seen = start(bench.client, name, board);
    },
    [
      node.url,
      name,
      options.board ?? '',
      options.transport ?? '',
      options.production ? '/production.js' : '/development.js',
    ] as const,
  );
  await page.waitForSelector('ul[data-subscribed=true]', { state: 'attached' });
}

const lines = (page: Page) =>
  page.$$eval('li', (items) => items.map((item) => [item.textContent, item.dataset.status, item.dataset.id] as const));

/** Publishes on their way at once: on a busy machine the rate falls rather than the test. */
const ON_THEIR_WAY_MAX = 1_000;

/** Publishes numbers at a rate, and says how many when all are acknowledged. */
async function flood(name: string, rate: number, seconds: number): Promise<number> {
  const channel = publisher.channel<number>(name);
  const total = rate * seconds;
  const started = Date.now();
  let sent = 0;
  let acknowledged = 0;
  while (acknowledged < total) {
    const due = Math.min(total, ((Date.now() - started) / 1_000) * rate);
    for (; sent < due && sent - acknowledged < ON_THEIR_WAY_MAX; sent++)
      channel.publish(sent).then(() => acknowledged++);
    await sleep(5);
  }
  return total;
}

test('hooks show messages once, and one’s own from pending to acknowledged in one place', async () => {
  const page = await chromium.page();
  const name = 'demo:hooks';
  await publisher.channel<number>(name).publish(1);
  await publisher.channel<number>('board:hooks').publish(7, { key: 'a' });
  await draw(page, name, { board: 'board:hooks' });
  await becomes('the list', [['1', 'acknowledged']], async () =>
    (await lines(page)).map(([data, status]) => [data, status]),
  );
  await becomes('the status', 'connected webtransport', () => page.textContent('#status'));
  await becomes('the board', 'a=7', () => page.textContent('#board'));
  const statuses = await page.evaluate(async () => {
    const { bench } = window;
    const seen: string[] = [];
    const note = () => {
      const item = [...document.querySelectorAll<HTMLElement>('li')].find((one) => one.textContent === '2');
      if (item) seen.push(`${item.dataset.id} ${item.dataset.status}`);
    };
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true, attributes: true });
    bench.seen.send(2);
    while (!seen.some((one) => one.endsWith('acknowledged'))) await new Promise(requestAnimationFrame);
    return [...new Set(seen)];
  });
  assert.deepEqual(statuses, ['own-1 pending', 'own-1 acknowledged']);
  await publisher.channel<number>(name).publish(3);
  await becomes('the list', ['1', '2', '3'], async () => (await lines(page)).map(([data]) => data));
  assert.equal(new Set((await lines(page)).map(([, , id]) => id)).size, 3, 'each line once');
  await publisher.channel<number>('board:hooks').publish(8, { key: 'b' });
  await becomes('the board', 'a=7 b=8', () => page.textContent('#board'));
  assert.deepEqual(await page.evaluate(() => window.bench.seen.heard), [1, 2, 3], 'StrictMode subscribes once');
  assert.equal(await page.evaluate(() => window.bench.client.stats.sessions), 1);
  await page.evaluate(() => window.bench.seen.unmount());
  await becomes('the channel', 'unsubscribed', () =>
    page.evaluate(() => window.bench.client.channel('demo:hooks').state),
  );
  await page.context().close();
});

test('a message that fails can be tried again or dismissed', async () => {
  const page = await chromium.page();
  await draw(page, 'demo:fails');
  // Too large for a frame: refused without being sent.
  await page.evaluate(() => window.bench.seen.send('x'.repeat(70_000)));
  await becomes('the line', ['failed'], async () => (await lines(page)).map(([, status]) => status));
  assert.match((await page.getAttribute('li', 'title')) ?? '', /the server takes \d+/);
  await page.click('.retry');
  await becomes('the line', ['failed'], async () => (await lines(page)).map(([, status]) => status));
  await page.click('.dismiss');
  await becomes('the list', [], () => lines(page));
  await page.context().close();
});

for (const transport of ['webtransport', 'websocket']) {
  test(`a flood of 5,000 messages a second for 10 s over ${transport}: all accounted for, no long task`, async () => {
    const page = await chromium.page();
    const name = `demo:flood-${transport}`;
    await draw(page, name, { transport, production: true });
    await page.evaluate(() => {
      window.bench.seen.commitsOfAFrameMax = 0;
    });
    const tracing = await chromium.trace();
    const total = await flood(name, 5_000, 10);
    await becomes('messages', total, () => page.evaluate(() => window.bench.seen.heard.length));
    const tasks = await tracing.longest();
    const { inOrder, frames, commits, commitsOfAFrameMax, last } = await page.evaluate(() => {
      const { seen } = window.bench;
      const inOrder = seen.heard.every((data, n) => data === n);
      const { frames, commits, commitsOfAFrameMax } = seen;
      const last = document.querySelector('li:last-child')?.textContent;
      return { inOrder, frames, commits, commitsOfAFrameMax, last };
    });
    console.log(`# ${transport}: ${total} messages, ${commits} commits, ${frames} frames, longest task: ${tasks} ms`);
    assert.ok(inOrder, 'each once, in order');
    assert.equal(last, String(total - 1));
    assert.ok(commitsOfAFrameMax <= 1, `${commitsOfAFrameMax} commits in a frame`);
    assert.ok(tasks < 50, `a task took ${tasks} ms`);
    await page.context().close();
  });
}

test('a hidden tab loses nothing, and does not pile up', async () => {
  const page = await chromium.page();
  const name = 'demo:hidden';
  await draw(page, name);
  await page.evaluate(() => {
    // What a hidden tab is to its page: it says so, draws no frames, and its timers run once a second.
    const hidden = { configurable: true, get: () => 'hidden' };
    Object.defineProperty(Document.prototype, 'visibilityState', hidden);
    const timeout = window.setTimeout;
    const frame = window.requestAnimationFrame;
    window.setTimeout = ((act: () => void, ms = 0) => timeout(act, Math.max(ms, 1_000))) as typeof setTimeout;
    window.requestAnimationFrame = () => 0;
    document.dispatchEvent(new Event('visibilitychange'));
    window.bench.show = () => {
      window.setTimeout = timeout;
      window.requestAnimationFrame = frame;
      Object.defineProperty(Document.prototype, 'visibilityState', { configurable: true, get: () => 'visible' });
      document.dispatchEvent(new Event('visibilitychange'));
    };
  });
  const total = await flood(name, 2_000, 4);
  await until('the hidden page keeps up', () => page.evaluate(() => window.bench.seen.heard.length > 0));
  await page.evaluate(() => window.bench.show());
  await becomes('messages', total, () => page.evaluate(() => window.bench.seen.heard.length));
  assert.ok(await page.evaluate(() => window.bench.seen.heard.every((data, n) => data === n)), 'each once, in order');
  await page.context().close();
});
