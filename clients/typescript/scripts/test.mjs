// Bundles the tests and runs them with Node's own runner: `node scripts/test.mjs [directory] [pattern]`.
// Node 20 reads no TypeScript, and esbuild takes a tenth of a second for all of it.

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const [directory = 'test', ...patterns] = process.argv.slice(2);
const out = join(root, '.test', basename(directory));
rmSync(out, { recursive: true, force: true });

const names = (await readdir(join(root, directory), { recursive: true })).filter(
  (name) => /\.test\.tsx?$/.test(name) && patterns.every((pattern) => name.includes(pattern)),
);
await build({
  entryPoints: names.map((name) => join(root, directory, name)),
  outdir: out,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
  jsx: 'automatic',
  logLevel: 'warning',
});
const files = names.map((name) => join(out, name.replace(/\.tsx?$/, '.js')));
if (files.length === 0) {
  console.error(`no test of ${directory} is named ${patterns.join(' ')}`);
  process.exit(1);
}
const reporters = process.env.VERBOSE ? ['spec'] : ['dot', './scripts/figures.mjs'];
const { status } = spawnSync(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    // One file at a time: a flood in one is no fault of another. A test that hangs, or leaves a node behind, fails.
    '--test-concurrency=1',
    '--test-timeout=120000',
    '--test-force-exit',
    ...reporters.flatMap((name) => [`--test-reporter=${name}`, '--test-reporter-destination=stdout']),
    ...files,
  ],
  { stdio: 'inherit', cwd: root },
);
process.exit(status ?? 1);
