/** The demo page as somebody tries it: two tabs and a terminal. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, test } from 'node:test';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { BINARY, StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { start, type Tab } from './support/browser.ts';
import { click, exists, fill, text } from './support/dom.ts';

const browser = await start();
const node = await StarlingNode.start({ 'client.demo': 'true' });
after(async () => {
  await node.stop();
  await browser.stop();
});

const open = async (query = ''): Promise<Tab> => {
  const tab = await browser.visit(`${node.url}/${query}`);
  await until('connected', () => exists(tab, '#state[data-kind=connected]'));
  return tab;
};

const said = (tab: Tab) =>
  tab.evaluate(() =>
    [...document.querySelectorAll('#messages li:not(.news, .pending)')].map((item) => item.lastChild?.textContent),
  );

async function say(tab: Tab, words: string): Promise<void> {
  await fill(tab, '#text', words);
  await click(tab, '#composer button');
}

/** A verb of the command line, against this node. */
const starling = (...words: string[]): string =>
  execFileSync(BINARY, [...words, '--url', node.url], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

test('two tabs and a terminal chat, and what they say is text', async () => {
  const [one, other] = [await open(), await open()];
  await say(one, '<img src=x onerror=alert(1)>');
  await becomes('the other tab', ['<img src=x onerror=alert(1)>'], () => said(other));
  await say(other, 'seen');
  starling('pub', 'demo:lobby', 'hi from a terminal');
  const all = ['<img src=x onerror=alert(1)>', 'seen', 'hi from a terminal'];
  for (const tab of [one, other]) await becomes('both tabs', all, () => said(tab));
  const [first] = starling('sub', 'demo:lobby', '--rewind', '3', '--count', '3', '--json').trim().split('\n');
  assert.equal(JSON.parse(JSON.parse(first ?? '').data).text, '<img src=x onerror=alert(1)>');
  assert.deepEqual(await node.carries(), { webtransport: 0, websocket: 0, [browser.transports[0] as string]: 2 });
  assert.deepEqual([...one.complaints, ...other.complaints], []);
  await Promise.all([one.close(), other.close()]);
});

test('the board shows the newest value of each square, to who comes later too', async () => {
  const tab = await open();
  const colour = (tab: Tab, square: number) =>
    tab.evaluate(
      (square) =>
        document.querySelector<HTMLElement>(`#board button:nth-child(${square})`)?.style.getPropertyValue('--colour'),
      square,
    );
  await click(tab, '#colours button:nth-child(2)');
  await click(tab, '#board button:nth-child(20)');
  await click(tab, '#board button:nth-child(21)');
  await click(tab, '#colours button:nth-child(6)');
  await until('the square is painted', async () => (await colour(tab, 21)) !== '');
  await click(tab, '#board button:nth-child(21)');
  await until('the square is cleared', async () => (await colour(tab, 21)) === '');
  const later = await open();
  await until('the newest values come', async () => (await colour(later, 20)) !== '');
  assert.equal(await colour(later, 21), '');
  await Promise.all([tab.close(), later.close()]);
});

for (const transport of browser.transports) {
  test(`a cut in the middle of a flood loses nothing, over ${transport}`, async () => {
    const tab = await open(`?transport=${transport}`);
    await click(tab, '#flood');
    await until('the flood runs', async () => /[1-9]\d* received/.test((await text(tab, '#flooded')) ?? ''));
    await click(tab, '#cut');
    await until('all is accounted for', async () =>
      /^5,000 sent, 5,000 acknowledged, 5,000 received, 0 failed/.test((await text(tab, '#flooded')) ?? ''),
    );
    assert.equal(await text(tab, '#outcome'), 'resumed');
    assert.equal(await text(tab, '#lost'), '0');
    assert.deepEqual(tab.complaints, []);
    await tab.close();
  });
}

test('a node that was started again is news', async () => {
  const tab = await open();
  await say(tab, 'before');
  await becomes('the tab', 'before', async () => (await said(tab)).at(-1));
  await node.kill();
  await node.restart();
  await until('news', () => exists(tab, '#messages .news'));
  assert.match((await text(tab, '#messages .news')) ?? '', /node restarted/);
  await tab.close();
});

test('every tab has an avatar and a cursor that the others see, until it is closed', async () => {
  const [one, other] = [await open(), await open()];
  const avatars = (tab: Tab) => tab.evaluate(() => document.querySelectorAll('#people li').length);
  for (const tab of [one, other]) await becomes('two avatars', 2, () => avatars(tab));
  for (const tab of [one, other]) {
    await becomes('which is the tab’s own', ['true', 'false'], () =>
      tab.evaluate(() => [...document.querySelectorAll<HTMLElement>('#people li')].map((item) => item.dataset.self)),
    );
  }
  await fill(one, '#name', 'Anna');
  await one.evaluate(() => document.querySelector('#name')?.dispatchEvent(new Event('change')));
  await until('the name', () =>
    other.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('#people li')].some((item) => item.title.startsWith('Anna, at node ')),
    ),
  );
  await one.evaluate(() => {
    dispatchEvent(new PointerEvent('pointermove', { clientX: innerWidth - 1, clientY: innerHeight - 1 }));
  });
  const cursors = (tab: Tab) =>
    tab.evaluate(() => [...document.querySelectorAll('#cursors span')].map((cursor) => cursor.textContent));
  await becomes('a cursor', ['Anna'], () => cursors(other));
  assert.deepEqual(await cursors(one), [], 'nobody draws the own one');
  await until('it is whole at the edge of the page', () =>
    other.evaluate(() => {
      const { left, right, bottom } = (document.querySelector('#cursors span') as Element).getBoundingClientRect();
      return left > 0 && Math.round(right) <= innerWidth && Math.round(bottom) <= innerHeight;
    }),
  );
  await one.close();
  await becomes('one avatar', 1, () => avatars(other));
  await becomes('no cursor', [], () => cursors(other));
  assert.deepEqual([...other.complaints], []);
  await other.close();
});
