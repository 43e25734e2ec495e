/** Presence between tabs on the nodes of a cluster: cursors, tabs that go, and a node that is killed with tabs on it. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { StarlingCluster } from '../../clients/typescript/test/support/cluster.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import type { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { start, type Tab } from './support/browser.ts';
import { called, type Way, ways } from './support/follow.ts';
import { attend, isSure, moves, startMoving, stopMoving, there, toldSince } from './support/here.ts';
import { channelOf } from './support/owner.ts';

const browser = await start();
const cluster = await StarlingCluster.start();
const [a, b, c] = cluster.nodes;
after(async () => {
  await browser.stop();
  await cluster.stop();
});

/** Moves of each cursor that the other tab has to see. */
const MOVES = 100;

/** For half of the moves of a cursor: no more than a person takes for at once. */
const MOVE_MS_MAX = 50;

/** The grace of the namespace. */
const GRACE_MS = 5_000;

/** The grace of a tab that was closed, and may be loaded again. */
const RELOAD_GRACE_MS = 1_000;

/** What is left for a tick and two links, on a machine that does more than this. */
const SLACK_MS = 1_000;

/** How many tabs may say goodbye until one is heard before its worker has ended. */
const GOODBYES = 3;

/** Until the clients of a node that died have left: its detection and the grace. */
const DEATH_MS_MAX = 8_000;

/** Until a client misses a node that says nothing, and is at another. */
const SILENCE_MS_MAX = 25_000;

/** The transport that this browser prefers, in a worker; and the WebSocket, beside the page. */
const PREFERRED = { transports: browser.transports.slice(0, 1), worker: true };
const PLAIN = { transports: ['websocket' as const], worker: false };

const figure = (text: string) => console.log(`# ${browser.name}: ${text}`);

/** A tab that is in the channel's presence by a node. */
async function tabAt(node: StarlingNode, channel: string, name: string, way = PREFERRED): Promise<Tab> {
  const tab = await browser.page();
  await attend(tab, { url: node.url, ...way }, channel, name);
  return tab;
}

/** Waits until each of the tabs sees the same. */
async function see(tabs: readonly Tab[], who: readonly string[]): Promise<void> {
  for (const tab of tabs) await becomes('who is there', who, () => there(tab));
}

test('two tabs on two nodes see each other’s cursor move', async () => {
  const name = 'demo:cursors';
  const one = await tabAt(a, name, 'anna');
  const other = await tabAt(b, name, 'bert', PLAIN);
  const tabs = [one, other];
  await see(tabs, ['anna at a', 'bert at b']);
  for (const tab of tabs) await startMoving(tab);
  await until('moves', async () => (await Promise.all(tabs.map(moves))).every(({ length }) => length >= MOVES));
  for (const tab of tabs) await stopMoving(tab);
  for (const [tab, from] of [
    [one, 'bert'],
    [other, 'anna'],
  ] as const) {
    const arrived = await moves(tab);
    const numbers = arrived.map(([move]) => move);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((one, other) => one - other),
      'each once, and none after a later one',
    );
    const took = arrived.map(([, tookMs]) => tookMs).sort((one, other) => one - other);
    const median = took[took.length >> 1] as number;
    const longest = took.at(-1) as number;
    figure(
      `${took.length} moves of ${from}, seen at another node after ${median.toFixed(1)} ms (${longest.toFixed(1)} at most)`,
    );
    assert.ok(median <= MOVE_MS_MAX, `half of the moves took ${median} ms`);
  }
  for (const tab of tabs) await tab.close();
});

test('a tab that is loaded again has not left, and one that is closed has in a moment', async () => {
  const name = 'demo:closed';
  const watcher = await tabAt(b, name, 'bert', PLAIN);
  const tab = await tabAt(a, name, 'anna');
  await see([watcher], ['anna at a', 'bert at b']);
  const reloaded = Date.now();
  await tab.reload();
  await attend(tab, { url: a.url, ...PREFERRED }, name, 'anna again');
  await see([watcher], ['anna again at a', 'bert at b']);
  // On a machine that is so busy it may be back too late, and has left then.
  const isInTime = Date.now() - reloaded < RELOAD_GRACE_MS;
  const closed = Date.now();
  await tab.close();
  await see([watcher], ['bert at b']);
  const told = await toldSince(watcher, reloaded);
  // By then the grace of what was there before the reload is over, too.
  const events = told.map(([event]) => event);
  const left = events.pop();
  assert.equal(left, 'leave anna again');
  if (isInTime || events.length === 1) assert.deepEqual(events, ['update anna again']);
  else assert.deepEqual(events, ['leave anna', 'join anna again']);
  const afterMs = (told.at(-1)?.[1] ?? 0) - closed;
  figure(`a tab that was closed had left after ${(afterMs / 1_000).toFixed(2)} s`);
  assert.ok(afterMs >= RELOAD_GRACE_MS, 'not before it could have been loaded again');
  assert.ok(afterMs < RELOAD_GRACE_MS + SLACK_MS, `${afterMs} ms`);
  await watcher.close();
});

/** How long after it was closed a tab that is connected in this way has left, in milliseconds. */
async function leavesAfter(watcher: Tab, channel: string, way: Way, prepare?: (tab: Tab) => Promise<void>) {
  const tab = await tabAt(a, channel, 'anna', { ...way, transports: [way.transport] });
  await see([watcher], ['anna at a', 'bert at b']);
  await prepare?.(tab);
  const closed = Date.now();
  await tab.close();
  await see([watcher], ['bert at b']);
  const [left] = await toldSince(watcher, closed);
  assert.equal(left?.[0], 'leave anna');
  return (left?.[1] ?? 0) - closed;
}

test('every way to connect is closed by the browser with the tab', async () => {
  const name = 'demo:ways';
  const watcher = await tabAt(b, name, 'bert', PLAIN);
  for (const way of ways(browser.transports)) {
    const afterMs = await leavesAfter(watcher, name, way);
    figure(`${called(way)}, a tab that was closed had left after ${Math.round(afterMs)} ms`);
    assert.ok(afterMs >= RELOAD_GRACE_MS && afterMs < RELOAD_GRACE_MS + SLACK_MS, `${afterMs} ms`);
  }
  await watcher.close();
});

test('a tab whose page closes its client when it goes has left at once', async () => {
  const name = 'demo:goodbye';
  const watcher = await tabAt(b, name, 'bert', PLAIN);
  // A browser may end a page's worker, Firefox even the page, before the goodbye is out: the tab is closed then, as any other.
  const isSaid = browser.name === 'chrome';
  for (const way of ways(browser.transports).slice(0, isSaid ? undefined : 1)) {
    const took: number[] = [];
    while (took.length < GOODBYES && !(Math.min(...took) < SLACK_MS)) {
      const afterMs = await leavesAfter(watcher, name, way, (tab) =>
        tab.evaluate(() => {
          // As the client's README has it.
          addEventListener('pagehide', ({ persisted }) => persisted || window.bench.client.close());
        }),
      );
      assert.ok(afterMs < RELOAD_GRACE_MS + SLACK_MS, `${afterMs} ms`);
      took.push(afterMs);
    }
    figure(`${called(way)}, a tab that says goodbye had left after ${took.map(Math.round).join(', then ')} ms`);
    assert.ok(!isSaid || Math.min(...took) < SLACK_MS, `${took} ms`);
  }
  await watcher.close();
});

/**
 * Judges what was told of clients that moved away from a node that was killed. Who was back within its grace has not left;
 * who took longer has left once, after it, and joined once.
 */
function judgeMoved(told: readonly [event: string, atMs: number][], who: string, killed: number): void {
  const events = told.filter(([event]) => event === `join ${who}` || event === `leave ${who}`);
  if (events.length === 0) return;
  assert.deepEqual(
    events.map(([event]) => event),
    [`leave ${who}`, `join ${who}`],
  );
  const afterMs = (events[0]?.[1] ?? 0) - killed;
  assert.ok(afterMs >= GRACE_MS, `${who} had left ${afterMs} ms after its node was killed`);
}

/** Waits until all that a tab shows is at nodes that run. */
const moved = (tab: Tab, count: number) =>
  until(
    'all are at nodes that run',
    async () => {
      const who = await there(tab);
      return who.length === count && who.every((one) => !one.endsWith(' at a'));
    },
    SILENCE_MS_MAX,
  );

test('the node of a tab is killed, which owns the channel too: it is there from another one, and nobody has left', async () => {
  const name = await channelOf(a, b);
  const anna = await tabAt(a, name, 'anna');
  const bert = await tabAt(b, name, 'bert');
  const tabs = [anna, bert];
  await see(tabs, ['anna at a', 'bert at b']);
  // A page in which nothing moves may notice only after one and a half heartbeats.
  for (const tab of tabs) await startMoving(tab);
  const killed = Date.now();
  await a.kill();
  await moved(bert, 2);
  figure(`a tab was seen at another node ${Date.now() - killed} ms after its own was killed`);
  for (const tab of tabs) {
    await isSure(tab, DEATH_MS_MAX + SLACK_MS);
    const who = await there(tab);
    assert.ok(who.length === 2 && who[0]?.startsWith('anna at ') && who[1] === 'bert at b', String(who));
    assert.notEqual(who[0], 'anna at a');
  }
  const told = await toldSince(bert, killed);
  judgeMoved(told, 'anna', killed);
  assert.deepEqual(
    told.filter(([event]) => /^(join|leave) bert$/.test(event)),
    [],
    'whose node lives is there all the time',
  );
  assert.deepEqual(await bert.evaluate(() => window.bench.here.doubted), ['a'], 'the node was uncertain meanwhile');
  for (const tab of tabs) await tab.close();
  await a.restart();
  await until('it is ready', () => a.isReady(), 40_000);
});

test('the node of three tabs is killed, and one of them is closed: two are there from others, the third has left once', async () => {
  const name = await channelOf(c, b);
  const watcher = await tabAt(b, name, 'watcher', PLAIN);
  const anna = await tabAt(a, name, 'anna');
  const bert = await tabAt(a, name, 'bert', PLAIN);
  const cara = await tabAt(a, name, 'cara');
  const tabs = [watcher, anna, bert];
  await see(tabs, ['anna at a', 'bert at a', 'cara at a', 'watcher at b']);
  for (const tab of tabs) await startMoving(tab);
  const killed = Date.now();
  await a.kill();
  await cara.close();
  await moved(watcher, 3);
  for (const tab of tabs) {
    await isSure(tab, DEATH_MS_MAX + SLACK_MS);
    const who = (await there(tab)).map((one) => one.split(' at '));
    assert.deepEqual(
      who.map(([name]) => name),
      ['anna', 'bert', 'watcher'],
    );
    assert.ok(
      who.every(([, node]) => node !== 'a'),
      String(who),
    );
    const told = await toldSince(tab, killed);
    for (const name of ['anna', 'bert']) judgeMoved(told, name, killed);
  }
  const gone = (await toldSince(watcher, killed)).filter(([event]) => event.endsWith(' cara'));
  assert.deepEqual(
    gone.map(([event]) => event),
    ['leave cara'],
  );
  const afterMs = (gone[0]?.[1] ?? 0) - killed;
  figure(`a tab that went with its node had left after ${(afterMs / 1_000).toFixed(2)} s`);
  assert.ok(afterMs >= GRACE_MS && afterMs < DEATH_MS_MAX, `${afterMs} ms`);
  for (const tab of tabs) await tab.close();
});
