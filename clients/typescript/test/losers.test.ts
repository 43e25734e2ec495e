/** What a page keeps of lost transports for the pages after it. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { recall, remember } from '../src/losers.ts';

let stored: string | null = null;
let isForbidden = false;
const storage = {
  getItem: () => {
    if (isForbidden) throw new Error('SecurityError');
    return stored;
  },
  setItem: (_key: string, value: string) => {
    if (isForbidden) throw new Error('SecurityError');
    stored = value;
  },
};

beforeEach(() => {
  mock.timers.enable({ apis: ['Date'] });
  stored = null;
  isForbidden = false;
  for (const [name, value] of Object.entries({ document: {}, localStorage: storage })) {
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
  }
});
afterEach(() => {
  mock.timers.reset();
  Reflect.deleteProperty(globalThis, 'document');
  Reflect.deleteProperty(globalThis, 'localStorage');
});

test('what is remembered ends, each by itself', () => {
  remember({ 'https://a': 1_000 });
  mock.timers.tick(400);
  remember({ 'https://b': 1_000 });
  assert.deepEqual(recall(), { 'https://a': 600, 'https://b': 1_000 });
  mock.timers.tick(600);
  assert.deepEqual(recall(), { 'https://b': 400 });
  remember({ 'https://c': 1 });
  assert.ok(!stored?.includes('https://a'), 'and is not kept');
});

test('what somebody else wrote there is nothing', () => {
  for (const junk of ['', '{', 'null', '7', '"text"', '{"https://a":"soon"}', '{"https://a":null}']) {
    stored = junk;
    assert.deepEqual(recall(), {}, junk);
  }
  remember({ 'https://a': 5 });
  assert.deepEqual(recall(), { 'https://a': 5 });
});

test('where storage is forbidden, and where there is no page, nothing is kept', () => {
  isForbidden = true;
  remember({ 'https://a': 5 });
  assert.deepEqual(recall(), {});
  isForbidden = false;
  Reflect.deleteProperty(globalThis, 'document');
  remember({ 'https://a': 5 });
  assert.equal(stored, null);
});
