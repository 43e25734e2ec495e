/** A page that is in the presence of one channel, watches it, and notes what it is told. */

import type { ClientOptions } from '../../../clients/typescript/src/index.ts';
import type { Presence } from '../../../clients/typescript/src/presence.ts';
import { until } from '../../../clients/typescript/test/support/eventually.ts';
import type { Tab } from './browser.ts';

/** Where a cursor is, and when it came there. */
export interface Moment {
  move: number;
  atMs: number;
}

/** What a page knows of a channel's presence. What a client says of itself is its name. */
export interface Here {
  presence: Presence<string, Moment>;
  /** Milliseconds since 1970, by the clock that all pages of a machine have, and the test. */
  now: () => number;
  /** Who joined, was updated and left, and when that was told. */
  told: [event: string, atMs: number][];
  /** Nodes that ever were uncertain. */
  doubted: string[];
  /** Moves of others that arrived, and how long each took. */
  moves: [move: number, tookMs: number][];
  isMoving: boolean;
}

/** Makes the client, enters under a name, and watches: waits until it is sure who is there. */
export async function attend(
  tab: Tab,
  options: Pick<ClientOptions, 'url' | 'transports' | 'worker'>,
  channel: string,
  name: string,
): Promise<void> {
  await tab.evaluate(
    async ([options, channel, name, path]) => {
      const { bench } = window;
      const { presence: presenceOf } = (await import(
        path
      )) as typeof import('../../../clients/typescript/src/presence.ts');
      bench.client = new bench.Client(options);
      const presence = presenceOf<string, Moment>(bench.client, channel);
      const { now } = Date;
      const here: Here = { presence, now, told: [], doubted: [], moves: [], isMoving: false };
      bench.here = here;
      for (const kind of ['join', 'update', 'leave'] as const) {
        presence.on(kind, ({ client }) => here.told.push([`${kind} ${client.state}`, now()]));
      }
      presence.on('change', () => {
        for (const node of presence.uncertain) if (!here.doubted.includes(node)) here.doubted.push(node);
      });
      presence.on('ephemeral', ({ client, data }) => {
        if (client.id !== presence.self) here.moves.push([data.move, now() - data.atMs]);
      });
      presence.watch();
      await presence.enter(name);
    },
    [options, channel, name, '/dist/presence.js'] as const,
  );
  await isSure(tab);
}

/** Waits until the page is sure who is there. */
export const isSure = (tab: Tab, timeoutMs?: number): Promise<void> =>
  until(
    'it is sure who is there',
    () =>
      tab.evaluate(() => {
        const { isComplete, isStale, uncertain } = window.bench.here.presence;
        return isComplete && !isStale && uncertain.size === 0;
      }),
    timeoutMs,
  );

/** Who is there and at which node, as the page sees it: once for each client. */
export const there = (tab: Tab): Promise<string[]> =>
  tab.evaluate(() =>
    [...window.bench.here.presence.clients.values()].map(({ state, node }) => `${state} at ${node}`).sort(),
  );

/** What the page was told from a moment on. */
export const toldSince = async (tab: Tab, sinceMs: number): Promise<[event: string, atMs: number][]> =>
  (await tab.evaluate(() => window.bench.here.told)).filter(([, atMs]) => atMs >= sinceMs);

/** Moves the page's cursor as a hand does, until it is stopped. */
export const startMoving = (tab: Tab): Promise<void> =>
  tab.evaluate(() => {
    const { here } = window.bench;
    here.isMoving = true;
    let move = 0;
    const next = () => {
      if (!here.isMoving) return;
      here.presence.broadcast({ move: ++move, atMs: here.now() });
      // A mouse tells of itself once a frame.
      setTimeout(next, 16);
    };
    next();
  });

export const stopMoving = (tab: Tab): Promise<void> =>
  tab.evaluate(() => {
    window.bench.here.isMoving = false;
  });

/** Moves of others that arrived at the page. */
export const moves = (tab: Tab): Promise<[move: number, tookMs: number][]> =>
  tab.evaluate(() => window.bench.here.moves);
