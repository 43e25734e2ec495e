// Bundles the client for the demo pages that the node serves, one file for its worker, and one with an editor for the page of a
// document. They are in the repository so that the node builds without Node.js; with --check they are compared with what their
// source gives.

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, '..', '..', 'src', 'api', 'demo', 'sdk');
const check = process.argv.includes('--check');

// Members of the client have other names once it is built: all bundles are of what was built.
const built = {
  name: 'built',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\.\/src\// }, ({ path }) => ({
      path: join(root, 'dist', path.slice('../src/'.length).replace(/ts$/, 'js')),
    })),
};

const bundle = async (entry) => {
  const { outputFiles } = await build({
    entryPoints: [join(root, entry)],
    plugins: [built],
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
  ['dist/index.js', 'client.js'],
  ['dist/presence.js', 'presence.js'],
  ['dist/worker.js', 'worker.js'],
  ['demo/document.ts', 'document.js'],
]) {
  const made = await bundle(entry);
  const path = join(target, name);
  if (!check) writeFileSync(path, made);
  else if (readFileSync(path, 'utf8') !== made) {
    console.error(`${dirname(path)}/${name} is not what its source gives; run: make demo`);
    process.exitCode = 1;
  }
}
