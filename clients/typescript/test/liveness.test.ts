/** When a connection is given up, and when it is only doubted. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../src/backoff.ts';
import { Liveness } from '../src/session/liveness.ts';
import { dice } from './support/world.ts';

const NEVER = Infinity;

test('a new connection pings at once, and then each heartbeat; the answer is the round trip', () => {
  const alive = new Liveness(10_000, 0);
  assert.deepEqual(alive.judge(NEVER, 0), { ping: 1 });
  assert.equal(alive.pong(1, 25), 25);
  assert.equal(alive.pong(1, 30), undefined, 'answered once');
  alive.heard(25);
  assert.equal(alive.wakeAt(NEVER), 10_000);
  assert.equal(alive.judge(NEVER, 9_999), undefined);
  assert.deepEqual(alive.judge(NEVER, 10_000), { ping: 2 });
});

test('silence of one and a half heartbeats is loss', () => {
  const alive = new Liveness(10_000, 0);
  alive.judge(NEVER, 0);
  alive.judge(NEVER, 10_000);
  assert.equal(alive.wakeAt(NEVER), 15_000);
  assert.equal(alive.judge(NEVER, 14_999), undefined);
  assert.ok('lost' in (alive.judge(NEVER, 15_000) ?? {}));
});

test('a publish without an answer costs a ping, and then the connection', () => {
  const alive = new Liveness(10_000, 0);
  alive.judge(NEVER, 0);
  alive.pong(1, 1);
  assert.equal(alive.wakeAt(100), 1_600);
  assert.deepEqual(alive.judge(100, 1_600), { ping: 2 });
  assert.equal(alive.pong(1, 1_700), undefined, 'an older answer proves nothing');
  assert.equal(alive.judge(100, 2_599), undefined);
  assert.ok('lost' in (alive.judge(100, 2_600) ?? {}));
  alive.pong(2, 2_600);
  assert.equal(alive.judge(100, 2_600), undefined, 'an answer buys time');
  assert.equal(alive.wakeAt(100), 4_100);
});

/** A connection on which a frame came every `gap` milliseconds, so many of them; and the time of the last. */
function flowing(gap: number, frames: number): [Liveness, number] {
  const alive = new Liveness(10_000, 0);
  alive.judge(NEVER, 0);
  alive.pong(1, 1);
  flow(alive, 0, gap, frames);
  return [alive, gap * frames];
}

function flow(alive: Liveness, from: number, gap: number, frames: number): void {
  for (let frame = 1; frame <= frames; frame++) {
    alive.heard(from + frame * gap);
    alive.flowed(from + frame * gap);
    assert.equal(alive.judge(NEVER, from + frame * gap), undefined);
  }
}

test('a flow that stops costs a ping, and then the connection', () => {
  const [alive, last] = flowing(1_000, 4);
  assert.equal(alive.wakeAt(NEVER), last + 1_500);
  assert.equal(alive.judge(NEVER, last + 1_499), undefined);
  assert.deepEqual(alive.judge(NEVER, last + 1_500), { ping: 2 });
  assert.equal(alive.wakeAt(NEVER), last + 2_500);
  assert.equal(alive.judge(NEVER, last + 2_499), undefined);
  assert.ok('lost' in (alive.judge(NEVER, last + 2_500) ?? {}));
});

test('a lull costs one ping however long it lasts', () => {
  const [alive, last] = flowing(10, 100);
  assert.deepEqual(alive.judge(NEVER, last + 1_500), { ping: 2 });
  alive.heard(last + 1_520);
  alive.pong(2, last + 1_520);
  assert.equal(alive.wakeAt(NEVER), last + 11_500, 'the next is a heartbeat’s');
  assert.equal(alive.judge(NEVER, last + 11_000), undefined);
  flow(alive, last + 11_000, 10, 4);
  assert.equal(alive.wakeAt(NEVER), last + 11_500);
  assert.deepEqual(alive.judge(NEVER, last + 11_500), { ping: 3 });
  assert.equal(alive.wakeAt(NEVER), last + 11_040 + 1_500, 'the next lull');
});

test('what comes now and then is no flow', () => {
  for (const [gap, frames] of [
    [1_500, 6],
    [1_000, 3],
  ] as const) {
    assert.equal(flowing(gap, frames)[0].wakeAt(NEVER), 10_000, `${frames} frames, every ${gap} ms`);
  }
});

test('who was not running looks again, once', () => {
  const alive = new Liveness(10_000, 0);
  alive.judge(NEVER, 0);
  alive.pong(1, 1);
  assert.deepEqual(alive.judge(100, 1_600), { ping: 2 });
  assert.equal(alive.judge(100, 6_000), undefined);
  assert.equal(alive.wakeAt(100), 7_000);
  assert.ok('lost' in (alive.judge(100, 9_000) ?? {}));
});

test('after sleep the connection is doubted, not given up', () => {
  const alive = new Liveness(10_000, 0);
  alive.judge(NEVER, 0);
  alive.suspect(60_000);
  assert.deepEqual(alive.judge(NEVER, 60_000), { ping: 2 });
  assert.equal(alive.judge(NEVER, 60_999), undefined);
  assert.ok('lost' in (alive.judge(NEVER, 61_000) ?? {}));
});

test('waits are spread from zero to a ceiling that doubles, and a round over several nodes counts once', () => {
  const random = dice(7);
  for (let failures = 0; failures < 40; failures++) {
    const ceiling = Math.min(500 * 2 ** failures, 30_000);
    const waits = Array.from({ length: 200 }, () => {
      const backoff = new Backoff(500, 30_000);
      backoff.failures = failures;
      return backoff.next(random);
    });
    assert.ok(waits.every((wait) => wait >= 0 && wait <= ceiling));
    assert.ok(waits.some((wait) => wait < ceiling / 4) && waits.some((wait) => wait > (ceiling * 3) / 4));
  }
  const backoff = new Backoff(500, 30_000);
  for (let n = 0; n < 3; n++) assert.ok(backoff.next(() => 1, 3) <= 500);
  assert.ok(backoff.next(() => 1, 3) === 1_000);
});
