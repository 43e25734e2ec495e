/** The demo page as somebody tries it: two tabs and a terminal. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { BINARY, StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { Chromium } from './support/browser.ts';

let chromium: Chromium;
let node: StarlingNode;

before(async () => {
  chromium = await Chromium.start();
  node = await StarlingNode.start({ 'client.demo': 'true' });
});
after(async () => {
  await node.stop();
  await chromium.stop();
});

const open = async (query = '') => {
  const tab = await chromium.visit(`${node.url}/${query}`);
  await tab.page.waitForSelector('#state[data-kind=connected]');
  return tab;
};

const said = (page: Page) =>
  page.$$eval('#messages li:not(.news, .pending)', (items) => items.map((item) => item.lastChild?.textContent));

async function say(page: Page, text: string): Promise<void> {
  await page.fill('#text', text);
  await page.click('#composer button');
}

/** A verb of the command line, against this node. */
const starling = (...words: string[]): string =>
  execFileSync(BINARY, [...words, '--url', node.url], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

test('two tabs and a terminal chat, and what they say is text', async () => {
  const [one, other] = [await open(), await open()];
  await say(one.page, '<img src=x onerror=alert(1)>');
  await becomes('the other tab', ['<img src=x onerror=alert(1)>'], () => said(other.page));
  await say(other.page, 'seen');
  starling('pub', 'demo:lobby', 'hi from a terminal');
  const all = ['<img src=x onerror=alert(1)>', 'seen', 'hi from a terminal'];
  for (const { page } of [one, other]) await becomes('both tabs', all, () => said(page));
  const [first] = starling('sub', 'demo:lobby', '--rewind', '3', '--count', '3', '--json').trim().split('\n');
  assert.equal(JSON.parse(JSON.parse(first ?? '').data).text, '<img src=x onerror=alert(1)>');
  assert.deepEqual(await node.carries(), { webtransport: 2, websocket: 0 });
  assert.deepEqual([...one.complaints, ...other.complaints], []);
  await Promise.all([one.page.context().close(), other.page.context().close()]);
});

test('the board shows the newest value of each square, to who comes later too', async () => {
  const { page } = await open();
  const colour = (page: Page, square: number) =>
    page.$eval(`#board button:nth-child(${square})`, (one) => one.style.getPropertyValue('--colour'));
  await page.click('#colours button:nth-child(2)');
  await page.click('#board button:nth-child(20)');
  await page.click('#board button:nth-child(21)');
  await page.click('#colours button:nth-child(6)');
  await until('the square is painted', async () => (await colour(page, 21)) !== '');
  await page.click('#board button:nth-child(21)');
  await until('the square is cleared', async () => (await colour(page, 21)) === '');
  const later = await open();
  await until('the newest values come', async () => (await colour(later.page, 20)) !== '');
  assert.equal(await colour(later.page, 21), '');
  await Promise.all([page.context().close(), later.page.context().close()]);
});

for (const transport of ['webtransport', 'websocket']) {
  test(`a cut in the middle of a flood loses nothing, over ${transport}`, async () => {
    const { page, complaints } = await open(`?transport=${transport}`);
    await page.click('#flood');
    await until('the flood runs', async () => /[1-9]\d* received/.test((await page.textContent('#flooded')) ?? ''));
    await page.click('#cut');
    await until('all is accounted for', async () =>
      /^5,000 sent, 5,000 acknowledged, 5,000 received, 0 failed/.test((await page.textContent('#flooded')) ?? ''),
    );
    assert.equal(await page.textContent('#outcome'), 'resumed');
    assert.equal(await page.textContent('#lost'), '0');
    assert.deepEqual(complaints, []);
    await page.context().close();
  });
}

test('a node that was started again is news', async () => {
  const { page } = await open();
  await say(page, 'before');
  await becomes('the tab', 'before', async () => (await said(page)).at(-1));
  await node.kill();
  await node.restart();
  await page.waitForSelector('#messages .news');
  assert.match((await page.textContent('#messages .news')) ?? '', /node restarted/);
  await page.context().close();
});
