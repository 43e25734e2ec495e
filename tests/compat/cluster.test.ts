/** Unmodified editors on the nodes of a cluster: they sync, leave, come back, and go on when nodes and the database die. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { StarlingCluster } from '../../clients/typescript/test/support/cluster.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { type Editor, hocuspocus, yjs } from './support/editors.ts';
import { Postgres } from './support/postgres.ts';

/** Of an edit: twenty are more than a node keeps without the database. */
const PIECE_BYTES = 512 * 1024;

let postgres: Postgres;
let cluster: StarlingCluster;
const open: Editor[] = [];

before(async () => {
  postgres = await Postgres.start();
  cluster = await StarlingCluster.start({ 'documents.enabled': 'true', 'storage.url': postgres.url });
});

after(async () => {
  for (const editor of open) editor.destroy();
  await cluster.stop();
  await postgres.remove();
});

/** One editor of each kind on each node, synced. */
async function editors(document: string): Promise<Editor[]> {
  const some = cluster.nodes.flatMap((node) => [yjs(node, document), hocuspocus(node, document)]);
  open.push(...some);
  for (const editor of some) await until(`${document} is synced`, () => editor.isSynced());
  return some;
}

/** Every editor sees the same. */
async function all(editors: Editor[], text: string): Promise<void> {
  for (const editor of editors) await becomes('the text', text, () => editor.text());
}

function type(editor: Editor | undefined, at: number, text: string): void {
  assert.ok(editor);
  editor.doc.getText('t').insert(at, text);
}

test('editors of both kinds on three nodes see what each of them writes, and who is there', async () => {
  const some = await editors('meeting');
  const [first, second] = some;
  type(first, 0, 'hello');
  await all(some, 'hello');
  type(second, 5, ' world');
  await all(some, 'hello world');
  some.forEach((editor, at) => {
    editor.is(`editor ${at}`);
  });
  const names = some.map((_, at) => `editor ${at}`);
  for (const editor of some) await becomes('who is there', names, () => editor.names());
  some[3]?.destroy();
  some[4]?.destroy();
  const left = names.filter((_, at) => at !== 3 && at !== 4);
  for (const at of [0, 1, 2, 5]) await becomes('who is left', left, () => some[at]?.names());
});

test('an editor that was away sends what it wrote and gets what it missed, on any node', async () => {
  const some = await editors('offline');
  type(some[0], 0, 'base');
  await all(some, 'base');
  for (const at of [0, 1]) {
    const [away, here] = [some[at] as Editor, some[4 - at] as Editor];
    away.disconnect();
    await until('it is away', () => !away.isConnected());
    const before = here.text();
    away.doc.getText('t').insert(before.length, ` away ${at}`);
    here.doc.getText('t').insert(0, `here ${at} `);
    away.connect();
    await all(some, `here ${at} ${before} away ${at}`);
  }
});

test('an edit that was told as saved is there after the database and each node was killed', async () => {
  const some = await editors('killed');
  const hocus = some.filter((_, at) => at % 2 === 1);
  let text = '';
  const unsaved = (editor: Editor) => 'unsyncedChanges' in editor.provider && editor.provider.unsyncedChanges;
  for (const [at, node] of cluster.nodes.entries()) {
    text += `${at}`;
    type(hocus[at], at, `${at}`);
    await node.kill();
    type(hocus[(at + 1) % 3], text.length, 'x');
    text += 'x';
    const fresh = () => some.map((editor) => editor.text()).every((one) => one.length === some[0]?.text().length);
    await node.restart();
    await until('the node is ready', () => node.isReady(), 40_000);
    await until('editors agree', fresh, 40_000);
    for (const editor of hocus) await becomes('unsaved edits', 0, () => unsaved(editor), 40_000);
    const one = some[0]?.text() ?? '';
    await all(some, one);
    // Everything that somebody wrote is in it.
    assert.equal([...one].filter((letter) => letter === 'x').length, at + 1);
    text = one;
  }
  await postgres.stop();
  type(hocus[0], 0, 'outage ');
  await all(some, `outage ${text}`);
  assert.notEqual(unsaved(hocus[0] as Editor), 0, 'nobody says that it is saved while there is no database');
  await postgres.restart();
  for (const editor of hocus) await becomes('unsaved edits', 0, () => unsaved(editor), 40_000);
  const late = hocuspocus(cluster.nodes[1], 'killed');
  open.push(late);
  await becomes('the text', `outage ${text}`, () => late.text());
});

test('more than is kept without the database is saved when it is back, and so is another document of the connection', async () => {
  const [a, b] = cluster.nodes;
  const one = hocuspocus(a, 'much');
  const other = hocuspocus(a, 'beside', {}, one);
  open.push(other, one);
  for (const editor of [one, other]) await until('it is synced', () => editor.isSynced());
  let closed = 0;
  one.provider.configuration.websocketProvider.on('close', () => closed++);
  await postgres.stop();
  for (let piece = 0; piece < 20; piece++) type(one, 0, 'x'.repeat(PIECE_BYTES));
  await until('it is refused', () => closed > 0, 40_000);
  type(other, 0, 'meanwhile');
  await postgres.restart();
  for (const editor of [one, other]) {
    await until('it is synced', () => editor.isSynced(), 40_000);
    await becomes('unsaved edits', 0, () => editor.provider.unsyncedChanges, 40_000);
  }
  const late = [hocuspocus(b, 'much'), hocuspocus(b, 'beside')] as const;
  open.push(...late);
  await becomes('all of it', 20 * PIECE_BYTES, () => late[0].text().length, 40_000);
  await becomes('the text', 'meanwhile', () => late[1].text());
});
