/** The benchmark of documents in small: its trace is what it says, and a node carries it. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { documents } from '../bench/documents.ts';
import { CLIENTS } from '../bench/editor.ts';
import { DELETES, INSERTS, typing } from '../bench/trace.ts';

test('the trace has its edits, the shape of typing, and never changes', () => {
  const hash = createHash('sha256');
  let [inserts, deletes, length, went, cursor] = [0, 0, 0, 0, 0];
  for (const { at, insert } of typing()) {
    const next = insert === undefined ? at + 1 : at;
    if (next !== cursor) went++;
    assert.ok(at >= 0 && next <= length);
    cursor = insert === undefined ? at : at + 1;
    length += insert === undefined ? -1 : 1;
    if (insert === undefined) deletes++;
    else inserts++;
    hash.update(`${at} ${insert ?? ''};`);
  }
  assert.deepEqual([inserts, deletes], [INSERTS, DELETES]);
  assert.equal(length, INSERTS - DELETES);
  const share = went / (inserts + deletes);
  assert.ok(share > 0.005 && share < 0.03, `the cursor goes elsewhere at ${share} of the edits`);
  assert.equal(hash.digest('hex').slice(0, 16), '9dabdc9b0548928b');
});

for (const [name, open] of Object.entries(CLIENTS)) {
  test(`two clients of ${name} and a node carry a hundredth of it`, async () => {
    const result = await documents(open, 0.01);
    assert.equal(result.characters, result.inserts - result.deletes);
    const edits = result.inserts + result.deletes;
    if (name === 'sdk') assert.ok(result.writer_messages < edits / 2, `${result.writer_messages} messages`);
    else assert.ok(result.writer_messages >= edits && result.reader_received > 15 * edits);
    assert.ok(result.writer_sent > result.encoded / 2 && result.reader_received > result.encoded / 2);
    assert.ok(result.encoded > result.characters && result.stored > 0 && result.cold_load_ms > 0);
  });
}
