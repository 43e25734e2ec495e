/** What editors may do with a token, and what they are told when they may not. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { type Editor, hocuspocus, tokenFor, yjs } from './support/editors.ts';

let node: StarlingNode;
const open: Editor[] = [];

before(async () => {
  node = await StarlingNode.start({ 'auth.anonymous': 'false', 'documents.enabled': 'true' });
});

after(async () => {
  for (const editor of open) editor.destroy();
  await node.stop();
});

function opened<E extends Editor>(editor: E): E {
  open.push(editor);
  return editor;
}

const writer = tokenFor(['doc-read', 'doc-write', 'awareness']);
const reader = tokenFor(['doc-read']);

test('who may only read sees what others write, and changes nothing', async () => {
  const write = opened(yjs(node, 'read-only', { token: writer }));
  const read = opened(yjs(node, 'read-only', { token: reader }));
  const other = opened(hocuspocus(node, 'read-only', { token: reader }));
  write.doc.getText('t').insert(0, 'seen');
  for (const editor of [read, other]) await becomes('the text', 'seen', () => editor.text());
  assert.equal(other.provider.authorizedScope, 'readonly');
  await becomes('what it has is all known', 0, () => other.provider.unsyncedChanges);
  read.doc.getText('t').insert(0, 'not ');
  other.doc.getText('t').insert(0, 'never ');
  read.is('nobody');
  write.doc.getText('t').insert(4, ' again');
  await until('what the writer wrote arrives', () => read.text().endsWith('seen again'));
  assert.equal(write.text(), 'seen again');
  await until('the other is told so', () => other.provider.unsyncedChanges === 1);
  assert.deepEqual(write.names(), []);
});

test('a token that is not accepted is told, and the connection to Hocuspocus stays', async () => {
  const reasons: string[] = [];
  const denied = opened(
    hocuspocus(node, 'denied', { token: 'none', onAuthenticationFailed: ({ reason }) => reasons.push(reason) }),
  );
  await until('it is denied', () => reasons.length === 1);
  assert.match(reasons[0] ?? '', /token/);
  assert.equal(denied.isSynced(), false);
  const elsewhere = opened(
    hocuspocus(node, 'team:secret', { token: writer, onAuthenticationFailed: ({ reason }) => reasons.push(reason) }),
  );
  await until('it is denied', () => reasons.length === 2);
  assert.match(reasons[1] ?? '', /doc-read/);
  assert.equal(elsewhere.isSynced(), false);
});

test('y-websocket stays away from what it may not open', async () => {
  for (const [params, code] of [
    [{}, 4401],
    [{ token: 'none' }, 4401],
  ] as const) {
    const editor = opened(yjs(node, 'closed', params));
    const codes: (number | undefined)[] = [];
    editor.provider.on('connection-close', (event: { code?: number } | null) => codes.push(event?.code));
    await until('it is closed', () => codes.length > 0);
    assert.deepEqual(codes, [code]);
  }
  const secret = opened(yjs(node, 'team:secret', { token: writer }));
  const codes: (number | undefined)[] = [];
  secret.provider.on('connection-close', (event: { code?: number } | null) => codes.push(event?.code));
  await until('it is closed', () => codes.length > 0);
  assert.deepEqual(codes, [4403]);
});

test('a token that ends ends the document, and a new one opens it', async () => {
  const soon = Math.ceil(Date.now() / 1000) + 2;
  const short = opened(yjs(node, 'ends', { token: tokenFor(['doc-read'], soon) }));
  await until('it is synced', () => short.isSynced());
  const codes: (number | undefined)[] = [];
  short.provider.on('connection-close', (event: { code?: number } | null) => codes.push(event?.code));
  await until('it is closed', () => codes.length > 0);
  assert.deepEqual(codes, [4401]);
  assert.ok(Date.now() >= soon * 1000 - 50, 'not before its time');
});
