// Bundles the client for the demo page that the node serves, two files for the page and one for its worker. They are in
// the repository so that the node builds without Node.js; with --check they are compared with what their source gives.

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, '..', '..', 'src', 'api', 'demo', 'sdk');
const check = process.argv.includes('--check');

const bundle = async (entry) => {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'dist', entry)],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    // The package says that its modules have no side effects, but the worker is one.
    ignoreAnnotations: true,
    write: false,
    logLevel: 'warning',
  });
  return outputFiles[0].text;
};

for (const [entry, name] of [
  ['index.js', 'client.js'],
  ['presence.js', 'presence.js'],
  ['worker.js', 'worker.js'],
]) {
  const made = await bundle(entry);
  const path = join(target, name);
  if (!check) writeFileSync(path, made);
  else if (readFileSync(path, 'utf8') !== made) {
    console.error(`${dirname(path)}/${name} is not what its source gives; run: make demo`);
    process.exitCode = 1;
  }
}
