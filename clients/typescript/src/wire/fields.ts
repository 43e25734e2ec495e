/** How the tables of frames are written: fields by their names, in order of their numbers. */

import {
  AGENT_BYTES_MAX,
  CHANNEL_BYTES_MAX,
  EPOCH_BYTES_MAX,
  KEY_BYTES_MAX,
  NAME_BYTES_MAX,
  TEXT_BYTES_MAX,
  TOKEN_BYTES_MAX,
} from '../limits.ts';
import { type Field, type Kind, message, type Schema } from './message.ts';

/** What a field holds, by its name: 64-bit numbers are not listed, and what differs by frame is said there. */
const KINDS: Record<string, Kind> = {
  channel: CHANNEL_BYTES_MAX,
  key: KEY_BYTES_MAX,
  epoch: EPOCH_BYTES_MAX,
  session: NAME_BYTES_MAX,
  node: NAME_BYTES_MAX,
  message: TEXT_BYTES_MAX,
  token: TOKEN_BYTES_MAX,
  agent: AGENT_BYTES_MAX,
};
const OF: Record<string, string> = {
  bytes: 'payload publisher client',
  bool: 'deleted delete replace last keyed skipped duplicate datagrams',
  u32: 'channelId copies reason policy code retryAfterMs version versionMin versionMax heartbeatMs frameBytes channels publishesInFlight pageCredit',
  wide: 'nonce generation',
};
for (const [kind, names] of Object.entries(OF)) for (const name of names.split(' ')) KINDS[name] = kind as Kind;

/**
 * A message whose fields are numbered from 1 in this order: names, and fields that need more words. One whose name ends in
 * `!` must be set.
 */
export function fields(...list: (string | Field)[]): Schema {
  const required: string[] = [];
  const flat = list.flatMap((part): Partial<Field>[] =>
    typeof part === 'string' ? part.split(' ').map((name) => [name]) : [part],
  );
  const numbered = flat.map(([marked = '', kind, oneof], at) => {
    const name = marked.replace('!', '');
    if (name !== marked) required.push(name);
    return [at + 1, [name, kind ?? KINDS[name] ?? 'u64', oneof]] as const;
  });
  return message(Object.fromEntries(numbered) as unknown as Record<number, Field>, required);
}
