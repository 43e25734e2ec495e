// Builds dist: the entries as ES modules that share their chunks, and their types.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
await build({
  entryPoints: ['index', 'react', 'worker'].map((name) => join(root, 'src', `${name}.ts`)),
  outdir: dist,
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[name]-[hash]',
  packages: 'external',
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
});
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
execFileSync(process.execPath, [tsc, '--project', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });
