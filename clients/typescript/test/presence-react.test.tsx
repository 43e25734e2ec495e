/** The hooks of presence: on a server, under StrictMode, and how often a component is drawn. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReactNode, StrictMode, useLayoutEffect } from 'react';
import { renderToString } from 'react-dom/server';
import { Client } from '../src/index.ts';
import {
  type PresenceUse,
  type PresenceView,
  useEphemerals,
  useMembers,
  useOccupancy,
  usePresence,
} from '../src/presence/react.ts';
import { StarlingProvider } from '../src/react.ts';
import { PresenceBench, present } from './support/presence.ts';
import { root } from './support/root.ts';

function All(): ReactNode {
  const { value, error } = usePresence<string>('demo:a', { initial: 'x' });
  const size = useMembers('demo:a', { select: ({ members }) => members.size });
  const { members, clients, isStale } = useOccupancy('demo:b');
  const said = useEphemerals('demo:c');
  return JSON.stringify([value.isComplete, value.isStale, error, size, members, clients, isStale, said.size]);
}

test('a server renders the state before anything is known', () => {
  const client = new Client({ url: 'http://127.0.0.1:1' });
  const page = renderToString(
    <StarlingProvider client={client}>
      <All />
    </StarlingProvider>,
  );
  assert.deepEqual(JSON.parse(page), [false, true, null, 0, 0, 0, true, 0]);
  assert.equal(client.state.kind, 'idle', 'nothing was connected');
});

/** What components drew, and the last use of one that is there. */
const drawn: string[] = [];
let use: PresenceUse<string, number, PresenceView<string>> | undefined;

const note = (what: string, value: unknown) => drawn.push(`${what} ${JSON.stringify(value)}`);

function Me(): ReactNode {
  const used = usePresence<string, number>('demo:a', { initial: 'here' });
  useLayoutEffect(() => {
    use = used;
  });
  return null;
}

function Names(): ReactNode {
  const select = ({ members }: PresenceView<{ name: string }>) => [...members.values()].map(({ state }) => state.name);
  note('names', useMembers('demo:a', { select }));
  return null;
}

function Anna(): ReactNode {
  const select = ({ members }: PresenceView<unknown>) => members.get('@anna');
  note('anna', useMembers('demo:a', { select })?.clients.length ?? null);
  return null;
}

function Parity(): ReactNode {
  const select = ({ count }: PresenceView<unknown>) => count.members;
  const isEqual = (one: number, other: number) => one % 2 === other % 2;
  note('parity', useMembers('demo:a', { select, isEqual }) % 2);
  return null;
}

function HowMany(): ReactNode {
  const { members, isStale } = useOccupancy('demo:a');
  note('count', [members, isStale]);
  return null;
}

function Cursors(): ReactNode {
  const said = useEphemerals<number>('demo:a');
  note(
    'cursors',
    Array.from(said.values(), ({ data }) => data),
  );
  return null;
}

test('under StrictMode a component enters once, updates, and leaves once, with the last', async () => {
  const bench = new PresenceBench();
  const { render, act, unmount } = await root();
  const draw = (count: number) =>
    render(
      <StrictMode>
        <StarlingProvider client={bench.client}>
          {Array.from({ length: count }, (_, key) => key).map((key) => (
            <Me key={key} />
          ))}
        </StarlingProvider>
      </StrictMode>,
    );
  await draw(2);
  assert.deepEqual(bench.open().sort(), ['enter 1 "here"', 'watch 2']);
  await act(() => {
    bench.tell('entered', { request: 1 });
    bench.watched(2, 7);
    bench.roster(7, present(1, 'anna', 'here'));
  });
  assert.deepEqual(
    [...(use?.value.members.values() ?? [])].map(({ state }) => state),
    ['here'],
  );
  await act(() => use?.update('there'));
  await act(() => use?.broadcast(5));
  assert.deepEqual(bench.taken(), ['enter 3 "there"', 'ephemeral 1000 5']);
  await act(() => bench.tell('entered', { request: 3 }));
  await draw(1);
  assert.deepEqual(bench.taken(), [], 'one is still there');
  await act(() => use?.update('x'.repeat(5_000)));
  assert.equal(use?.error?.code, 'invalid');
  await act(() => use?.update('short'));
  assert.equal(use?.error?.code, 'invalid', 'nobody has taken it yet');
  await act(() => bench.tell('entered', { request: 4 }));
  assert.equal(use?.error, null);
  assert.deepEqual(bench.taken(), ['enter 4 "short"']);
  await unmount();
  assert.deepEqual(bench.taken().sort(), ['detach 6 of 7', 'leave 5']);
});

test('a component is drawn again when what it picked has changed, and for nothing else', async () => {
  const bench = new PresenceBench();
  const { render, act, unmount } = await root();
  await render(
    <StarlingProvider client={bench.client}>
      <Names />
      <Anna />
      <Parity />
      <HowMany />
      <Cursors />
    </StarlingProvider>,
  );
  bench.open();
  drawn.length = 0;
  await act(() => {
    bench.watched(1, 7);
    bench.roster(7, present(1, 'anna', { name: 'Anna' }));
  });
  assert.deepEqual(drawn.splice(0), ['names ["Anna"]', 'anna 1', 'parity 1', 'count [1,false]']);
  await act(() =>
    bench.tell('presenceChanges', { channelId: 7, updated: [present(1, 'anna', { name: 'Anna', typing: true })] }),
  );
  assert.deepEqual(drawn.splice(0), ['anna 1'], 'the name is the same, and so is the number');
  await act(() =>
    bench.tell('presenceChanges', {
      channelId: 7,
      joined: [present(2, 'bert', { name: 'Bert' }), present(3, 'cara', { name: 'Cara' })],
    }),
  );
  assert.deepEqual(drawn.splice(0), ['names ["Anna","Bert","Cara"]', 'count [3,false]']);
  const moves = (number: number) => ({ client: new Uint8Array(16).fill(2), number, state: Buffer.from(`${number}`) });
  await act(() => bench.tell('ephemerals', { channelId: 7, states: [moves(1)] }));
  await act(() => {
    bench.tell('ephemerals', { channelId: 7, states: [moves(2)] });
    bench.tell('ephemerals', { channelId: 7, states: [moves(3)] });
  });
  assert.deepEqual(drawn.splice(0), ['cursors [1]', 'cursors [3]'], 'once for what comes together');
  await act(() => bench.tell('certainty', { channelId: 7, stale: true, uncertain: ['n'] }));
  assert.deepEqual(drawn.splice(0), ['count [3,true]']);
  await unmount();
  assert.deepEqual(bench.taken(), ['detach 2 of 7']);
});

test('what cannot go on is told to who draws it', async () => {
  const code = () => use?.error?.code;
  const bench = new PresenceBench();
  const { render, act, unmount } = await root();
  await render(
    <StarlingProvider client={bench.client}>
      <Me />
    </StarlingProvider>,
  );
  bench.open();
  assert.equal(code(), undefined);
  await act(() => bench.refuse(1, 4));
  assert.equal(code(), 'forbidden');
  await unmount();
});
