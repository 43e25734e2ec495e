/** The hooks on a server: what is known before anything is known, and nothing is connected. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { Client } from '../src/index.ts';
import { StarlingProvider, useChannel, useConnection, useKeyed, useMessages } from '../src/react.ts';

function All(): ReactNode {
  const { state, transport } = useConnection();
  const { messages, isSubscribed } = useMessages('demo:a');
  const { values, isComplete } = useKeyed('board:a');
  const channel = useChannel('demo:b');
  return JSON.stringify([state, transport, messages, isSubscribed, values.size, isComplete, channel.state]);
}

test('a server renders the state before anything is known', () => {
  const client = new Client({ url: 'http://127.0.0.1:1' });
  const page = renderToString(
    <StarlingProvider client={client}>
      <All />
    </StarlingProvider>,
  );
  const text = page.replaceAll('&quot;', '"');
  assert.deepEqual(JSON.parse(text), ['idle', null, [], false, 0, false, 'unsubscribed']);
  assert.equal(client.state.kind, 'idle', 'nothing was connected');
});

test('a hook without a provider says what is missing', () => {
  assert.throws(() => renderToString(<All />), /StarlingProvider/);
});
