/** Editors of versions that are not the newest: with those of today on other nodes, offline, with tokens and without. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { StarlingCluster } from '../../clients/typescript/test/support/cluster.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { type AnyEditor, hocuspocus, tokenFor, yjs } from './support/editors.ts';
import { OLDER } from './support/older.ts';
import { Postgres } from './support/postgres.ts';

let postgres: Postgres;
let cluster: StarlingCluster;
let guarded: StarlingNode;
const open: AnyEditor[] = [];

before(async () => {
  postgres = await Postgres.start();
  cluster = await StarlingCluster.start({ 'documents.enabled': 'true', 'storage.url': postgres.url });
  guarded = await StarlingNode.start({ 'auth.anonymous': 'false', 'documents.enabled': 'true' });
});

after(async () => {
  for (const editor of open) editor.destroy();
  await guarded.stop();
  await cluster.stop();
  await postgres.remove();
});

function opened<E extends AnyEditor>(editor: E): E {
  open.push(editor);
  return editor;
}

const write = (editor: AnyEditor, at: number, text: string) => editor.doc.getText('t').insert(at, text);

async function all(editors: readonly AnyEditor[], text: string): Promise<void> {
  for (const editor of editors) await becomes('the text', text, () => editor.text());
}

for (const older of OLDER) {
  test(`${older.name} without a token: it writes with the others, is seen, goes offline and comes back`, async () => {
    const [a, b, c] = cluster.nodes;
    const document = `${older.name}-open`;
    const [first, second] = [opened(await older.open(a, document)), opened(await older.open(b, document))];
    const editors = [first, second, opened(yjs(c, document)), opened(hocuspocus(b, document))];
    const newest = editors[3] as AnyEditor;
    for (const editor of editors) await until('it is synced', () => editor.isSynced());
    write(first, 0, 'hello');
    await all(editors, 'hello');
    write(newest, 5, ' world');
    await all(editors, 'hello world');
    first.is('anna');
    newest.is('bert');
    for (const editor of editors) await becomes('who is there', ['anna', 'bert'], () => editor.names());
    await until('all is saved', () => first.hasUnsaved() !== true);

    first.disconnect();
    await becomes('who is left', ['bert'], () => second.names());
    write(first, 0, 'away ');
    write(second, 11, ' here');
    await all(editors.slice(1), 'hello world here');
    first.connect();
    await all(editors, 'away hello world here');
    await becomes('who is back', ['anna', 'bert'], () => newest.names());
    await until('all is saved', () => first.hasUnsaved() !== true);
    const told = first.told.filter((one) => one !== '' && !older.misunderstands?.test(one));
    assert.deepEqual(told, []);
  });

  test(`${older.name} with a token: it writes, or reads only, or is denied and told why`, async () => {
    const document = `${older.name}-guarded`;
    const writer = opened(await older.open(guarded, document, tokenFor(['doc-read', 'doc-write', 'awareness'])));
    const reader = opened(await older.open(guarded, document, tokenFor(['doc-read'])));
    const newest = opened(hocuspocus(guarded, document, { token: tokenFor(['doc-read', 'doc-write']) }));
    for (const editor of [writer, reader, newest]) await until('it is synced', () => editor.isSynced());
    write(writer, 0, 'seen');
    await all([writer, reader, newest], 'seen');
    write(reader, 0, 'not ');
    write(newest, 4, ' again');
    await all([writer, newest], 'seen again');
    await becomes('the reader has both', 'not seen again', () => reader.text());
    await all([writer, newest], 'seen again');
    for (const token of ['none', tokenFor([])]) {
      const denied = opened(await older.open(guarded, document, token));
      await until('it is denied', () => denied.told.some((one) => /token/.test(one)));
      assert.equal(denied.isSynced(), false);
      assert.equal(denied.text(), '');
    }
  });
}
