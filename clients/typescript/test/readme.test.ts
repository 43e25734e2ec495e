/** The README shows what works: its example is run as it stands, but for the address, against a real node. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { transform } from 'esbuild';
import { WebSocket } from 'ws';
import * as starling from '../src/index.ts';
import { becomes } from './support/eventually.ts';
import { StarlingNode } from './support/node.ts';

for (const file of ['README.md', '../../README.md']) {
  test(`the example of ${file} publishes, and reaches a subscriber`, async () => {
    const [, example = ''] = /```ts\n([^`]*)```/.exec(readFileSync(file, 'utf8')) ?? [];
    const body = example.replace(/^import .*\n/m, '').replaceAll('http://127.0.0.1:4433', '$URL');
    assert.match(body, /\$URL/);
    const { code } = await transform(`async function example({ Client, console }) { ${body} return client; }`, {
      loader: 'ts',
    });
    const node = await StarlingNode.start();
    const lines: unknown[][] = [];
    class Client extends starling.Client {
      constructor(options: starling.ClientOptions) {
        super({ ...options, url: node.url, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket });
      }
    }
    const console = { log: (...line: unknown[]) => lines.push(line), warn: assert.fail };
    const run = new Function(`${code}; return example`)() as (scope: object) => Promise<starling.Client>;
    const client = await run({ Client, console });
    const said = file === 'README.md' ? { text: 'hello' } : 'hello';
    await becomes('what the example prints', [[1, said]], () => lines);
    await client.close();
    await node.stop();
  });
}
