// A reporter beside the dots: the figures that tests state, which are the lines they print after "# ", and what failed, which
// dots alone do not tell: at once, and once more behind everything else, where whoever reads the end of a long log looks.

import { writeSync } from 'node:fs';
import { inspect } from 'node:util';

export default async function* figures(events) {
  const failed = [];
  // The runner ends with the last test, whatever its reporters have left to say.
  process.on('exit', () => writeSync(process.stdout.fd, failed.join('')));
  for await (const { type, data } of events) {
    if (type === 'test:stdout') {
      for (const line of data.message.split('\n')) if (line.startsWith('# ')) yield `\n${line}\n`;
    } else if (type === 'test:fail') {
      const error = data.details?.error;
      // Of a file it is said only that a test in it failed.
      if (error?.failureType === 'subtestsFailed') continue;
      const failure = `\n✗ ${data.name} (${data.file}:${data.line})\n${inspect(error?.cause ?? error)}\n`;
      failed.push(failure);
      yield failure;
    }
  }
}
