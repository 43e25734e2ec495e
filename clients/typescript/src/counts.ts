/** Where counting starts: shared by the page and its engine. */

import type { Counts } from './types.ts';

/** The counts of a client that did nothing yet. */
export const noCounts = (): Counts => ({
  sessions: 0,
  failures: 0,
  silences: 0,
  violations: 0,
  messages: 0,
  duplicates: 0,
  gaps: 0,
  overflows: 0,
  pulls: 0,
  skipped: 0,
  discontinuities: 0,
  published: 0,
  resent: 0,
  acknowledged: 0,
  failed: 0,
});
