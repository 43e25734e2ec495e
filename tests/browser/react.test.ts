/** The hooks in a real page, under StrictMode; and what a flood and a hidden tab do to it. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { WebSocket } from 'ws';
import { Client } from '../../clients/typescript/src/index.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { start, type Tab } from './support/browser.ts';
import { click, text } from './support/dom.ts';
import { draw, flood } from './support/flood.ts';

const browser = await start();
const node = await StarlingNode.start();
const publisher = new Client({ url: node.url, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket });
after(async () => {
  await publisher.close();
  await node.stop();
  await browser.stop();
});

const lines = (tab: Tab) =>
  tab.evaluate(() =>
    [...document.querySelectorAll('li')].map(
      (item) => [item.textContent, item.dataset.status, item.dataset.id] as const,
    ),
  );

test('hooks show messages once, and one’s own from pending to acknowledged in one place', async () => {
  const tab = await browser.page();
  const name = 'demo:hooks';
  await publisher.channel<number>(name).publish(1);
  await publisher.channel<number>('board:hooks').publish(7, { key: 'a' });
  await draw(tab, node.url, name, { board: 'board:hooks' });
  await becomes('the list', [['1', 'acknowledged']], async () =>
    (await lines(tab)).map(([data, status]) => [data, status]),
  );
  await becomes('the status', `connected ${browser.transports[0]}`, () => text(tab, '#status'));
  await becomes('the board', 'a=7', () => text(tab, '#board'));
  const statuses = await tab.evaluate(async () => {
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
  await becomes('the list', ['1', '2', '3'], async () => (await lines(tab)).map(([data]) => data));
  assert.equal(new Set((await lines(tab)).map(([, , id]) => id)).size, 3, 'each line once');
  await publisher.channel<number>('board:hooks').publish(8, { key: 'b' });
  await becomes('the board', 'a=7 b=8', () => text(tab, '#board'));
  assert.deepEqual(await tab.evaluate(() => window.bench.seen.heard), [1, 2, 3], 'StrictMode subscribes once');
  assert.equal(await tab.evaluate(() => window.bench.client.stats.sessions), 1);
  await tab.evaluate(() => window.bench.seen.unmount());
  await becomes('the channel', 'unsubscribed', () =>
    tab.evaluate(() => window.bench.client.channel('demo:hooks').state),
  );
  await tab.close();
});

test('a message that fails can be tried again or dismissed', async () => {
  const tab = await browser.page();
  await draw(tab, node.url, 'demo:fails');
  // Too large for a frame: refused without being sent.
  await tab.evaluate(() => window.bench.seen.send('x'.repeat(70_000)));
  await becomes('the line', ['failed'], async () => (await lines(tab)).map(([, status]) => status));
  assert.match(await tab.evaluate(() => document.querySelector('li')?.title ?? ''), /the server takes \d+/);
  await click(tab, '.retry');
  await becomes('the line', ['failed'], async () => (await lines(tab)).map(([, status]) => status));
  await click(tab, '.dismiss');
  await becomes('the list', [], () => lines(tab));
  await tab.close();
});

for (const transport of browser.transports) {
  test(`a flood of 5,000 messages a second for 10 s over ${transport}: all accounted for, no long task`, async () => {
    const tab = await browser.page();
    const name = `demo:flood-${transport}`;
    await draw(tab, node.url, name, { transport, production: true });
    await tab.evaluate(() => {
      window.bench.seen.commitsOfAFrameMax = 0;
    });
    const longest = await tab.watch();
    const { total, reached } = await flood(publisher.channel(name), 5_000, 10);
    await becomes('messages', total, () => tab.evaluate(() => window.bench.seen.heard.length));
    const tasks = await longest();
    const { inOrder, frames, commits, commitsOfAFrameMax, last } = await tab.evaluate(() => {
      const { seen } = window.bench;
      const inOrder = seen.heard.every((data, n) => data === n);
      const { frames, commits, commitsOfAFrameMax } = seen;
      const last = document.querySelector('li:last-child')?.textContent;
      return { inOrder, frames, commits, commitsOfAFrameMax, last };
    });
    const figures = `${total} messages at ${reached} a second, ${commits} commits in ${frames} frames`;
    console.log(`# ${browser.name}, ${transport}: ${figures}, longest task ${tasks.longest.toFixed(1)} ms`);
    assert.ok(inOrder, 'each once, in order');
    assert.equal(last, String(total - 1));
    assert.ok(commitsOfAFrameMax <= 1, `${commitsOfAFrameMax} commits in a frame`);
    await tab.close();
  });
}

test('a hidden tab loses nothing, and does not pile up', async () => {
  const tab = await browser.page();
  const name = 'demo:hidden';
  await draw(tab, node.url, name);
  await tab.evaluate(() => {
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
  const { total } = await flood(publisher.channel(name), 2_000, 4);
  await until('the hidden page keeps up', () => tab.evaluate(() => window.bench.seen.heard.length > 0));
  await tab.evaluate(() => window.bench.show());
  await becomes('messages', total, () => tab.evaluate(() => window.bench.seen.heard.length));
  assert.ok(await tab.evaluate(() => window.bench.seen.heard.every((data, n) => data === n)), 'each once, in order');
  await tab.close();
});
