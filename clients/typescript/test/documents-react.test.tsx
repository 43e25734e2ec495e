/** The hook of documents: on a server, under StrictMode, and when it closes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReactNode, StrictMode, useLayoutEffect } from 'react';
import { renderToString } from 'react-dom/server';
import { Client } from '../src/index.ts';
import { StarlingProvider } from '../src/react.ts';
import { type DocUse, useDoc } from '../src/yjs/react.ts';
import { DocumentBench } from './support/documents.ts';
import { root } from './support/root.ts';

let use: DocUse | undefined;
const drawn: string[] = [];

function Plan(): ReactNode {
  const used = useDoc('plan');
  const { state, synced, unsaved, provider, awareness } = used;
  drawn.push(`${state} ${synced} ${unsaved} ${provider !== null && awareness === provider.awareness}`);
  useLayoutEffect(() => {
    use = used;
  });
  return null;
}

test('a server renders a document before anything is known, and opens none', () => {
  const client = new Client({ url: 'http://127.0.0.1:1' });
  drawn.length = 0;
  renderToString(
    <StarlingProvider client={client}>
      <Plan />
    </StarlingProvider>,
  );
  assert.deepEqual(drawn, ['connecting false 0 false']);
  assert.equal(client.state.kind, 'idle', 'nothing was connected');
});

test('under StrictMode a document is opened once for its components, and closed after the last', async () => {
  const bench = new DocumentBench();
  const { render, act, unmount } = await root();
  const draw = (count: number) =>
    render(
      <StrictMode>
        <StarlingProvider client={bench.client}>
          {Array.from({ length: count }, (_, key) => key).map((key) => (
            <Plan key={key} />
          ))}
        </StarlingProvider>
      </StrictMode>,
    );
  await draw(2);
  assert.deepEqual(bench.open(), ['open 1 plan']);
  await act(() => bench.level(1));
  const doc = use?.doc;
  assert.deepEqual([use?.state, use?.synced, use?.provider?.doc === doc], ['open', true, true]);
  await bench.turn();
  await draw(1);
  assert.deepEqual(await bench.turn(), [], 'one is still there');
  drawn.length = 0;
  await act(() => {
    for (const letter of 'word') doc?.getText('t').insert(0, letter);
  });
  assert.deepEqual([...new Set(drawn)], ['open true 4 true'], 'drawn once for what is edited in one task');
  await draw(0);
  await bench.turn();
  await draw(1);
  assert.equal(use?.doc, doc, 'it was not closed while something was unsaved');
  assert.deepEqual(bench.taken(), []);
  await draw(0);
  bench.saved(2);
  assert.deepEqual(await bench.turn(), ['close 7']);
  await draw(1);
  assert.deepEqual(await bench.turn(), ['open 2 plan']);
  await unmount();
  assert.deepEqual(await bench.turn(), []);
  bench.destroy();
});

test('a document that will not be opened says why', async () => {
  const bench = new DocumentBench();
  const { render, act, unmount } = await root();
  await render(
    <StarlingProvider client={bench.client}>
      <Plan />
    </StarlingProvider>,
  );
  bench.open();
  await act(() => bench.refuse(1, 4));
  assert.deepEqual([use?.state, use?.error?.code], ['failed', 'forbidden']);
  await unmount();
});
