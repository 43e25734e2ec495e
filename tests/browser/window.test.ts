/** A window on a screen, and a tab that another one really hides: slow timers, no frames, and then all of it again. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { WebSocket } from 'ws';
import { Client } from '../../clients/typescript/src/index.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { start, type Tab } from './support/browser.ts';
import { Display } from './support/display.ts';
import { draw, flood } from './support/flood.ts';

const display = await Display.start();
const browser = await start({ display: display.name });
const node = await StarlingNode.start();
const publisher = new Client({ url: node.url, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket });
after(async () => {
  await publisher.close();
  await node.stop();
  await browser.stop();
  await display.stop();
});

const RATE = 2_000;

const visibility = (tab: Tab) => tab.evaluate(() => document.visibilityState);
const heard = (tab: Tab) => tab.evaluate(() => window.bench.seen.heard.length);
const frames = (tab: Tab) => tab.evaluate(() => window.bench.seen.frames);

for (const transport of browser.transports) {
  test(`over ${transport} a hidden tab loses nothing, and nothing has piled up when it is looked at again`, async () => {
    const tab = await browser.page();
    const name = `demo:window-${transport}`;
    await draw(tab, node.url, name, { transport, production: true });
    await becomes('the tab', 'visible', () => visibility(tab));

    const uncover = await tab.cover();
    await becomes('the tab', 'hidden', () => visibility(tab));
    const drawn = await frames(tab);
    const first = await flood(publisher.channel(name), RATE, 3);
    await becomes('messages while it is hidden', first.total, () => heard(tab));
    assert.equal(await visibility(tab), 'hidden', 'all the while');
    // Chromium draws none; Firefox one in a second, then fewer.
    assert.ok((await frames(tab)) - drawn < 10, 'it was not drawn');

    const tasks = await tab.watch();
    const flooding = flood(publisher.channel(name), RATE, 3);
    await until('it is behind', async () => (await heard(tab)) > first.total);
    await uncover();
    await becomes('the tab', 'visible', () => visibility(tab));
    // The first frames of a tab that is shown again are as late as the machine makes them.
    await tab.evaluate(() => {
      window.bench.seen.commitsOfAFrameMax = 0;
    });
    const second = await flooding;
    await becomes('messages', first.total + second.total, () => heard(tab));
    const { longest, own } = await tasks();
    const took = [longest, own ?? longest].map((ms) => ms.toFixed(1));
    console.log(
      `# ${browser.name}, ${transport}: shown again, longest task ${took[0]} ms, by processor time ${took[1]} ms`,
    );
    const { inOrder, commitsOfAFrameMax } = await tab.evaluate(
      ({ first, second }) => {
        const { heard, commitsOfAFrameMax } = window.bench.seen;
        const inOrder =
          heard.every((data, n) => data === (n < first ? n : n - first)) && heard.length === first + second;
        return { inOrder, commitsOfAFrameMax };
      },
      { first: first.total, second: second.total },
    );
    assert.ok(inOrder, 'each once, in order');
    assert.ok(commitsOfAFrameMax <= 1, `${commitsOfAFrameMax} commits in a frame`);
    await tab.close();
  });
}
