/** The numbers of the protocol, against the tables that the Rust crate writes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeName, errorName, isRetryable, policyNumber, reasonName, returns, skipReasonName } from '../src/codes.ts';
import * as limits from '../src/limits.ts';
import { proto, vectors } from './support/vectors.ts';

type Named = { code: number; name: string; returns: boolean; retryable: boolean };

test('codes have the names and the meaning of the protocol', () => {
  const { close, unknownClose, error } = vectors<Record<'close' | 'unknownClose' | 'error', Named[]>>('codes');
  for (const { code, name } of close) assert.equal(closeName(code), name);
  for (const { code, returns: back } of [...close, ...unknownClose]) assert.equal(returns(code), back, String(code));
  for (const { code, name, retryable } of error) {
    assert.equal(errorName(code), name);
    assert.equal(isRetryable(code), retryable, name);
  }
  assert.equal(errorName(199), 'unknown_code');
  assert.equal(closeName(4450), '4450');
});

test('reasons and policies are those of the schema', () => {
  const named = (prefix: string) =>
    [...proto('channel').matchAll(new RegExp(`^ {2}${prefix}_([A-Z_]+) = ([1-9]\\d*);`, 'gm'))].map(
      ([, name, number]) => [Number(number), (name as string).toLowerCase()] as const,
    );
  assert.equal(named('REASON').length, 10);
  for (const [number, name] of named('REASON')) assert.equal(reasonName(number), name);
  for (const [number, name] of named('SKIP_REASON')) assert.equal(skipReasonName(number), name);
  for (const [number, name] of named('POLICY')) assert.equal(policyNumber(name as 'latest'), number);
  assert.deepEqual([reasonName(99), skipReasonName(99), policyNumber()], ['other', 'other', 0]);
});

test('limits are those of the protocol', () => {
  const { limits: expected } = vectors<{ limits: Record<string, number> }>('limits');
  for (const [name, value] of Object.entries(limits)) assert.equal(value, expected[name], name);
});
