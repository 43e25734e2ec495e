/** The READMEs show what works: their examples are run as they stand, but for the address, against a real node. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { transform } from 'esbuild';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import * as starling from '../src/index.ts';
import { presence } from '../src/presence.ts';
import { DocProvider } from '../src/yjs.ts';
import { becomes } from './support/eventually.ts';
import { StarlingNode } from './support/node.ts';

/** The examples of a file, in order. */
const examples = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/```ts\n([^`]*)```/g)].map(([, example]) => example as string);

/** Runs an example until it has printed these, and whatever else. */
async function prints(example: string, ...expected: unknown[][]): Promise<void> {
  const body = example.replaceAll(/^import .*\n/gm, '').replaceAll('http://127.0.0.1:4433', '$URL');
  assert.match(body, /\$URL/);
  const { code } = await transform(
    `async function example({ Client, presence, DocProvider, Y, console }) { ${body} return client; }`,
    {
      loader: 'ts',
    },
  );
  const node = await StarlingNode.start({ 'documents.enabled': 'true' });
  const lines: unknown[][] = [];
  class Client extends starling.Client {
    constructor(options: starling.ClientOptions) {
      super({ ...options, url: node.url, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket });
    }
  }
  const console = { log: (...line: unknown[]) => lines.push(line), warn: assert.fail };
  const run = new Function(`${code}; return example`)() as (scope: object) => Promise<starling.Client>;
  const client = await run({ Client, presence, DocProvider, Y, console });
  const texts = expected.map((line) => JSON.stringify(line));
  await becomes('what the example prints', texts, () => {
    const printed = lines.map((line) => JSON.stringify(line));
    return texts.filter((text) => printed.includes(text));
  });
  await client.close();
  await node.stop();
}

for (const file of ['README.md', '../../README.md']) {
  test(`the example of ${file} publishes, and reaches a subscriber`, async () => {
    const said = file === 'README.md' ? { text: 'hello' } : 'hello';
    await prints(examples(file)[0] ?? '', [1, said]);
  });
}

test('the example of presence is there, and is seen', async () => {
  const [example = ''] = examples('README.md').filter((one) => one.includes('/presence'));
  // Where she points may be lost, as it says.
  await prints(example, ['Ada', 'is here'], [1, 'are here', '']);
});

test('the example of documents is synced, and what it edits is saved', async () => {
  const [example = ''] = examples('README.md').filter((one) => one.includes('/yjs'));
  await prints(example, ['saving'], ['all is saved'], ['hello']);
});
