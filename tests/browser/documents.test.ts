/** Documents between tabs on the nodes of a cluster: typing at once, offline, undo, and owners that are killed. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { StarlingCluster } from '../../clients/typescript/test/support/cluster.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { NodeProxy } from '../../clients/typescript/test/support/proxy.ts';
import { Postgres } from '../compat/support/postgres.ts';
import { start, type Tab } from './support/browser.ts';
import { how, kept, open, shown, stop, there, type, typed } from './support/writing.ts';

const browser = await start();
const postgres = await Postgres.start();
const cluster = await StarlingCluster.start({ 'documents.enabled': 'true', 'storage.url': postgres.url });
after(async () => {
  await browser.stop();
  await cluster.stop();
  await postgres.remove();
});

/** How long a tab takes at most to miss a node that died, and to be level with another owner. */
const CHANGE_MS_MAX = 40_000;

/** Words of each tab. */
const WORDS = 100;

/** The transport that this browser prefers, in a worker; and the WebSocket, beside the page. */
const PREFERRED = { transports: browser.transports.slice(0, 1), worker: true };
const PLAIN = { transports: ['websocket' as const], worker: false };

const LEVEL: [state: string, synced: boolean, unsaved: number] = ['open', true, 0];

const figure = (text: string) => console.log(`# ${browser.name}: ${text}`);

/** Waits until the tabs are level with the server, and gives what all of them show. */
async function agreed(tabs: readonly Tab[]): Promise<string> {
  for (const tab of tabs) await becomes('it is level', LEVEL, () => how(tab), CHANGE_MS_MAX);
  await until(
    'all show the same',
    async () => {
      const [first, ...rest] = await Promise.all(tabs.map(shown));
      return rest.every((text) => text === first);
    },
    CHANGE_MS_MAX,
  );
  return shown(tabs[0] as Tab);
}

/** Every word that was typed is there once. */
async function holds(text: string, tabs: readonly Tab[]): Promise<void> {
  for (const tab of tabs) {
    const { words, saved } = await typed(tab);
    for (const [at, word] of words.entries()) {
      assert.equal(text.split(word).length, 2, `${word}, ${at < saved ? '' : 'not '}shown as saved`);
    }
  }
}

/** What a tab shows that loads the document now. */
async function fresh(document: string): Promise<string> {
  const node = cluster.nodes[1];
  const tab = await browser.page();
  await open(tab, { url: node.url, document, name: 'fresh', ...PLAIN });
  const text = await agreed([tab]);
  await tab.close();
  return text;
}

test('two tabs on two nodes type at once, see each other, and show the same in the end', async () => {
  const [a, b] = cluster.nodes;
  const tabs = [await browser.page(), await browser.page()] as const;
  await open(tabs[0], { url: a.url, document: 'meeting', name: 'anna', ...PREFERRED });
  await open(tabs[1], { url: b.url, document: 'meeting', name: 'bert', ...PLAIN });
  for (const tab of tabs) await becomes('who is there', ['anna', 'bert'], () => there(tab), CHANGE_MS_MAX);
  for (const [tab, name] of [
    [tabs[0], 'anna'],
    [tabs[1], 'bert'],
  ] as const) {
    await type(tab, name);
  }
  const count = async () => (await Promise.all(tabs.map(typed))).every(({ words }) => words.length >= WORDS);
  await until('words', count);
  for (const tab of tabs) await stop(tab);
  const text = await agreed(tabs);
  await holds(text, tabs);
  assert.equal(await fresh('meeting'), text);
  await tabs[1].close();
  await becomes('who is there', ['anna'], () => there(tabs[0]));
  await tabs[0].close();
});

test('undo takes back one’s own words, and nobody else’s', async () => {
  const [a, b] = cluster.nodes;
  const tabs = [await browser.page(), await browser.page()] as const;
  await open(tabs[0], { url: a.url, document: 'undo', name: 'anna', ...PREFERRED });
  await open(tabs[1], { url: b.url, document: 'undo', name: 'bert', ...PLAIN });
  await agreed(tabs);
  await type(tabs[0], 'anna', 1);
  await agreed(tabs);
  await type(tabs[1], 'bert', 1);
  await agreed(tabs);
  for (let undo = 0; undo < 3; undo++) await tabs[0].evaluate(() => void window.bench.writing.undo.undo());
  assert.equal(await agreed(tabs), '[bert0]');
  await tabs[0].evaluate(() => void window.bench.writing.undo.redo());
  const text = await agreed(tabs);
  assert.ok(text.includes('[anna0]') && text.includes('[bert0]'), text);
  for (const tab of tabs) await tab.close();
});

test('a tab that is offline keeps what is typed over a reload, and it is saved when there is a connection again', async () => {
  const node = await StarlingNode.start({ 'documents.enabled': 'true' });
  const proxy = await NodeProxy.start(node.port);
  const away = await browser.page();
  const here = await browser.page();
  const opening = { url: proxy.url, document: 'offline', offline: true, ...PREFERRED };
  await open(away, { ...opening, name: 'away' });
  await open(here, { url: node.url, document: 'offline', name: 'here', ...PLAIN });
  await agreed([away, here]);
  await type(away, 'online', 5);
  await agreed([away, here]);
  proxy.block(true);
  await becomes('it is offline', 'offline', async () => (await how(away))[0], CHANGE_MS_MAX);
  await type(away, 'away', 5);
  await type(here, 'here', 5);
  const { words } = await typed(away);
  const before = await shown(away);
  await kept(away);
  await away.reload();
  await open(away, { ...opening, name: 'again' });
  await becomes('what was typed', before, () => shown(away));
  const [state, , unsaved] = await how(away);
  assert.notEqual(state, 'open');
  assert.equal(unsaved, 1, 'it says that something is not saved');
  await type(away, 'again', 5);
  proxy.block(false);
  const text = await agreed([away, here]);
  await holds(text, [away, here]);
  for (const word of words) assert.equal(text.split(word).length, 2, word);
  await away.reload();
  await open(away, { ...opening, name: 'more' });
  await becomes('nothing is unsaved', LEVEL, () => how(away));
  assert.equal(await shown(away), text);
  for (const tab of [away, here]) await tab.close();
  await proxy.stop();
  await node.stop();
});

test('a tab that saves what another has kept does not call saved what that one edits after', async () => {
  const node = await StarlingNode.start({ 'documents.enabled': 'true' });
  const proxy = await NodeProxy.start(node.port);
  proxy.block(true);
  const tab = await browser.page();
  const opening = { url: proxy.url, document: 'shared', offline: true, ...PLAIN };
  await open(tab, { ...opening, name: 'away' });
  await becomes('it is offline', 'offline', async () => (await how(tab))[0]);
  await type(tab, 'first', 1);
  await kept(tab);
  // Another client of the page is as another tab: it shares the database, and nothing else.
  const saved = await tab.evaluate(
    async ([url, sdk, yjs]) => {
      const { DocProvider } = (await import(sdk)) as typeof import('../../clients/typescript/src/yjs.ts');
      const Y = (await import(yjs)) as typeof import('yjs');
      const client = new window.bench.Client({ url, transports: ['websocket'], worker: false });
      const provider = new DocProvider(client, 'shared', new Y.Doc(), { offline: true });
      // Meanwhile the first goes on.
      const { text } = window.bench.writing;
      const once = new Promise<void>((resolve) => provider.on('synced', () => resolve()));
      await once;
      text.insert(0, '[second]');
      await window.bench.writing.provider.whenKept();
      await provider.whenSaved();
      const seen = provider.doc.getText('t').toString();
      await client.close();
      return seen;
    },
    [node.url, '/dist/yjs.js', 'yjs'] as const,
  );
  assert.equal(saved, '[first0]');
  await tab.reload();
  await open(tab, { ...opening, name: 'again' });
  await becomes('both words', '[second][first0]', () => shown(tab));
  assert.equal((await how(tab))[2], 1, 'the second is not saved');
  proxy.block(false);
  await becomes('it is level', LEVEL, () => how(tab), CHANGE_MS_MAX);
  await tab.close();
  await proxy.stop();
  await node.stop();
});

test('whichever node is killed while two tabs type, nothing that was shown as saved is lost', async () => {
  const [a, b, c] = cluster.nodes;
  const tabs = [await browser.page(), await browser.page()] as const;
  await open(tabs[0], { url: a.url, document: 'killed', name: 'anna', ...PREFERRED });
  await open(tabs[1], { url: b.url, document: 'killed', name: 'bert', ...PLAIN });
  await agreed(tabs);
  await type(tabs[0], 'anna');
  await type(tabs[1], 'bert');
  // One of them owns the document: which, only it knows.
  for (const node of [c, a, b]) {
    const counts = (await Promise.all(tabs.map(typed))).map(({ saved }) => saved);
    const savedOn = () =>
      until(
        'words are saved',
        async () => (await Promise.all(tabs.map(typed))).every(({ saved }, at) => saved > (counts[at] as number)),
        CHANGE_MS_MAX,
      );
    await savedOn();
    await node.kill();
    const killed = Date.now();
    for (const [at, { saved }] of (await Promise.all(tabs.map(typed))).entries()) counts[at] = saved;
    await savedOn();
    figure(`both tabs were told of saved words again ${Date.now() - killed} ms after a node was killed`);
    await node.restart();
    await until('it is ready', () => node.isReady(), CHANGE_MS_MAX);
  }
  for (const tab of tabs) await stop(tab);
  const text = await agreed(tabs);
  await holds(text, tabs);
  assert.equal(await fresh('killed'), text, 'a fresh load is what they show');
  for (const tab of tabs) {
    assert.equal(await tab.evaluate(() => window.bench.client.stats.violations), 0);
    await tab.close();
  }
});
