/**
 * What a server's frame must hold beyond what its schema says, as far as the frame alone can tell: strict where a wrong
 * value would lose a message in silence, lenient about codes and reasons, which a newer server may have more of.
 */

import { SERIAL_GAP } from '../codes.ts';
import { ALTERNATES_MAX } from '../limits.ts';
import { type FaultName, FrameFault } from './fault.ts';
import type { ForeignFrame, ServerFrame } from './frames.ts';

/** Throws the fault of a frame that may not be sent. */
export function check({ kind, body }: ServerFrame | ForeignFrame): void {
  if (kind === 'foreign') return;
  const holds = (field: string, truth: unknown, fault: FaultName = 'field_missing') => {
    if (!truth) throw new FrameFault(fault, `${kind}.${field}`);
  };
  const inRange = (field: string, truth: boolean) => holds(field, truth, 'field_out_of_range');
  const agrees = (field: string, truth: boolean) => holds(field, truth, 'field_contradicts');
  const keyed = (entry: { key: string; deleted: boolean; payload: Uint8Array }) => {
    if (!entry.deleted) return;
    holds('key', entry.key);
    agrees('payload', entry.payload.length === 0);
  };
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
        keyed(entry);
      }
      break;
    }
    case 'snapshot':
      for (const entry of body.entries) {
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
    case 'goodbye':
      inRange('code', body.code <= 0xffff);
      holds('alternates', body.alternates.length <= ALTERNATES_MAX, 'field_too_many');
  }
}
