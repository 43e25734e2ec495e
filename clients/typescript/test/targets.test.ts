/** Which nodes are tried, in which order, and which never. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALTERNATES_MAX } from '../src/limits.ts';
import { Targets } from '../src/session/targets.ts';
import { dice } from './support/world.ts';

const random = dice(7);

/** One that has reached the first node that was given. */
function atFirst(...given: string[]): Targets {
  const targets = new Targets(given);
  targets.reached(targets.next()[0] as string);
  return targets;
}

test('the node that was lost is the last', () => {
  const targets = atFirst('http://a/', 'http://b', 'http://c');
  assert.deepEqual(targets.next(), ['http://b', 'http://c', 'http://a']);
  targets.reached('http://b');
  assert.deepEqual(targets.next(), ['http://c', 'http://a', 'http://b']);
  targets.missed();
  assert.deepEqual(targets.next(), ['http://c', 'http://a', 'http://b'], 'each once more');
  targets.reached('http://a');
  assert.deepEqual(targets.next(), ['http://b', 'http://c', 'http://a'], 'and c before a was tried, too');
});

test('one URL leads to the others', () => {
  const targets = atFirst('http://a');
  targets.learn(['http://a', 'http://b', 'http://c'], random);
  assert.equal(targets.next().length, 3, 'a is known already');
  const [first, second, third] = targets.next() as [string, string, string];
  assert.equal(third, 'http://a');
  targets.reached(first);
  targets.learn(['http://a', 'http://b', 'http://c'], random);
  assert.deepEqual(targets.next(), [second, 'http://a', first]);
});

test('clients of one node do not all go to the same', () => {
  const nodes = ['http://a', 'http://b', 'http://c'];
  for (const given of [nodes.slice(0, 1), nodes]) {
    let toB = 0;
    for (let client = 0; client < 100; client++) {
      const targets = atFirst(...given);
      targets.learn(nodes, random);
      if (targets.next()[0] === 'http://b') toB++;
    }
    assert.ok(toB > 30 && toB < 70, `${toB}`);
  }
});

test('hints are the first to be tried, in their order, and once', () => {
  const targets = atFirst('http://a', 'http://b');
  targets.learn(['http://c'], random);
  targets.hint(['http://c/', 'not a url', 'http://e']);
  assert.deepEqual(targets.next(), ['http://c', 'http://e', 'http://b']);
  targets.missed();
  assert.deepEqual(targets.next(), ['http://a', 'http://c', 'http://b']);
});

test('a node leads only to those of its own scheme', () => {
  const plain = atFirst('http://a');
  plain.learn(['https://b', 'http://c'], random);
  assert.deepEqual(plain.next(), ['http://c', 'http://a']);
  const safe = atFirst('https://a');
  safe.hint(['http://evil', 'file:///etc', 'https://b']);
  safe.learn(['http://evil', 'https://c'], random);
  assert.deepEqual(safe.next(), ['https://b', 'https://c', 'https://a']);
  const nobody = new Targets(['https://a']);
  nobody.hint(['https://evil']);
  assert.deepEqual(nobody.next(), ['https://a'], 'nobody that is trusted said so');
});

test('what is learned is bounded and replaced', () => {
  const targets = atFirst('http://a');
  const many = Array.from({ length: 100 }, (_, n) => `http://n${n}`);
  targets.learn(many, random);
  assert.equal(targets.round, Math.ceil((1 + ALTERNATES_MAX) / 3), 'attempts with three each');
  targets.learn(['http://b', 'http://b/'], random);
  assert.deepEqual(targets.next(), ['http://b', 'http://a']);
  targets.learn(['http://a'], random);
  assert.deepEqual(targets.next(), ['http://b', 'http://a'], 'a node that knows of no other makes nobody forget');
});
