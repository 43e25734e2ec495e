/**
 * The rules under simulated time: links are cut in every way, the application stalls, the server refuses now and then.
 * What must hold: nothing lost, nothing twice, nothing out of order, no publish without its one result.
 *
 * `SEED=8121` replays one run, `SEEDS=1000` makes more of them.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReaderEvent } from '../src/session/message.ts';
import { type Cut, World } from './support/world.ts';

const SEEDS = process.env.SEED
  ? [Number(process.env.SEED)]
  : Array.from({ length: Number(process.env.SEEDS ?? 20) }, (_, seed) => seed);

const CUTS: Cut[] = ['closed', 'dead', 'dead-up', 'dead-down'];
const body = (text: string, key = '') => ({ payload: Buffer.from(text), key, delete: false });
const text = (payload: Uint8Array) => Buffer.from(payload).toString();

/** Two minutes of trouble, then quiet until everything has its result. */
function live(seed: number): World {
  const world = new World(seed);
  const { random } = world;
  world.server.append('log', '', false, Buffer.from('before'));
  world.handle({ on: 'subscribe', id: 1, channel: 'log', options: { since: { messages: 5 }, policy: 0 } });
  world.handle({ on: 'subscribe', id: 2, channel: 'keyed', options: { since: 'now', policy: 0 } });
  world.handle({ on: 'start' });
  let ticket = 0;
  const again = (meanMs: number, act: () => void) => {
    const next = () =>
      world.after(random() * 2 * meanMs, () => {
        if (world.now > 120_000) return;
        act();
        next();
      });
    next();
  };
  again(150, () => {
    ticket++;
    world.handle({
      on: 'publish',
      ticket,
      channel: 'log',
      body: body(`own ${ticket}`),
      timeoutMs: 1_000 + random() * 20_000,
    });
    if (random() < 0.05) world.handle({ on: 'giveUp', ticket });
  });
  again(400, () => {
    ticket++;
    const key = `k${Math.floor(random() * 12)}`;
    const value = random() < 0.3 ? { ...body('', key), delete: true } : body(`own ${ticket}`, key);
    world.handle({ on: 'publish', ticket, channel: 'keyed', body: value, timeoutMs: 30_000 });
  });
  // Others publish too, in bursts.
  again(300, () => {
    for (let count = random() * random() * 80; count > 0; count--) {
      world.server.append('log', '', false, Buffer.from('other'));
      const key = `k${Math.floor(random() * 12)}`;
      const removed = random() < 0.3;
      world.server.append('keyed', key, removed, Buffer.from(removed ? '' : `other ${random()}`));
    }
    world.serve();
  });
  again(4_000, () => world.cut(CUTS[Math.floor(random() * 4)] as Cut));
  again(10_000, () => {
    world.isReading = false;
    world.after(random() * 5_000, () => {
      world.isReading = true;
      world.read();
    });
  });
  again(20_000, () => {
    world.isReachable = false;
    world.cut('closed');
    world.after(random() * 8_000, () => {
      world.isReachable = true;
    });
  });
  again(15_000, () => world.handle({ on: 'nudge' }));
  world.run(120_000);
  world.isReachable = true;
  world.isReading = true;
  world.read();
  // Whether the last message of all was lost shows with one more.
  world.server.losses = 0;
  world.server.append('log', '', false, Buffer.from('end'));
  world.server.append('keyed', 'k0', false, Buffer.from('end'));
  for (let second = 0; second < 120; second++) {
    world.run(1_000);
    world.serve();
  }
  assert.equal(world.answers.size, ticket, 'every publish has a result');
  return world;
}

/** What the application saw of the log: each message once, in order, from where it was told that it starts. */
function checkLog(world: World): number {
  const { messages } = world.server.log('log');
  let last = -1;
  for (const event of world.events.get(1) ?? []) {
    if (event.type === 'attached') {
      const { position, outcome } = event.attached;
      assert.equal(outcome.kind, last < 0 ? 'rewound' : 'resumed');
      if (last < 0) last = position.seq;
      assert.equal(position.seq, last, 'goes on where it was');
    } else if (event.type === 'message') {
      const { position, payload } = event.message;
      assert.equal(position.seq, ++last, 'the next seq');
      assert.equal(text(payload), text(messages[last - 1]?.payload as Uint8Array));
    } else assert.equal(event.type, 'lagged', 'no other event comes where history is kept');
  }
  assert.equal(last, messages.length, 'up to the newest');
  return last;
}

/** What was acknowledged is there once, where the acknowledgement says; what failed is not there at all. */
function checkPublishes(world: World): void {
  const { messages } = world.server.log('log');
  const seqs = new Map<string, number[]>();
  for (const { seq, payload } of messages) seqs.set(text(payload), [...(seqs.get(text(payload)) ?? []), seq]);
  for (const [ticket, outcome] of world.answers) {
    const there = seqs.get(`own ${ticket}`) ?? [];
    assert.ok(there.length <= 1, `publish ${ticket} appears ${there.length} times`);
    if ('position' in outcome) {
      // On the keyed channel, whose values have no seqs here.
      if (there.length === 1) assert.deepEqual(there, [outcome.position.seq]);
    } else if (outcome.kind !== 'outcome_unknown') assert.deepEqual(there, [], `publish ${ticket} ${outcome.kind}`);
  }
}

/** A view of the newest values that applies what it is told. */
function view(events: readonly ReaderEvent[]): Map<string, string> {
  const values = new Map<string, string>();
  const apply = (key: string, deleted: boolean, payload: Uint8Array) => {
    if (deleted) values.delete(key);
    else values.set(key, text(payload));
  };
  for (const event of events) {
    if (event.type === 'message') apply(event.message.key, event.message.deleted, event.message.payload);
    if (event.type !== 'state') continue;
    if (event.state.first && event.state.replace) values.clear();
    for (const { key, deleted, payload } of event.state.entries) apply(key, deleted, payload);
  }
  return values;
}

function checkKeyed(world: World): void {
  const expected = new Map<string, string>();
  for (const { key, deleted, payload } of world.server.log('keyed').messages) {
    if (deleted) expected.delete(key);
    else expected.set(key, text(payload));
  }
  const sorted = (values: Map<string, string>) => [...values].sort();
  assert.deepEqual(sorted(view(world.events.get(2) ?? [])), sorted(expected));
}

test(`whatever happens to the link, nothing is lost, doubled or reordered (${SEEDS.length} seeds)`, () => {
  const totals = { sessions: 0, messages: 0, resent: 0, gaps: 0, pulls: 0, failed: 0, silences: 0 };
  for (const seed of SEEDS) {
    try {
      const world = live(seed);
      checkLog(world);
      checkPublishes(world);
      checkKeyed(world);
      const { counts } = world.session;
      assert.equal(counts.violations, 0);
      for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += counts[name];
    } catch (error) {
      throw new Error(`with SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  // A simulation in which nothing happens proves nothing.
  assert.ok(totals.sessions > SEEDS.length * 5, JSON.stringify(totals));
  assert.ok(totals.resent > 0 && totals.pulls > 0 && totals.failed > 0 && totals.silences > 0, JSON.stringify(totals));
});

test('the same seed makes the same run', () => {
  const tell = (world: World) => JSON.stringify([world.states, [...world.answers], world.session.counts]);
  assert.equal(tell(live(3)), tell(live(3)));
});

test('a client that closes gives every publish a result, and says goodbye', () => {
  const world = new World(1);
  world.handle({ on: 'start' });
  world.run(1_000);
  world.isReachable = false;
  world.cut('closed');
  world.run(100);
  world.handle({ on: 'publish', ticket: 1, channel: 'log', body: body('x'), timeoutMs: 60_000 });
  world.handle({ on: 'close' });
  world.run(6_000);
  assert.equal(world.states.at(-1), 'closed');
  const outcome = world.answers.get(1);
  assert.ok(outcome && 'kind' in outcome && outcome.kind === 'closed');
  assert.equal(world.session.wakeAt, Infinity);
});
