// Bundles a benchmark and runs it with Node: `node scripts/bench.mjs NAME OPTION..`.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const [name, ...options] = process.argv.slice(2);
const out = join(root, '.test', 'bench', `${name}.js`);
await build({
  entryPoints: [join(root, 'bench', `${name}.ts`)],
  outfile: out,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
  logLevel: 'warning',
});
const { status } = spawnSync(process.execPath, ['--enable-source-maps', out, ...options], {
  stdio: 'inherit',
  cwd: root,
});
process.exit(status ?? 1);
