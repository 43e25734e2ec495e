/** `make bench-docs`: prints a table, and one line of JSON. */

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { documents, type Result } from './documents.ts';
import { CLIENTS } from './editor.ts';
import { SEED } from './trace.ts';

const { values } = parseArgs({
  options: {
    client: { type: 'string', default: 'sdk' },
    share: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(SEED) },
  },
});
const share = Number(values.share);
if (!(share > 0 && share <= 1)) {
  console.error(`--share ${values.share} is no share of the edits; give one above 0 and up to 1`);
  process.exit(2);
}
const open = CLIENTS[values.client];
if (!open) {
  console.error(`there is no client ${values.client}; there are ${Object.keys(CLIENTS).join(', ')}`);
  process.exit(2);
}

const result = await documents(open, share, Number(values.seed));

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
const bytes = (count: number): string => `${(count / 1e6).toFixed(2)} MB`;
const rows: [string, (of: Result) => string][] = [
  ['edits', (of) => `${of.inserts} inserts, ${of.deletes} deletes; ${of.characters} characters stay`],
  ['typed; converged; all kept', (of) => [of.typed_ms, of.converged_ms, of.saved_ms].map(seconds).join('; ')],
  [
    'writer: messages; sent; received',
    (of) => [`${of.writer_messages}`, bytes(of.writer_sent), bytes(of.writer_received)].join('; '),
  ],
  ['reader received', (of) => bytes(of.reader_received)],
  ['document, encoded', (of) => bytes(of.encoded)],
  ['server CPU; for an edit', (of) => `${of.cpu_s} s; ${of.cpu_us_per_edit} µs`],
  [
    'server memory before; most; idle',
    (of) => [of.memory_before, of.memory_most, of.memory_idle].map(bytes).join('; '),
  ],
  ['store; when idle', (of) => [of.stored, of.stored_idle].map(bytes).join('; ')],
  ['cold load', (of) => seconds(of.cold_load_ms)],
];
for (const [name, show] of rows) console.log(`${name.padEnd(34)} ${show(result)}`);
console.log(JSON.stringify({ bench: 'docs', client: values.client, cpu: cpus()[0]?.model, ...result }));
