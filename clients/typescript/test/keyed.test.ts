/** When the newest values of a keyed channel are all there. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PageEvent, Told } from '../src/bridge.ts';
import type { Message } from '../src/channel.ts';
import { Keyed } from '../src/keyed.ts';

const at = (seq: number) => ({ epoch: 'e', seq, term: 1 });

/** A view, and the way to tell it something. */
function view(): [Keyed<string>, (event: PageEvent) => void] {
  let handle = (_: PageEvent) => {};
  const keyed = new Keyed<string>((hear) => {
    handle = (event) => hear(event, (told) => told as unknown as Message<string>);
    return () => {};
  });
  return [keyed, (event) => handle(event)];
}

const attached = (seq: number, isWhole: boolean): PageEvent => ({
  type: 'attached',
  attached: {
    position: at(seq),
    head: seq,
    outcome: { kind: 'rewound', count: 0 },
    window: { messages: 1, bytes: 1, ageMs: 1 },
    keyed: true,
    isWhole,
  },
});

const state = (last: boolean, key: string): PageEvent => ({
  type: 'state',
  state: { replace: true, first: !last, last, at: at(5), entries: [{ key, deleted: false } as Told] },
});

test('a view is complete once its state has come, not when the channel is attached', () => {
  const [keyed, hear] = view();
  hear(attached(5, false));
  assert.equal(keyed.isComplete, false, 'the state follows');
  hear(state(false, 'a'));
  assert.deepEqual([keyed.isComplete, keyed.values.size], [false, 0], 'it takes effect as a whole');
  hear(state(true, 'b'));
  assert.deepEqual([keyed.isComplete, [...keyed.values.keys()]], [true, ['a', 'b']]);
});

test('an empty channel has no state to wait for', () => {
  const [keyed, hear] = view();
  hear(attached(0, true));
  assert.equal(keyed.isComplete, true);
});
