/** Pages that publish numbers until they are told to stop. */

import { becomes } from '../../../clients/typescript/test/support/eventually.ts';
import type { Tab } from './browser.ts';

/** Publishes rising numbers from `first` on, on each channel, some at a time, until it is told to stop. */
export const pump = (tab: Tab, names: readonly string[], first = 0): Promise<void> =>
  tab.evaluate(
    ([names, first]) => {
      const { client, pump } = window.bench;
      for (const name of names) {
        const acknowledged: [number, number][] = [];
        pump.acknowledged[name] = acknowledged;
        let next = first;
        const publishOneAfterAnother = async () => {
          while (!pump.stop) {
            const data = next++;
            await client
              .channel(name)
              .publish(data)
              .then(
                ({ position }) => acknowledged.push([data, position.seq]),
                ({ code }) => pump.failed.push(`${name} ${data}: ${code}`),
              );
          }
          pump.running--;
        };
        // Several on their way: a kill meets some that have no answer.
        for (let n = 0; n < 8; n++) {
          pump.running++;
          void publishOneAfterAnother();
        }
      }
    },
    [names, first] as const,
  );

/** What was acknowledged on a channel, with its seq. */
export const acknowledged = (tab: Tab, name: string): Promise<[data: number, seq: number][]> =>
  tab.evaluate((name) => window.bench.pump.acknowledged[name] ?? [], name);

/** Stops, and waits for what is on its way; which publishes failed, and why. */
export async function dry(tab: Tab): Promise<string[]> {
  await tab.evaluate(() => {
    window.bench.pump.stop = true;
  });
  await becomes('publishes on their way', 0, () => tab.evaluate(() => window.bench.pump.running));
  return tab.evaluate(() => window.bench.pump.failed);
}
