/** A page that connects in one way, follows channels, and publishes. */

import type { ClientOptions, Transport } from '../../../clients/typescript/src/index.ts';
import { until } from '../../../clients/typescript/test/support/eventually.ts';
import type { Tab } from './browser.ts';

/** A way to a node. */
export interface Way {
  transport: Transport;
  worker: boolean;
}

/** Every way: each transport, from a worker and beside the page. */
export const ways = (transports: readonly Transport[]): Way[] =>
  transports.flatMap((transport) => [true, false].map((worker) => ({ transport, worker })));

export const called = ({ transport, worker }: Way): string =>
  `${transport} ${worker ? 'in a worker' : 'beside the page'}`;

/** Makes the client, and follows channels: waits until all are subscribed. */
export async function connect(
  tab: Tab,
  options: Pick<ClientOptions, 'url' | 'transports' | 'worker'>,
  ...names: string[]
): Promise<void> {
  await tab.evaluate((options) => {
    window.bench.client = new window.bench.Client(options);
  }, options);
  await follow(tab, ...names);
}

/** Notes everything that happens on channels of the page's client. */
export async function follow(tab: Tab, ...names: string[]): Promise<void> {
  await tab.evaluate((names) => {
    const { bench } = window;
    for (const name of names) {
      const channel = bench.client.channel(name);
      const told: string[] = [];
      const got: [unknown, number][] = [];
      bench.told[name] = told;
      bench.got[name] = got;
      channel.on('subscribed', ({ outcome }) => told.push(outcome.kind));
      channel.on('discontinuity', ({ reason }) => told.push(reason));
      channel.subscribe(({ data, position }) => got.push([data, position.seq]));
    }
  }, names);
  await until('subscribed', () =>
    tab.evaluate((names) => names.every((name) => window.bench.told[name]?.length), names),
  );
}

/** Publishes so many numbers from the page; their seqs. */
export const publish = (tab: Tab, channel: string, from: number, count: number): Promise<number[]> =>
  tab.evaluate(
    ([name, from, count]) => {
      const channel = window.bench.client.channel(name);
      return Promise.all(Array.from({ length: count }, async (_, n) => (await channel.publish(from + n)).position.seq));
    },
    [channel, from, count] as const,
  );

/** What arrived on a channel, with its seq. */
export const got = (tab: Tab, channel: string): Promise<[data: unknown, seq: number][]> =>
  tab.evaluate((name) => window.bench.got[name] ?? [], channel);

/** What the channel's reader was told. */
export const told = (tab: Tab, channel: string): Promise<string[]> =>
  tab.evaluate((name) => window.bench.told[name] ?? [], channel);

export const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
