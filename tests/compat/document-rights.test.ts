/** What a token permits in a document, as the TypeScript client is told it. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { type AnyEditor, tokenFor, yjs } from './support/editors.ts';
import { ours } from './support/ours.ts';

let node: StarlingNode;
const open: AnyEditor[] = [];

before(async () => {
  node = await StarlingNode.start({ 'auth.anonymous': 'false', 'documents.enabled': 'true' });
});

after(async () => {
  for (const editor of open) editor.destroy();
  await node.stop();
});

function opened<One extends AnyEditor>(editor: One): One {
  open.push(editor);
  return editor;
}

const WRITES = ['doc-read', 'doc-write', 'awareness'];

test('a reader sees what is written, and is told that what it edits is not taken', async () => {
  const writer = opened(yjs(node, 'read', { token: tokenFor(WRITES) }));
  const reader = opened(ours(node, 'read', () => tokenFor(['doc-read'])));
  const refused: string[] = [];
  reader.provider.on('refused', ({ code }) => refused.push(code));
  writer.doc.getText('t').insert(0, 'seen');
  await becomes('the text', 'seen', () => reader.text());
  assert.deepEqual(reader.provider.rights, { mayWrite: false, mayShow: false });
  assert.equal(reader.provider.unsaved, 0);
  reader.is('nobody');
  reader.doc.getText('t').insert(0, 'not ');
  assert.deepEqual(refused, ['forbidden']);
  await assert.rejects(reader.provider.whenSaved(), { code: 'forbidden' });
  writer.doc.getText('t').insert(4, ' again');
  await becomes('the text', 'not seen again', () => reader.text());
  assert.deepEqual([writer.text(), writer.names()], ['seen again', []]);
});

test('a token that comes to permit writing has what was edited meanwhile saved', async () => {
  let operations = ['doc-read'];
  const promoted = opened(ours(node, 'promoted', () => tokenFor(operations, Math.floor(Date.now() / 1_000) + 5)));
  await until('it is synced', () => promoted.isSynced());
  promoted.doc.getText('t').insert(0, 'mine');
  operations = WRITES;
  await until('it may write', () => promoted.provider.rights.mayWrite);
  await promoted.provider.whenSaved({ timeoutMs: 10_000 });
  const other = opened(yjs(node, 'promoted', { token: tokenFor(WRITES) }));
  await becomes('the text', 'mine', () => other.text());
});

test('a document that the token does not permit fails, and says why', async () => {
  const denied = opened(ours(node, 'team:secret', () => tokenFor(WRITES)));
  await assert.rejects(denied.provider.whenSynced(), { code: 'forbidden' });
  assert.equal(denied.provider.state, 'failed');
});
