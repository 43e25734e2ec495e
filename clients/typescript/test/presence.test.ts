/** Being in a channel and watching it, over sessions that come and go: the page and the session, with the test as server. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClosedError, InvalidError, RefusedError, TimedOutError } from '../src/index.ts';
import { idOf, PresenceBench, present } from './support/presence.ts';

/** How promises stand, once everything that is settled has been heard of. */
async function outcomes(...promises: Promise<unknown>[]): Promise<string[]> {
  const seen = promises.map(() => 'pending');
  promises.forEach((promise, at) => {
    promise.then(
      () => {
        seen[at] = 'done';
      },
      (error: { code?: string; message: string }) => {
        seen[at] = error.code ?? error.message;
      },
    );
  });
  await new Promise((resolve) => setImmediate(resolve));
  return seen;
}

test('entering is done when a node says so, and of changes that wait the newest is sent', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<{ n: number }>();
  await assert.rejects(lobby.update({ n: 0 }), InvalidError, 'it is not there');
  const entered = lobby.enter({ n: 1 });
  assert.deepEqual(await outcomes(entered), ['pending']);
  assert.deepEqual(bench.open(), ['enter 1 {"n":1}']);
  const second = lobby.update({ n: 2 });
  const third = lobby.update({ n: 3 });
  assert.deepEqual(bench.taken(), [], 'the first is unanswered');
  bench.tell('entered', { request: 1 });
  assert.equal(lobby.isEntered, true);
  assert.deepEqual(await outcomes(entered, second, third), ['done', 'pending', 'pending']);
  assert.deepEqual(bench.taken(), ['enter 2 {"n":3}']);
  bench.tell('entered', { request: 2 });
  assert.deepEqual(await outcomes(second, third), ['done', 'done']);
});

test('a client is told under what others see it', () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number>();
  let changes = 0;
  lobby.on('change', () => changes++);
  bench.open();
  void lobby.enter(1);
  assert.equal(lobby.self, undefined);
  bench.tell('entered', { request: 1, client: new Uint8Array(16).fill(3) });
  void lobby.update(2);
  bench.tell('entered', { request: 2, client: new Uint8Array(16).fill(3) });
  assert.deepEqual([lobby.self, changes], [idOf(3), 1]);
});

test('each session begins with the newest state and the watch, before a page that is busy hears of it', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number>();
  void lobby.enter(1);
  lobby.watch();
  assert.deepEqual(bench.open(), ['enter 1 1', 'watch 2']);
  bench.tell('entered', { request: 1 });
  bench.watched(2, 7);
  void lobby.update(2);
  bench.tell('entered', { request: 3 });
  bench.taken();
  bench.isBusy = true;
  bench.lose();
  assert.deepEqual(bench.open(), ['enter 3 2', 'watch 2']);
  bench.tell('entered', { request: 3 });
  assert.equal(lobby.isEntered, true, 'as far as the page knows');
  bench.catchUp();
  assert.equal(lobby.isEntered, true);
  bench.lose();
  assert.equal(lobby.isEntered, false);
  void lobby.update(3);
  void lobby.update(4);
  assert.deepEqual(bench.open(), ['enter 5 4', 'watch 2']);
  bench.tell('entered', { request: 5 });
  assert.deepEqual([lobby.isEntered, bench.violations], [true, 0]);
});

test('what the page wants meanwhile reaches a session that it has not heard of', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number>();
  const first = lobby.enter(1);
  bench.isBusy = true;
  assert.deepEqual(bench.open(), ['enter 1 1']);
  const second = lobby.update(2);
  assert.deepEqual(bench.taken(), ['enter 2 2']);
  bench.tell('entered', { request: 1 });
  bench.tell('entered', { request: 2 });
  bench.catchUp();
  assert.deepEqual(await outcomes(first, second), ['done', 'done']);
  assert.equal(bench.violations, 0);
});

test('a refusal for now is tried again with the newest state, one for good rejects and ends it', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number>();
  const errors: string[] = [];
  lobby.on('error', ({ code }) => errors.push(code));
  bench.open();
  const entered = lobby.enter(1);
  bench.refuse(1, 101, 200);
  const updated = lobby.update(2);
  assert.deepEqual(bench.taken(), ['enter 1 1']);
  // Half of the first ceiling of 100 ms, after what the server asked for.
  await bench.time.pass(249);
  assert.deepEqual(bench.taken(), []);
  await bench.time.pass(1);
  assert.deepEqual(bench.taken(), ['enter 2 2']);
  bench.tell('entered', { request: 2 });
  assert.deepEqual(await outcomes(entered, updated), ['done', 'done']);

  const refused = lobby.update(3);
  bench.refuse(3, 4);
  await assert.rejects(refused, (error) => error instanceof RefusedError && error.code === 'forbidden');
  assert.deepEqual([lobby.isEntered, errors], [false, ['forbidden']]);
  await assert.rejects(lobby.update(4), InvalidError);
  bench.lose();
  bench.taken();
  assert.deepEqual(bench.open(), [], 'nothing stands any more');
});

test('a client that was entered by what it does not want any more leaves', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number>();
  bench.open();
  const entered = assert.rejects(lobby.enter(1), RefusedError);
  bench.isBusy = true;
  bench.refuse(1, 4);
  bench.lose();
  assert.deepEqual(bench.open(), ['enter 1 1', 'enter 1 1'], 'the next node may permit it');
  bench.catchUp();
  await entered;
  bench.tell('entered', { request: 1 });
  assert.deepEqual(bench.taken(), ['leave 2']);
  bench.tell('left', { request: 2 });
  assert.deepEqual([lobby.isEntered, bench.violations], [false, 0]);
});

test('who is taken out of a channel is told why, and enters no more by itself', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number>();
  const errors: string[] = [];
  lobby.on('error', ({ code }) => errors.push(code));
  const takenOut = (channel: string) => bench.server('error', { request: 0, channel, code: 4, message: 'no' });
  bench.open();
  void lobby.enter(1);
  bench.tell('entered', { request: 1 });
  takenOut('demo:b');
  assert.equal(lobby.isEntered, true, 'it is of another channel');
  takenOut('demo:a');
  assert.deepEqual([lobby.isEntered, errors], [false, ['forbidden']]);
  await assert.rejects(lobby.update(2), InvalidError, 'it is not there');
  bench.taken();
  bench.lose();
  assert.deepEqual(bench.open(), [], 'nothing stands any more');

  // What was on its way may be taken all the same, where a token with more rights came right behind.
  void lobby.enter(2);
  bench.tell('entered', { request: 2 });
  const updated = lobby.update(3);
  const later = lobby.update(4);
  takenOut('demo:a');
  assert.deepEqual(await outcomes(updated, later), ['forbidden', 'forbidden']);
  assert.deepEqual(bench.taken(), ['enter 2 2', 'enter 3 3']);
  bench.tell('entered', { request: 3 });
  assert.deepEqual(bench.taken(), ['leave 4']);
  bench.tell('left', { request: 4 });
  assert.deepEqual(errors, ['forbidden', 'forbidden']);

  // Who is leaving is told nothing, and has left.
  void lobby.enter(5);
  bench.tell('entered', { request: 5 });
  const left = lobby.leave();
  takenOut('demo:a');
  bench.refuse(6, 16);
  assert.deepEqual(await outcomes(left), ['done']);
  assert.deepEqual([errors.length, bench.violations], [2, 0]);
});

test('a state that is too large leaves what was said before', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string>();
  bench.open();
  void lobby.enter('short');
  bench.tell('entered', { request: 1 });
  const long = lobby.update('long');
  bench.refuse(2, 5);
  await assert.rejects(long, (error: RefusedError) => error.code === 'payload_too_large');
  assert.equal(lobby.isEntered, true);
  bench.tell('entered', { request: 3 });
  bench.lose();
  bench.taken();
  assert.deepEqual(bench.open(), ['enter 3 "short"']);
  await assert.rejects(lobby.update('x'.repeat(4_095)), InvalidError, 'no server takes it');
  assert.throws(() => lobby.broadcast('x'.repeat(511)), InvalidError);
  await assert.rejects(lobby.update((() => {}) as never), InvalidError, 'it has no JSON');
});

test('leaving ends what waits, and is told to the session that comes if there is none', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number>();
  await lobby.leave();
  const entered = lobby.enter(1);
  bench.open();
  const left = lobby.leave();
  assert.deepEqual(await outcomes(entered, left), ['aborted', 'pending']);
  bench.tell('entered', { request: 1 });
  assert.deepEqual(bench.taken(), ['leave 2']);
  const again = lobby.leave();
  bench.tell('left', { request: 2 });
  assert.deepEqual(await outcomes(left, again), ['done', 'done']);
  assert.deepEqual(bench.taken(), []);

  void lobby.enter(2);
  bench.tell('entered', { request: 3 });
  bench.taken();
  bench.lose();
  assert.deepEqual(await outcomes(lobby.leave()), ['done'], 'nobody is there to answer');
  assert.deepEqual(bench.open(), ['leave 4']);
  bench.refuse(4, 16);
  bench.lose();
  assert.deepEqual(bench.open(), [], 'it was not there, which is what was wanted');
});

test('who comes back while it leaves is there in the end', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number>();
  bench.open();
  void lobby.enter(1);
  bench.tell('entered', { request: 1 });
  const left = lobby.leave();
  const back = lobby.enter(2);
  assert.deepEqual(bench.taken(), ['enter 1 1', 'leave 2']);
  bench.tell('left', { request: 2 });
  assert.deepEqual(bench.taken(), ['enter 3 2']);
  bench.tell('entered', { request: 3 });
  assert.deepEqual(await outcomes(left, back), ['done', 'done']);
  assert.equal(lobby.isEntered, true);
});

test('waiting ends after its time or by a signal, and the wish stays', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number>();
  const slow = assert.rejects(lobby.enter(1, { timeoutMs: 1_000 }), TimedOutError);
  const controller = new AbortController();
  const aborted = assert.rejects(lobby.enter(2, { signal: controller.signal }), /changed my mind/);
  controller.abort(new Error('changed my mind'));
  await bench.time.pass(1_000);
  await Promise.all([slow, aborted]);
  await assert.rejects(lobby.enter(3, { signal: AbortSignal.abort(new Error('never')) }), /never/);
  assert.deepEqual(bench.open(), ['enter 2 2']);

  const late = lobby.enter(4);
  await bench.client.close();
  await assert.rejects(late, ClosedError);
  await assert.rejects(lobby.enter(5), ClosedError);
  await lobby.leave();
  const errors: unknown[] = [];
  lobby.on('error', (error) => errors.push(error));
  lobby.watch().close();
  assert.ok(errors[0] instanceof ClosedError, 'nothing throws while a page is drawn');
});

test('a roster is known as a whole; what changes is told by client, and by member', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string>();
  const told: string[] = [];
  lobby.on('join', ({ client, member, isFirst }) =>
    told.push(`join ${client.id.slice(0, 2)} ${member.clients.length} ${isFirst}`),
  );
  lobby.on('update', ({ client, previous }) =>
    told.push(`update ${previous.state} to ${client.state} at ${client.node}`),
  );
  lobby.on('leave', ({ client, member, isLast }) =>
    told.push(`leave ${client.id.slice(0, 2)} ${member.clients.length} ${isLast}`),
  );
  let changes = 0;
  lobby.on('change', () => changes++);
  bench.open();
  lobby.watch();
  bench.watched(1, 7);
  bench.tell('roster', { channelId: 7, first: true, clients: [present(1, 'anna', 'a')] });
  assert.deepEqual([lobby.isComplete, lobby.isStale, lobby.members.size], [false, true, 0]);
  bench.tell('roster', { channelId: 7, last: true, clients: [present(2, '', 'x'), present(3, '', 'y')] });
  assert.deepEqual([lobby.isComplete, lobby.isStale, changes], [true, false, 1]);
  assert.deepEqual(lobby.count, { members: 3, clients: 3 });
  assert.deepEqual(told, [], 'who was there has not come');
  assert.deepEqual([...lobby.members.keys()], ['@anna', `#${idOf(2)}`, `#${idOf(3)}`]);

  const before = lobby.members.get(`#${idOf(2)}`);
  bench.tell('presenceChanges', {
    channelId: 7,
    joined: [present(4, 'anna', 'b')],
    updated: [present(3, '', 'z')],
    left: [{ client: new Uint8Array(16).fill(1) }],
  });
  assert.deepEqual(told.splice(0), ['join 04 2 false', 'update y to z at n', 'leave 01 1 false']);
  assert.equal(changes, 2, 'once for all');
  assert.deepEqual(lobby.members.get('@anna')?.clients, [{ id: idOf(4), subject: 'anna', node: 'n', state: 'b' }]);
  assert.equal(lobby.members.get(`#${idOf(2)}`), before, 'who has not changed is the same object');

  bench.roster(7, present(4, 'anna', 'b', 'm'), present(5, 'bert'), present(3, '', 'z'));
  assert.deepEqual(told.splice(0), ['update b to b at m', 'join 05 1 true', 'leave 02 1 true']);
  assert.equal(lobby.clients.get(idOf(5))?.state, undefined);
  bench.roster(7, present(4, 'anna', 'b', 'm'), present(5, 'bert'), present(3, '', 'z'));
  assert.deepEqual(told, [], 'nothing has changed');
});

test('over a new session the roster stays, as stale, and its difference is what is told', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string>();
  const told: string[] = [];
  for (const kind of ['join', 'leave'] as const) {
    lobby.on(kind, ({ client }) => told.push(`${kind} ${client.id.slice(0, 2)}`));
  }
  bench.open();
  lobby.watch();
  bench.watched(1, 7);
  bench.roster(7, present(1, 'anna'), present(2, 'bert'));
  bench.lose();
  assert.deepEqual([lobby.isStale, lobby.members.size], [true, 2]);
  bench.open();
  // Another node numbers it otherwise.
  bench.watched(1, 9);
  bench.roster(9, present(1, 'anna'), present(3, 'cara'));
  assert.deepEqual(told, ['join 03', 'leave 02']);
  assert.equal(lobby.isStale, false);
  bench.roster(7, present(1, 'anna'));
  assert.equal(lobby.members.size, 2, 'the old number stands for nothing');
});

test('doubt is shown as long as it lasts, and does not outlive its session', () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string>();
  bench.open();
  lobby.watch();
  bench.watched(1, 7);
  bench.tell('certainty', { channelId: 7, stale: false, uncertain: ['b'] });
  assert.equal(lobby.isStale, true, 'nothing has come');
  bench.roster(7, present(1, 'anna', '', 'b'));
  assert.deepEqual([lobby.isStale, [...lobby.uncertain]], [false, ['b']]);
  bench.tell('certainty', { channelId: 7, stale: true, uncertain: [] });
  assert.deepEqual([lobby.isStale, [...lobby.uncertain]], [true, []]);
  bench.lose();
  bench.open();
  bench.watched(1, 7);
  bench.roster(7, present(1, 'anna'));
  assert.equal(lobby.isStale, false);
});

test('a count names nobody, and the server may change from the one to the other', () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string>();
  const told: string[] = [];
  lobby.on('join', () => told.push('join'));
  lobby.on('leave', () => told.push('leave'));
  bench.open();
  const counts = lobby.watch({ count: true });
  assert.deepEqual(bench.taken(), ['watch 1 count']);
  bench.watched(1, 7);
  bench.tell('occupancy', { channelId: 7, members: 40_000, clients: 50_000 });
  assert.deepEqual(
    [lobby.count, lobby.isComplete, lobby.isStale],
    [{ members: 40_000, clients: 50_000 }, false, false],
  );
  lobby.watch();
  assert.deepEqual(bench.taken(), ['watch 2'], 'somebody wants to know more');
  counts.close();
  bench.watched(2, 7);
  bench.roster(7, present(1, 'anna'), present(2, 'anna'));
  assert.deepEqual([lobby.count, lobby.isComplete], [{ members: 1, clients: 2 }, true]);
  bench.tell('occupancy', { channelId: 7, members: 3, clients: 4 });
  assert.deepEqual([lobby.count, lobby.isComplete, lobby.members.size], [{ members: 3, clients: 4 }, false, 0]);
  assert.deepEqual(told, [], 'nobody has come or gone for that');
});

test('the last watch to close ends it, and whoever watches again waits for that', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string>();
  bench.open();
  const one = lobby.watch();
  const two = lobby.watch();
  bench.watched(1, 7);
  bench.taken();
  one.close();
  one.close();
  await null;
  assert.deepEqual(bench.taken(), []);
  two.close();
  const kept = lobby.watch();
  await null;
  assert.deepEqual(bench.taken(), [], 'as React does in development: closed and opened again at once');
  kept.close();
  await null;
  assert.deepEqual(bench.taken(), ['detach 2 of 7']);
  bench.roster(7, present(1, 'anna'));
  assert.equal(lobby.members.size, 0, 'it was on its way');
  lobby.watch();
  assert.deepEqual(bench.taken(), []);
  bench.server('detached', { request: 2 ** 32 + 2, channelId: 7 });
  assert.deepEqual(bench.taken(), ['watch 3']);
  bench.watched(3, 7);
  bench.roster(7, present(1, 'anna'));
  assert.deepEqual([lobby.members.size, bench.violations], [1, 0]);
});

test('a watch that closes before its answer is ended when that comes', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string>();
  bench.open();
  lobby.watch().close();
  await null;
  bench.watched(1, 7);
  assert.deepEqual(bench.taken(), ['watch 1', 'detach 2 of 7']);
  lobby.watch();
  bench.lose();
  assert.deepEqual(bench.open(), ['watch 3'], 'with the session the old one is gone');
});

test('a watch that is wanted again before the answer stands for the sessions to come', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string>();
  bench.open();
  lobby.watch().close();
  await null;
  lobby.watch();
  assert.deepEqual(bench.taken(), ['watch 1']);
  bench.watched(1, 7);
  assert.deepEqual(bench.taken(), ['watch 2']);
  bench.watched(2, 7);
  bench.lose();
  assert.deepEqual(bench.open(), ['watch 2']);
});

test('a watch that a node ends is taken up again, one that is forbidden fails', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string>();
  const errors: string[] = [];
  lobby.on('error', ({ code }) => errors.push(code));
  bench.open();
  lobby.watch();
  bench.refuse(1, 100);
  await bench.time.pass(50);
  assert.deepEqual(bench.taken(), ['watch 1', 'watch 2']);
  bench.watched(2, 7);
  bench.roster(7, present(1, 'anna'));
  bench.server('detached', { request: 0, channelId: 7 });
  assert.equal(lobby.isStale, true);
  await bench.time.pass(50);
  assert.deepEqual(bench.taken(), ['watch 3']);
  bench.watched(3, 8);
  bench.server('error', { request: 0, channelId: 8, code: 4, message: 'no' });
  bench.server('detached', { request: 0, channelId: 8 });
  assert.deepEqual([errors, lobby.isStale], [['forbidden'], true]);
  bench.lose();
  assert.deepEqual(bench.open(), []);
  lobby.watch();
  assert.deepEqual(bench.taken(), ['watch 4'], 'to watch again is to try again');
  assert.equal(bench.violations, 0);
});

test('of what is said for the moment the newest goes out, thirty times a second, by those who are there', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string, number>();
  lobby.broadcast(0);
  bench.open();
  await bench.time.pass(33);
  assert.deepEqual(bench.taken(), [], 'it is not there');
  void lobby.enter();
  bench.tell('entered', { request: 1 });
  assert.deepEqual(bench.taken(), ['enter 1']);
  for (let x = 1; x <= 100; x++) {
    lobby.broadcast(x);
    await bench.time.pass(1);
  }
  await bench.time.pass(100);
  assert.deepEqual(bench.taken(), [
    'ephemeral 1033 1',
    'ephemeral 1066 33',
    'ephemeral 1099 66',
    'ephemeral 1132 99',
    'ephemeral 1165 100',
  ]);
  lobby.broadcast(7);
  assert.deepEqual(bench.taken(), ['ephemeral 1233 7'], 'at once after a rest');
  bench.wallMs = 0;
  await bench.time.pass(33);
  lobby.broadcast(8);
  assert.deepEqual(bench.taken(), ['ephemeral 1234 8'], 'a clock that is set back makes nothing old');
});

test('where there are datagrams what is said for the moment goes in one, and the last once more by the stream', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<number, unknown>();
  void lobby.enter(1);
  bench.open(1_024);
  bench.tell('entered', { request: 1 });
  lobby.broadcast('a');
  lobby.broadcast('b');
  assert.deepEqual(bench.taken(), ['~ephemeral 1000 "a"']);
  await bench.time.pass(33);
  assert.deepEqual(bench.taken(), ['~ephemeral 1033 "b"']);
  await bench.time.pass(99);
  assert.deepEqual(bench.taken(), [], 'it rests for less than a tenth of a second');
  await bench.time.pass(1);
  assert.deepEqual(bench.taken(), ['ephemeral 1033 "b"'], 'with its number');
  await bench.time.pass(1_000);
  assert.deepEqual(bench.taken(), [], 'once');

  // What moves on is not said again; nor is what was said by somebody who has gone.
  lobby.broadcast('c');
  await bench.time.pass(50);
  lobby.broadcast('d');
  await bench.time.pass(99);
  bench.lose();
  assert.deepEqual(bench.taken(), ['~ephemeral 2133 "c"', '~ephemeral 2183 "d"']);
  await bench.time.pass(100);
  assert.deepEqual(bench.taken(), []);

  // A server that takes none, or shorter ones, gets frames.
  bench.open(30);
  bench.tell('entered', { request: 1 });
  bench.taken();
  lobby.broadcast('a state that is too long for it');
  const [said = ''] = bench.taken();
  assert.match(said, /^ephemeral/);
});

test('what others say for the moment is told of those who are there, and never backwards', async () => {
  const bench = new PresenceBench();
  const lobby = bench.presence<string, number>();
  const told: string[] = [];
  lobby.on('ephemeral', ({ client, data }) => told.push(`${client.subject} ${data}`));
  bench.open();
  lobby.watch();
  bench.watched(1, 7);
  bench.roster(7, present(1, 'anna'));
  const say = (id: number, number: number, data: number) =>
    bench.tell('ephemerals', {
      channelId: 7,
      states: [{ client: new Uint8Array(16).fill(id), number, state: Buffer.from(String(data)) }],
    });
  say(1, 5, 50);
  say(1, 4, 40);
  say(1, 5, 51);
  say(2, 1, 10);
  say(1, 6, 60);
  assert.deepEqual(told, ['anna 50', 'anna 60']);
  assert.deepEqual([...lobby.ephemerals], [[idOf(1), { client: lobby.clients.get(idOf(1)), data: 60 }]]);
  bench.tell('presenceChanges', { channelId: 7, left: [{ client: new Uint8Array(16).fill(1) }] });
  assert.equal(lobby.ephemerals.size, 0);
});

test('a server that breaks the rules of presence is left for another connection', () => {
  const broken: ((bench: PresenceBench) => void)[] = [
    (bench) => bench.tell('entered', { request: 99 }),
    (bench) => bench.refuse(99, 4),
    (bench) => bench.tell('left', { request: 1 }),
    (bench) => bench.watched(2, 7, 'demo:other'),
    (bench) => bench.tell('occupancy', { channelId: 7, members: 2, clients: 1 }),
    (bench) => bench.server('detached', { request: 5, channelId: 7 }),
  ];
  for (const fault of broken) {
    const bench = new PresenceBench();
    const lobby = bench.presence<number>();
    bench.open();
    void lobby.enter(1);
    lobby.watch();
    bench.taken();
    fault(bench);
    assert.deepEqual([bench.taken(), bench.violations], [['goodbye 4400'], 1], String(fault));
  }
});

test('payloads are JSON, text or bytes, as the presence says', async () => {
  const bench = new PresenceBench();
  bench.open();
  const bytes = bench.presence<Uint8Array>('demo:bytes', { encoding: 'bytes' });
  assert.equal(bench.presence('demo:bytes'), bytes, 'the same for the same name');
  void bytes.enter(Uint8Array.of(65, 66));
  const text = bench.presence<string>('demo:text', { encoding: 'text' });
  void text.enter('not json');
  assert.deepEqual(bench.taken(), ['enter 1 AB', 'enter 2 not json']);
  text.watch();
  bench.watched(3, 7, 'demo:text');
  bench.roster(7, { ...present(1, 'anna'), state: Buffer.from('{') }, present(2, 'bert'));
  assert.deepEqual(
    [...text.clients.values()].map(({ state }) => state),
    ['{', ''],
  );
});
