/** One subscription under a hand-driven server: what moves it, what it asks for, what it refuses. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect, ReaderEvent } from '../src/session/message.ts';
import { Violation } from '../src/session/message.ts';
import { Reading } from '../src/session/reading.ts';
import { Shared } from '../src/session/shared.ts';
import type { Since } from '../src/types.ts';
import type { ServerBodies } from '../src/wire/frames.ts';

const at = (seq: number, epoch = 'e') => ({ epoch, seq, term: 1 });
const entry = (seq: number, key = '') => ({
  seq,
  term: 1,
  timeMs: 1,
  key,
  deleted: false,
  payload: new Uint8Array(10),
});
const live = (seq: number) => ({ channelId: 5, ...entry(seq) });
const page = (after: number, count: number) => ({
  channelId: 5,
  after,
  entries: Array.from({ length: count }, (_, n) => entry(after + n + 1)),
});

class Reader {
  readonly shared = new Shared(() => 0.5);
  readonly reading: Reading;

  constructor(since: Since = 'now') {
    this.shared.credit.connected();
    this.reading = new Reading(1, 'demo:a', { since, policy: 0 }, this.shared);
  }

  /** Sends Attach and gets this answer. */
  attach(answer: Partial<ServerBodies['attached']>): void {
    this.reading.attach(1);
    this.reading.attached({
      request: 1,
      channelId: 5,
      channel: 'demo:a',
      position: at(0),
      head: 0,
      window: { messages: 1, bytes: 1, ageMs: 1 },
      policy: 1,
      keyed: false,
      ...(answer.rewound || answer.discontinuity ? {} : { resumed: {} }),
      ...answer,
    });
  }

  /** What was told and asked for since the last look, in short. */
  look(): string[] {
    return this.shared.out.splice(0).map((effect) => short(effect));
  }

  /** The application takes all that was told. */
  take(): void {
    const costs = this.shared.out.flatMap((effect) => (effect.do === 'deliver' ? [effect.cost] : []));
    this.shared.out = [];
    this.reading.taken(costs);
  }

  credit(bytes: number) {
    return this.shared.credit.received(bytes);
  }
}

function short(effect: Effect): string {
  if (effect.do === 'send' && effect.frame.kind === 'pull') return `pull ${effect.frame.body.seq}`;
  return effect.do === 'deliver' ? told(effect.event) : effect.do;
}

function told(event: ReaderEvent): string {
  if (event.type === 'message') return `${event.message.position.seq}${event.message.replayed ? ' replayed' : ''}`;
  if (event.type === 'attached') return event.attached.outcome.kind;
  if (event.type === 'skipped') return `skipped to ${event.skipped.to}`;
  return event.type;
}

test('a gap is pulled, and what was on its way meanwhile is let pass', () => {
  const reader = new Reader();
  reader.attach({ position: at(10), head: 10 });
  reader.reading.publication(live(11));
  reader.reading.publication(live(13));
  reader.reading.publication(live(14));
  assert.deepEqual(reader.look(), ['resumed', '11', 'pull 11']);
  reader.reading.page(page(9, 4), reader.credit(100));
  reader.reading.publication(live(13));
  reader.reading.publication(live(14));
  assert.deepEqual(reader.look(), ['12 replayed', '13 replayed', '14']);
  const { gaps, pulls, duplicates } = reader.shared.counts;
  assert.deepEqual([gaps, pulls, duplicates], [1, 1, 3]);
});

test('a full queue leaves live messages with the server, and pulls when it is half empty', () => {
  const reader = new Reader();
  reader.attach({});
  for (let seq = 1; seq <= 9_000; seq++) reader.reading.publication(live(seq));
  assert.equal(reader.shared.counts.overflows, 1);
  assert.equal(reader.shared.counts.messages, 8_191, 'one of 8,192 told that it is attached');
  reader.take();
  assert.deepEqual(reader.look(), ['pull 8191']);
});

test('messages left out are told, and only where they continue', () => {
  const reader = new Reader();
  reader.attach({ position: at(10), head: 10 });
  reader.reading.skipped({ channelId: 5, to: 15, count: 5, reason: 1 });
  reader.reading.skipped({ channelId: 5, to: 12, count: 1, reason: 1 });
  reader.reading.publication(live(16));
  reader.reading.lagged({ channelId: 5, seq: 16 });
  // Of the stream before the Pull: what lies before the jump was not seen.
  reader.reading.skipped({ channelId: 5, to: 30, count: 2, reason: 1 });
  reader.reading.page(page(16, 1), reader.credit(100));
  assert.deepEqual(reader.look(), ['resumed', 'skipped to 15', '16', 'lagged', 'pull 16', '17 replayed']);
});

test('a reader goes on where it was, or is told, or the server broke the rules', () => {
  const reader = new Reader(at(7));
  assert.deepEqual(reader.reading.attach(1).position, at(7));
  for (const wrong of [
    { position: at(8), head: 8 },
    { position: at(7, 'other'), head: 7 },
    { rewound: { count: 0 } },
  ]) {
    assert.throws(() => reader.attach(wrong), Violation);
  }
  reader.attach({ position: at(9, 'other'), head: 9, discontinuity: { reason: 2 } });
  assert.deepEqual(reader.look(), ['discontinuity', 'discontinuity']);
  reader.reading.detached();
  assert.deepEqual(reader.reading.attach(2).position, at(9, 'other'));
});

test('a state that is cut off is asked for again, from where the application can use it', () => {
  const part = (replace: boolean, last: boolean) => ({
    channelId: 5,
    replace,
    at: at(20),
    last,
    entries: [{ ...entry(3, 'a') }],
  });
  const fresh = new Reader();
  fresh.attach({ position: at(20), head: 20, keyed: true, rewound: { count: 0 } });
  fresh.reading.snapshot(part(true, false), fresh.credit(50));
  assert.throws(() => fresh.reading.publication(live(21)), Violation);
  assert.throws(() => fresh.reading.snapshot(part(false, true), fresh.credit(50)), Violation);
  fresh.reading.detached();
  assert.equal(fresh.reading.attach(2).position?.seq, 0, 'its keys are forgotten: all of them are needed');

  const returning = new Reader(at(12));
  returning.attach({ position: at(20), head: 20, keyed: true });
  returning.reading.snapshot(part(false, false), returning.credit(50));
  returning.reading.detached();
  assert.equal(returning.reading.attach(2).position?.seq, 12, 'changes since then');
  returning.attach({ position: at(20), head: 20, keyed: true });
  returning.reading.snapshot(part(false, true), returning.credit(50));
  returning.reading.detached();
  assert.equal(returning.reading.attach(3).position?.seq, 20, 'complete');
});

test('what pages used comes back when the application took them, and not before', () => {
  const reader = new Reader();
  reader.attach({ head: 4, rewound: { count: 4 } });
  reader.reading.page(page(0, 4), reader.credit(200_000));
  assert.equal(reader.shared.credit.grant(), 0);
  reader.take();
  assert.equal(reader.shared.credit.grant(), 200_000);
  assert.throws(() => {
    for (let n = 0; n < 5; n++) reader.credit(262_144);
  }, Violation);
});

test('whether the state of a keyed channel follows is told with the place', () => {
  const isWhole = (reader: Reader): boolean[] =>
    reader.shared.out
      .splice(0)
      .flatMap((effect) =>
        effect.do === 'deliver' && effect.event.type === 'attached' ? [effect.event.attached.isWhole] : [],
      );
  const reader = new Reader();
  reader.attach({ keyed: true, position: at(5), head: 5, rewound: { count: 0 } });
  assert.deepEqual(isWhole(reader), [false]);
  const empty = new Reader();
  empty.attach({ keyed: true, rewound: { count: 0 } });
  assert.deepEqual(isWhole(empty), [true]);
});
