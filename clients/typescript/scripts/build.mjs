// Builds dist: the entries as ES modules that share their chunks, and their types.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * Properties of the client's own parts: no frame, no message between page and engine, no application and no browser knows
 * one of these names, and none is the key of a table, so they are shortened. That is a thirtieth of the worker.
 */
const INTERNAL =
  'shared subscriptions counts requests clockMs trouble notBefore movedAt isAttached wantsAttach expectsPages hoards ' +
  'queued giveBack coversAPage grant wakeAt unanswered judge suspect heard enqueue disconnected inFlight isEmpty ' +
  'hasRoom hasRoomAgain reading answered route faulted discontinued identity dialer isClosed costs isIdle neighbours ' +
  'refreshAt clock stalled deadline means alive ending connected connection until giveUp received release discover ' +
  'broken tries reset round taken flow room sent handle fields defaults finish command measure ' +
  'credit tell isExtended cause lists hint learn missed flowed frame cost event line wake spare departed ' +
  'lost isLossy rest detached attach unsubscribe forgive fault required reached dial skip page snapshot publication lagged';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
await build({
  entryPoints: ['index', 'presence', 'presence/react', 'react', 'worker', 'yjs', 'yjs/react'].map((name) =>
    join(root, 'src', `${name}.ts`),
  ),
  outdir: dist,
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[name]-[hash]',
  packages: 'external',
  format: 'esm',
  target: 'es2022',
  // Puts constants where they are used. Whoever bundles the package cannot: they are variables of a chunk by then.
  minifySyntax: true,
  mangleProps: new RegExp(`^(${INTERNAL.replaceAll(' ', '|')})$`),
  logLevel: 'warning',
});
execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['--project', join(root, 'tsconfig.build.json')], {
  stdio: 'inherit',
});
// The compiler leaves the names of the sources in the declarations; they are beside no sources.
for (const name of readdirSync(dist, { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue;
  const path = join(dist, name);
  writeFileSync(
    path,
    readFileSync(path, 'utf8')
      .replace(/(from '\.[^']*)\.ts'/g, "$1.js'")
      .replace(/(import\("\.[^"]*)\.ts"/g, '$1.js"'),
  );
}
