/** When the page handles what came: once a frame, by a timer where none is drawn, in slices of a few milliseconds. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Pace } from '../src/pace.ts';

/** A page whose frames come when the test says so. */
const page = { visibilityState: 'visible' };
let frames: (() => void)[] = [];
/** What the page's clock shows. It stands still while nothing moves it on, however busy the machine is. */
let now = 0;
const draw = () => {
  for (const callback of frames.splice(0)) callback();
};

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  mock.method(performance, 'now', () => now);
  frames = [];
  page.visibilityState = 'visible';
  Object.assign(globalThis, { document: page, requestAnimationFrame: (callback: () => void) => frames.push(callback) });
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
  Reflect.deleteProperty(globalThis, 'document');
  Reflect.deleteProperty(globalThis, 'requestAnimationFrame');
});

/** Work of so many pieces, and how often a slice of it was done. */
function work(pieces: number, piece = () => {}) {
  const seen = { pieces, slices: 0 };
  const pace = new Pace(
    () => {
      piece();
      return --seen.pieces > 0;
    },
    () => seen.slices++,
  );
  return { seen, pace };
}

test('all that came is handled in the next frame, once', () => {
  const { seen, pace } = work(3);
  pace.wake();
  pace.wake();
  assert.equal(seen.pieces, 3, 'not before');
  draw();
  mock.timers.tick(1_000);
  assert.deepEqual(seen, { pieces: 0, slices: 1 });
});

test('what takes longer than its part of a frame goes on in the next', () => {
  const { seen, pace } = work(5, () => {
    now += 3;
  });
  pace.wake();
  draw();
  assert.deepEqual(seen, { pieces: 2, slices: 1 }, 'the piece that begins within 8 ms is the last');
  draw();
  assert.deepEqual(seen, { pieces: 0, slices: 2 });
});

test('a hidden page draws no frames: a timer handles what came', () => {
  page.visibilityState = 'hidden';
  const { seen, pace } = work(2);
  pace.wake();
  assert.equal(frames.length, 0);
  mock.timers.tick(0);
  assert.equal(seen.pieces, 0);
});

test('a frame that is late is not waited for, and then draws nothing a second time', () => {
  const { seen, pace } = work(1);
  pace.wake();
  mock.timers.tick(250);
  assert.equal(seen.slices, 1);
  seen.pieces = 1;
  pace.wake();
  draw();
  assert.equal(seen.slices, 1, 'this frame shows what the timer handled');
  draw();
  assert.equal(seen.slices, 2);
});

test('a page that is hidden while a frame is awaited is served by the timer', () => {
  const { seen, pace } = work(1);
  pace.wake();
  page.visibilityState = 'hidden';
  mock.timers.tick(250);
  assert.equal(seen.slices, 1);
  seen.pieces = 1;
  pace.wake();
  mock.timers.tick(0);
  assert.equal(seen.slices, 2);
});

test('a page that is shown again draws once in its first frame, though the timer came before it', () => {
  page.visibilityState = 'hidden';
  const { seen, pace } = work(1);
  pace.wake();
  page.visibilityState = 'visible';
  mock.timers.tick(0);
  assert.equal(seen.slices, 1);
  seen.pieces = 1;
  pace.wake();
  draw();
  assert.equal(seen.slices, 1, 'this frame shows what the timer handled');
  draw();
  assert.equal(seen.slices, 2);
});
