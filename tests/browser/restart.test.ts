/** A node killed in the middle of a stream and started again on what it had on disk: what each namespace promises. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { start, type Tab } from './support/browser.ts';
import { called, connect, got, told, ways } from './support/follow.ts';
import { acknowledged, dry, pump } from './support/pump.ts';

const browser = await start();
after(() => browser.stop());

/** The channel on disk and the one in memory. */
const LOG = 'log:a';
const DEMO = 'demo:a';

/** Acknowledgements on each channel before the kill, and again after it. */
const ACKNOWLEDGED = 100;

const moreThan = (tab: Tab, before: { log: number; demo: number }) =>
  until('acknowledgements on both channels', async () => {
    const [log, demo] = [await acknowledged(tab, LOG), await acknowledged(tab, DEMO)];
    return log.length >= before.log + ACKNOWLEDGED && demo.length >= before.demo + ACKNOWLEDGED;
  });

for (const way of ways(browser.transports)) {
  const { transport, worker } = way;

  test(`${called(way)}: a node killed in the middle of a stream and started again`, async () => {
    const node = await StarlingNode.start();
    const tab = await browser.page();
    await connect(tab, { url: node.url, transports: [transport], worker }, LOG, DEMO);
    await pump(tab, [LOG, DEMO]);
    await moreThan(tab, { log: 0, demo: 0 });
    await node.kill();
    // Then no acknowledgement from before the kill is on its way any more.
    await becomes('the state', 'reconnecting', () => tab.evaluate(() => window.bench.client.state.kind));
    const before = { log: (await acknowledged(tab, LOG)).length, demo: (await acknowledged(tab, DEMO)).length };
    await node.restart();
    await moreThan(tab, before);
    assert.deepEqual(await node.carries(), { webtransport: 0, websocket: 0, [transport]: 1 });
    assert.deepEqual(await dry(tab), [], 'no publish failed');

    const acks = { log: await acknowledged(tab, LOG), demo: await acknowledged(tab, DEMO) };
    await becomes('the last message', true, async () => (await got(tab, LOG)).length === acks.log.length);
    const log = await got(tab, LOG);
    assert.deepEqual(
      log.map(([, seq]) => seq),
      log.map((_, n) => n + 1),
      'every seq once and in order',
    );
    const bySeq = [...acks.log].sort(([, one], [, other]) => one - other);
    assert.deepEqual(log, bySeq, 'every acknowledged message at its place');
    assert.deepEqual(await told(tab, LOG), ['rewound', 'resumed']);

    assert.deepEqual(await told(tab, DEMO), ['rewound', 'discontinuity', 'node_restarted']);
    const promised = acks.demo.slice(before.demo).map(([data]) => data);
    await until('what was acknowledged after the restart has arrived', async () => {
      const heard = new Set((await got(tab, DEMO)).map(([data]) => data));
      return promised.every((data) => heard.has(data));
    });
    await tab.close();
    await node.stop();
  });
}
