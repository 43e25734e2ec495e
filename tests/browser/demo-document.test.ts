/** The demo's page of a document, as somebody tries it: two tabs, formatting, versions, and a node that dies. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { start, type Tab } from './support/browser.ts';
import { click, exists, fill, text } from './support/dom.ts';

const browser = await start();
const node = await StarlingNode.start({ 'client.demo': 'true', 'documents.enabled': 'true' });
after(async () => {
  await browser.stop();
  await node.stop();
});

const open = async (name: string): Promise<Tab> => {
  const tab = await browser.visit(`${node.url}/document?name=${name}`);
  await until('connected', () => exists(tab, '#state[data-kind=connected]'));
  await until('saved', async () => (await text(tab, '#saved')) === 'saved');
  return tab;
};

/** Types at the end, as a keyboard does. */
const type = (tab: Tab, words: string): Promise<void> =>
  tab.evaluate((words) => {
    const editor = document.querySelector<HTMLElement>('#editor [contenteditable]');
    editor?.focus();
    getSelection()?.selectAllChildren(editor as Node);
    getSelection()?.collapseToEnd();
    document.execCommand('insertText', false, words);
  }, words);

/** What is written, without the carets of others in it. */
const written = (tab: Tab): Promise<string | undefined> =>
  tab.evaluate(() => {
    const editor = document.querySelector('#editor [contenteditable]')?.cloneNode(true) as HTMLElement | undefined;
    for (const caret of editor?.querySelectorAll('.caret') ?? []) caret.remove();
    return editor?.textContent?.replaceAll('\u2060', '');
  });

const pressed = (label: string) => `#tools button[aria-label="${label}"]`;

test('two tabs write one document, see each other in it, and all of it is text', async () => {
  const [one, other] = [await open('plan'), await open('plan')];
  await type(one, '<img src=x onerror=alert(1)>');
  await becomes('the other tab', '<img src=x onerror=alert(1)>', () => written(other));
  await type(other, ' seen');
  await becomes('the first tab', '<img src=x onerror=alert(1)> seen', () => written(one));
  await until(
    'both are people',
    async () => (await one.evaluate(() => document.querySelectorAll('#people li').length)) === 2,
  );
  await until('the caret of the other', async () => /Guest \d+/.test((await text(one, '#editor .caret b')) ?? ''));
  await click(one, pressed('Heading'));
  await until('a heading there', () => exists(other, '#editor h2'));
  for (const tab of [one, other]) {
    await becomes('it is saved', 'saved', () => text(tab, '#saved'));
    assert.deepEqual([...tab.complaints], []);
    await tab.close();
  }
});

test('a version is kept, and gone back to in every tab', async () => {
  const [one, other] = [await open('letter'), await open('letter')];
  await type(one, 'Dear all');
  await becomes('it is saved', 'saved', () => text(one, '#saved'));
  await becomes('the other tab', 'Dear all', () => written(other));
  await fill(one, '#version', 'draft');
  await click(one, '#keep button');
  await until('it is listed', async () => /draft/.test((await text(one, '#versions')) ?? ''));
  await type(other, ', and nobody else');
  await becomes('the first tab', 'Dear all, and nobody else', () => written(one));
  await becomes('it is saved', 'saved', () => text(other, '#saved'));
  await click(one, '#versions li button');
  await until('what was there is a version', async () => /before restoring/.test((await text(one, '#versions')) ?? ''));
  for (const tab of [one, other]) {
    await becomes('what it was', 'Dear all', () => written(tab));
    assert.deepEqual([...tab.complaints], []);
    await tab.close();
  }
});

test('a document that the node refuses says why, and does not say that it is saved', async () => {
  const tab = await browser.visit(`${node.url}/document?name=bad%20name`);
  await becomes('what it says', 'not saved', () => text(tab, '#saved'));
  assert.match((await text(tab, '#trouble')) ?? '', /name/);
  assert.equal(await exists(tab, '#editor [contenteditable=true]'), false);
  // A browser calls an answer of 400 an error.
  assert.deepEqual(
    [...tab.complaints].filter((complaint) => !complaint.includes('status of 400')),
    [],
  );
  await tab.close();
});

test('what is typed while the node is dead is there after a reload, and saved', async () => {
  const one = await open('trip');
  await type(one, 'before');
  await becomes('it is saved', 'saved', () => text(one, '#saved'));
  await node.kill();
  await until('it is offline', () => exists(one, '#state[data-kind=reconnecting]'));
  await type(one, ' and meanwhile');
  await becomes('it is not saved', 'kept in this browser, not saved yet', () => text(one, '#saved'));
  await node.restart();
  await one.evaluate(() => location.reload());
  await becomes('all of it', 'before and meanwhile', () => written(one).catch(() => undefined));
  await becomes('it is saved', 'saved', () => text(one, '#saved'));
  const other = await open('trip');
  await becomes('another tab', 'before and meanwhile', () => written(other));
  await Promise.all([one.close(), other.close()]);
});
