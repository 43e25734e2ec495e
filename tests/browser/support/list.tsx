/** A page of React, for the tests of its hooks: drawn under StrictMode, which mounts everything twice. */

import { type ReactNode, StrictMode, useLayoutEffect } from 'react';
import { createRoot } from 'react-dom/client';
import type { Client } from '../../../clients/typescript/src/index.ts';
import {
  StarlingProvider,
  useChannel,
  useConnection,
  useKeyed,
  useMessages,
} from '../../../clients/typescript/src/react.ts';

/** What the page tells the tests. */
export interface Seen {
  /** Commits of the list. StrictMode renders twice and commits once. */
  commits: number;
  /** Frames that were drawn. */
  frames: number;
  /** The most commits that one frame showed. */
  commitsOfAFrameMax: number;
  /** Messages that the hook of the channel was handed. */
  heard: number[];
  send: (data: unknown) => void;
  unmount: () => void;
}

const seen: Seen = {
  commits: 0,
  frames: 0,
  commitsOfAFrameMax: 0,
  heard: [],
  send: () => {},
  unmount: () => {},
};

function List({ name }: { name: string }): ReactNode {
  const { messages, send, isSubscribed } = useMessages<number>(name, { limit: 50 });
  // Told with the commit, not some time after it.
  useLayoutEffect(() => {
    seen.commits++;
    seen.send = send as Seen['send'];
  });
  return (
    <ul data-subscribed={isSubscribed}>
      {messages.map(({ id, data, status, error, retry, dismiss }) => (
        <li key={id} data-id={id} data-status={status} title={error?.message}>
          {JSON.stringify(data)}
          {status === 'failed' && (
            <>
              <button type="button" className="retry" onClick={retry} />
              <button type="button" className="dismiss" onClick={dismiss} />
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

function Heard({ name }: { name: string }): ReactNode {
  const { state, error } = useChannel<number>(name, ({ data }) => seen.heard.push(data));
  return <p id="channel">{error?.code ?? state}</p>;
}

function Board({ name }: { name: string }): ReactNode {
  const { values, isComplete } = useKeyed<number>(name);
  const text = [...values].map(([key, { data }]) => `${key}=${data}`).sort();
  return <p id="board">{isComplete ? text.join(' ') : 'loading'}</p>;
}

function Status(): ReactNode {
  const { state, transport } = useConnection();
  return (
    <p id="status">
      {state} {transport}
    </p>
  );
}

/** Draws it all. */
export function start(client: Client, name: string, board: string): Seen {
  const root = createRoot(document.getElementById('root') as HTMLElement);
  root.render(
    <StrictMode>
      <StarlingProvider client={client}>
        <Status />
        <List name={name} />
        <Heard name={name} />
        {board && <Board name={board} />}
      </StarlingProvider>
    </StrictMode>,
  );
  let before = 0;
  let last = 0;
  const count = (now: number) => {
    seen.frames++;
    // The client does not wait for a frame that is later than this, as all are while the page is hidden.
    if (now - last < 250) seen.commitsOfAFrameMax = Math.max(seen.commitsOfAFrameMax, seen.commits - before);
    before = seen.commits;
    last = now;
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
  seen.unmount = () => root.unmount();
  return seen;
}
