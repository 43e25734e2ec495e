/** A page of React, and many messages for it. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel } from '../../../clients/typescript/src/index.ts';
import { until } from '../../../clients/typescript/test/support/eventually.ts';
import type { Tab } from './browser.ts';
import { exists } from './dom.ts';

/** Draws the page for these channels. */
export async function draw(
  tab: Tab,
  url: string,
  name: string,
  options: { board?: string; transport?: string; production?: boolean } = {},
): Promise<void> {
  await tab.evaluate(
    async ([url, name, board, transport, list]) => {
      const { bench } = window;
      const { start } = (await import(list)) as typeof import('./list.tsx');
      bench.client = new bench.Client({ url, ...(transport && { transports: [transport as 'websocket'] }) });
      bench.seen = start(bench.client, name, board);
    },
    [
      url,
      name,
      options.board ?? '',
      options.transport ?? '',
      options.production ? '/production.js' : '/development.js',
    ] as const,
  );
  await until('subscribed', () => exists(tab, 'ul[data-subscribed=true]'));
}

/** Publishes on their way at once: on a busy machine the rate falls rather than the test. */
const ON_THEIR_WAY_MAX = 1_000;

/** Publishes numbers at a rate: how many there were when all are acknowledged, and how many a second. */
export async function flood(
  channel: Channel<number>,
  rate: number,
  seconds: number,
): Promise<{ total: number; reached: number }> {
  const total = rate * seconds;
  const started = performance.now();
  const passed = () => (performance.now() - started) / 1_000;
  let sent = 0;
  let acknowledged = 0;
  while (acknowledged < total) {
    const due = Math.min(total, passed() * rate);
    for (; sent < due && sent - acknowledged < ON_THEIR_WAY_MAX; sent++)
      channel.publish(sent).then(() => acknowledged++);
    await sleep(5);
  }
  return { total, reached: Math.round(total / passed()) };
}
