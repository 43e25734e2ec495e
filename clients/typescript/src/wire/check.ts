/**
 * What a server's frame must hold, as far as the frame alone can tell: strict where a wrong value would lose a message
 * in silence, lenient about codes and reasons, which a newer server may have more of.
 */

import { SERIAL_GAP } from '../codes.ts';
import {
  ALTERNATE_BYTES_MAX,
  ALTERNATES_MAX,
  CHANNEL_BYTES_MAX,
  EPOCH_BYTES_MAX,
  KEY_BYTES_MAX,
  NAME_BYTES_MAX,
  TEXT_BYTES_MAX,
} from '../limits.ts';
import { type FaultName, FrameFault } from './fault.ts';
import type { ForeignFrame, ServerFrame } from './frames.ts';
import { encodeText } from './writer.ts';

/** Texts, in bytes. */
const TEXTS: Record<string, number> = {
  channel: CHANNEL_BYTES_MAX,
  session: NAME_BYTES_MAX,
  node: NAME_BYTES_MAX,
  message: TEXT_BYTES_MAX,
  reason: TEXT_BYTES_MAX,
  key: KEY_BYTES_MAX,
  epoch: EPOCH_BYTES_MAX,
};

/** Throws the fault of a frame that may not be sent. */
export function check({ kind, body }: ServerFrame | ForeignFrame): void {
  if (kind === 'foreign') return;
  const holds = (field: string, truth: unknown, fault: FaultName = 'field_missing') => {
    if (!truth) throw new FrameFault(fault, `${kind}.${field}`);
  };
  const inRange = (field: string, truth: boolean) => holds(field, truth, 'field_out_of_range');
  const agrees = (field: string, truth: boolean) => holds(field, truth, 'field_contradicts');
  /** The texts and positions of a message. */
  const texts = (message: object) => {
    for (const [field, value] of Object.entries(message)) {
      const max = TEXTS[field];
      // A unit of UTF-16 takes three bytes of UTF-8 at most.
      if (max && value.length * 3 > max) holds(field, encodeText(value).length <= max, 'field_too_long');
      if (value?.epoch !== undefined) {
        holds('position.epoch', value.epoch);
        texts(value);
      }
    }
  };
  const keyed = (entry: { key: string; deleted: boolean; payload: Uint8Array }) => {
    if (!entry.deleted) return;
    holds('key', entry.key);
    agrees('payload', entry.payload.length === 0);
  };
  texts(body);

  switch (kind) {
    case 'publication':
      keyed(body);
      break;
    case 'ack':
      // Without a position it says that nothing was published: the two must not be mixed up.
      if (body.skipped) agrees('position', !body.position);
      else {
        holds('position', body.position);
        holds('position.seq', body.position?.seq);
      }
      break;
    case 'page': {
      holds('entries', body.entries.length);
      let before = body.after;
      for (const entry of body.entries) {
        inRange('entries.seq', entry.seq === ++before);
        texts(entry);
        keyed(entry);
      }
      break;
    }
    case 'snapshot':
      for (const entry of body.entries) {
        holds('entries.key', entry.key);
        texts(entry);
        keyed(entry);
        // What a whole state does not list does not exist: a removed key in it would be two answers.
        agrees('entries.deleted', !(body.replace && entry.deleted));
        inRange('entries.seq', entry.seq > 0 && entry.seq <= (body.at?.seq ?? 0));
      }
      break;
    case 'skipped':
      inRange('count', body.count > 0 && body.count <= body.to);
      break;
    case 'attached':
      inRange('head', body.head >= (body.position?.seq ?? 0));
      holds('outcome', body.resumed ?? body.rewound ?? body.discontinuity);
      break;
    case 'error':
      // It names the serial that is expected.
      holds('expectedSerial', body.code !== SERIAL_GAP || body.expectedSerial);
      break;
    case 'welcome':
      for (const [field, value] of Object.entries(body.limits ?? {})) holds(`limits.${field}`, value);
      break;
    case 'goodbye':
      inRange('code', body.code <= 0xffff);
      holds('alternates', body.alternates.length <= ALTERNATES_MAX, 'field_too_many');
      for (const base of body.alternates) {
        holds('alternates', base);
        holds('alternates', encodeText(base).length <= ALTERNATE_BYTES_MAX, 'field_too_long');
      }
  }
}
