/** Which edits count as saved. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from '../src/document/ledger.ts';

/** A ledger with so many edits made, each sent by itself. */
function sent(edits: number): Ledger {
  const ledger = new Ledger();
  for (let count = 0; count < edits; count++) {
    ledger.made();
    ledger.number(false);
  }
  return ledger;
}

test('an edit is saved with those before it', () => {
  const ledger = sent(3);
  ledger.saved(2);
  assert.equal(ledger.unsaved, 1);
  ledger.saved(2);
  ledger.saved(3);
  assert.equal(ledger.unsaved, 0);
});

test('what was refused is unsaved, and so is all after it, until all that is missing is saved', () => {
  const ledger = sent(3);
  ledger.refused(2);
  ledger.saved(3);
  assert.equal(ledger.unsaved, 2);
  ledger.made();
  assert.equal(ledger.number(true), 4);
  ledger.made();
  ledger.saved(4);
  assert.equal(ledger.unsaved, 1, 'but not what was made since');
});

test('the first edit after one that was refused does not count in its place', () => {
  const ledger = sent(1);
  ledger.refused(1);
  ledger.made();
  ledger.number(false);
  ledger.saved(2);
  assert.equal(ledger.unsaved, 2);
});

test('what was sent in another session is saved by nothing but what is missing in this one', () => {
  const ledger = sent(2);
  ledger.lost();
  assert.equal(ledger.number(true), 3);
  ledger.refused(3);
  ledger.saved(3);
  assert.equal(ledger.unsaved, 2);
});

test('more than a thousand unsaved edits are counted by fewer numbers, and none counts too early', () => {
  const ledger = sent(1_100);
  ledger.saved(1_023);
  assert.equal(ledger.unsaved, 77);
  ledger.saved(1_099);
  assert.equal(ledger.unsaved, 77, 'the newest are one');
  ledger.saved(1_100);
  assert.equal(ledger.unsaved, 0);
  const refused = sent(1_100);
  refused.refused(1_050);
  refused.saved(1_100);
  assert.equal(refused.unsaved, 77);
});
