/** By what a client is the same in presence, and how long a tab keeps it. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { keptClientId } from '../src/client-id.ts';
import { Client, InvalidError } from '../src/index.ts';

let stored: string | null = null;
let isForbidden = false;
const guard = () => {
  if (isForbidden) throw new Error('SecurityError');
};

beforeEach(() => {
  stored = null;
  isForbidden = false;
  const sessionStorage = {
    getItem: () => {
      guard();
      return stored;
    },
    setItem: (_key: string, value: string) => {
      guard();
      stored = value;
    },
  };
  for (const [name, value] of Object.entries({ document: {}, sessionStorage })) {
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
  }
});
afterEach(() => {
  Reflect.deleteProperty(globalThis, 'document');
  Reflect.deleteProperty(globalThis, 'sessionStorage');
});

test('a tab keeps its client id over reloads, and its copy has the same', () => {
  const first = keptClientId();
  assert.equal(first.length, 16);
  assert.match(stored ?? '', /^[0-9a-f]{32}$/);
  assert.deepEqual(keptClientId(), first);
  stored = null;
  assert.notDeepEqual(keptClientId(), first, 'another tab has another');
});

test('what somebody else wrote there is replaced', () => {
  for (const junk of ['', 'null', 'x'.repeat(32), '0'.repeat(31), '0'.repeat(33)]) {
    stored = junk;
    assert.deepEqual(keptClientId(), keptClientId(), junk);
    assert.match(stored, /^[0-9a-f]{32}$/);
  }
});

test('where storage is forbidden, and where there is no page, each client has its own', () => {
  isForbidden = true;
  assert.notDeepEqual(keptClientId(), keptClientId());
  isForbidden = false;
  Reflect.deleteProperty(globalThis, 'document');
  assert.notDeepEqual(keptClientId(), keptClientId());
  assert.equal(stored, null);
});

test('an application may bring one, of the right length', () => {
  const url = 'http://127.0.0.1:1';
  assert.throws(() => new Client({ url, clientId: new Uint8Array(15) }), InvalidError);
  assert.ok(new Client({ url, clientId: new Uint8Array(16) }));
});
