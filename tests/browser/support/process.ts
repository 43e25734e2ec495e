/** What a browser's process says of itself. */

import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Waits for the line in which a process tells, on standard error, where it listens. */
export function announced(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${child.spawnfile} ended with ${code}`)));
    // To the end, or the process would wait for a reader.
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      if (process.env.VERBOSE) console.error(`${child.spawnfile}: ${line}`);
      const found = pattern.exec(line)?.[1];
      if (found) resolve(found);
    });
  });
}
