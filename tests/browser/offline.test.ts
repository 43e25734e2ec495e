/** A document that the browser keeps, without any node: it is there after a reload, with what is unsaved. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { becomes } from '../../clients/typescript/test/support/eventually.ts';
import { start } from './support/browser.ts';
import { how, kept, open, shown, type } from './support/writing.ts';

const browser = await start();
after(() => browser.stop());

/** Where nobody answers. */
const NOWHERE = { url: 'http://127.0.0.1:2', offline: true };

test('what is edited without a node is there after a reload, and unsaved', async () => {
  const tab = await browser.page();
  await open(tab, { ...NOWHERE, document: 'plan', name: 'a' });
  await becomes('it is offline', ['offline', false, 0], () => how(tab));
  await type(tab, 'a', 20);
  const text = await shown(tab);
  await kept(tab);
  await tab.reload();
  await open(tab, { ...NOWHERE, document: 'plan', name: 'b' });
  await becomes('the text', text, () => shown(tab));
  await becomes('it is unsaved', ['offline', false, 1], () => how(tab));
  await type(tab, 'b', 1);
  assert.deepEqual(await how(tab), ['offline', false, 2]);
  await tab.close();
});

test('what is edited before the kept document is loaded is kept with it', async () => {
  const tab = await browser.page();
  await open(tab, { ...NOWHERE, document: 'early', name: 'a' });
  await type(tab, 'a', 3);
  await becomes('it is offline', 'offline', async () => (await how(tab))[0]);
  const text = await shown(tab);
  await kept(tab);
  await tab.reload();
  await open(tab, { ...NOWHERE, document: 'early', name: 'b' });
  await type(tab, 'b', 1);
  const [own] = await tab.evaluate(() => window.bench.writing.words);
  await becomes('all words', true, async () => {
    const all = await shown(tab);
    return all.includes(own as string) && all.replace(own as string, '') === text;
  });
  await kept(tab);
  await tab.reload();
  await open(tab, { ...NOWHERE, document: 'early', name: 'c' });
  await becomes('all words are kept', text.length + (own as string).length, async () => (await shown(tab)).length);
  await tab.close();
});

test('what the browser cannot write is told, and nothing is called kept any more', async () => {
  const tab = await browser.page();
  await open(tab, { ...NOWHERE, document: 'full', name: 'a' });
  await kept(tab);
  const told = await tab.evaluate(async () => {
    const { provider, text } = window.bench.writing;
    const told: unknown[] = [];
    provider.on('error', (error) => told.push(error.message));
    provider.on('kept', (isKept) => told.push(isKept));
    // As where the disk is full: the transaction is taken back.
    const { add } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.add = function () {
      this.transaction.abort();
      throw new DOMException('there is no room', 'QuotaExceededError');
    };
    text.insert(0, 'lost');
    IDBObjectStore.prototype.add = add;
    await provider.whenKept().catch((error) => told.push(error.code));
    return [told, provider.kept];
  });
  assert.deepEqual(told, [
    [false, 'what is edited is not kept on this machine (it was taken back); it goes on without', 'invalid'],
    false,
  ]);
  await type(tab, 'a', 1);
  await assert.rejects(kept(tab));
  await tab.close();
});

test('rows are made one before they are many, also when two pages write at once', async () => {
  const tab = await browser.page();
  const text = await tab.evaluate(
    async ([sdk, yjs]) => {
      const { DocProvider } = (await import(sdk as string)) as typeof import('../../clients/typescript/src/yjs.ts');
      const Y = (await import(yjs as string)) as typeof import('yjs');
      // Two clients are as two pages: each has a connection of its own to the database.
      const pages = [0, 1].map(() => {
        const doc = new Y.Doc();
        const client = new window.bench.Client({ url: 'http://127.0.0.1:2', worker: false });
        return { doc, provider: new DocProvider(client, 'many', doc, { offline: true }) };
      });
      for (const { provider } of pages) {
        while (provider.state !== 'offline') await new Promise((resolve) => setTimeout(resolve, 10));
      }
      for (let count = 0; count < 700; count++) {
        for (const { doc } of pages) doc.getText('t').insert(0, 'x');
        if (count % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      for (const { provider } of pages) await provider.whenKept();
      const seen = pages.map(({ doc }) => doc.getText('t').length);
      for (const { provider } of pages) provider.destroy();
      const request = indexedDB.open('starling-document:many');
      const database = await new Promise<IDBDatabase>((resolve) => {
        request.onsuccess = () => resolve(request.result);
      });
      const rows = database.transaction('updates').objectStore('updates').count();
      const marks = database.transaction('unsaved').objectStore('unsaved').count();
      await new Promise((resolve) => {
        marks.onsuccess = resolve;
      });
      return { seen, rows: rows.result, marks: marks.result };
    },
    ['/dist/yjs.js', 'yjs'],
  );
  assert.deepEqual(text.seen, [700, 700]);
  assert.ok(text.rows < 600, `${text.rows} rows`);
  assert.equal(text.marks, 2, 'one of each page');
  await tab.reload();
  await open(tab, { ...NOWHERE, document: 'many', name: 'a' });
  await becomes('what both have written', 1_400, async () => (await shown(tab)).length);
  await tab.close();
});

test('what is forgotten is gone, and a page that has it open goes on without', async () => {
  const tab = await browser.page();
  await open(tab, { ...NOWHERE, document: 'private', name: 'a' });
  await becomes('it is offline', 'offline', async () => (await how(tab))[0]);
  await type(tab, 'a', 5);
  await kept(tab);
  await tab.evaluate(async (sdk) => {
    const { forget } = (await import(sdk)) as typeof import('../../clients/typescript/src/yjs.ts');
    await forget('private');
  }, '/dist/yjs.js');
  await type(tab, 'a', 1);
  assert.equal(await tab.evaluate(() => window.bench.writing.provider.kept), false);
  await tab.reload();
  await open(tab, { ...NOWHERE, document: 'private', name: 'b' });
  await becomes('nothing is unsaved', ['offline', false, 0], () => how(tab));
  assert.equal(await shown(tab), '');
  assert.deepEqual(
    tab.complaints.filter((one) => !one.includes('127.0.0.1:2') && !one.includes('Failed to load')),
    [],
  );
  await tab.close();
});
