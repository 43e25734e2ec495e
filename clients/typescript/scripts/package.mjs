// Checks the package as it would be published: its size, its entries, its types.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Bytes of each entry, minified and gzipped, that a page may be made to load; a kilobyte has 1,000. The engine beside the page (`chunk-host`)
 * is loaded only where there is no worker, and then instead of the worker: it counts there. `yjs` is
 * without Yjs itself, which is the application's and four times as large.
 */
const BUDGETS = {
  index: 8_000,
  worker: 14_100,
  presence: 8_000,
  react: 2_500,
  'presence/react': 9_500,
  yjs: 8_500,
  'yjs/react': 10_000,
};

let failed = false;
for (const [entry, budget] of Object.entries(BUDGETS)) {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'dist', `${entry}.js`)],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    external: ['react', 'ws', 'yjs', 'y-protocols', './chunk-host-*'],
    logLevel: 'error',
  });
  const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  const over = bytes > budget;
  failed ||= over;
  console.log(`${entry}: ${bytes} of ${budget} bytes${over ? ': too large' : ''}`);
}

for (const [tool, ...rest] of [
  ['publint', '--strict'],
  ['attw', '--pack', '.', '--profile', 'esm-only', '--format', 'ascii'],
]) {
  const { status } = spawnSync(join(root, 'node_modules', '.bin', tool), rest, { cwd: root, stdio: 'inherit' });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
