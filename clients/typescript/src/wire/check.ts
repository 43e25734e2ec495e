/**
 * What a server's frame must hold, as far as the frame alone can tell: strict where a wrong value would lose a message
 * in silence, lenient about codes and reasons, which a newer server may have more of.
 */

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
import type { ServerFrame, WirePosition } from './frames.ts';
import { encodeText } from './writer.ts';

/** Code of the refusal that names the serial it expects. */
const SERIAL_GAP = 7;

/** Throws the fault of a frame that may not be sent. */
export function check({ kind, body }: ServerFrame): void {
  const holds = (field: string, truth: unknown, fault: FaultName = 'field_missing') => {
    if (!truth) throw new FrameFault(fault, `${kind}.${field}`);
  };
  const inRange = (field: string, truth: boolean) => holds(field, truth, 'field_out_of_range');
  const agrees = (field: string, truth: boolean) => holds(field, truth, 'field_contradicts');
  const atMost = (field: string, value: string, max: number) =>
    // A character takes three bytes of UTF-8 at most for each unit of UTF-16.
    holds(field, value.length * 3 <= max || encodeText(value).length <= max, 'field_too_long');
  const named = (field: string, value: string, max: number) => {
    holds(field, value);
    atMost(field, value, max);
  };
  const position = (field: string, value: WirePosition | undefined): WirePosition => {
    holds(field, value);
    named('position.epoch', (value as WirePosition).epoch, EPOCH_BYTES_MAX);
    return value as WirePosition;
  };
  const keyed = (entry: { key: string; deleted: boolean; payload: Uint8Array }) => {
    atMost('key', entry.key, KEY_BYTES_MAX);
    if (!entry.deleted) return;
    holds('key', entry.key);
    agrees('payload', entry.payload.length === 0);
  };
  const request = (value: number) => holds('request', value);
  if ('channelId' in body && kind !== 'error') holds('channel_id', body.channelId);

  switch (kind) {
    case 'publication':
      holds('seq', body.seq);
      keyed(body);
      break;
    case 'ack':
      request(body.request);
      holds('serial', body.serial);
      // Without a position it says that nothing was published: the two must not be mixed up.
      if (body.skipped) agrees('position', !body.position);
      else holds('position.seq', position('position', body.position).seq);
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
    case 'snapshot': {
      const at = position('at', body.at);
      for (const entry of body.entries) {
        holds('entries.key', entry.key);
        keyed(entry);
        // What a whole state does not list does not exist: a removed key in it would be two answers.
        agrees('entries.deleted', !(body.replace && entry.deleted));
        inRange('entries.seq', entry.seq > 0 && entry.seq <= at.seq);
      }
      break;
    }
    case 'skipped':
      holds('to', body.to);
      inRange('count', body.count > 0 && body.count <= body.to);
      break;
    case 'attached':
      request(body.request);
      named('channel', body.channel, CHANNEL_BYTES_MAX);
      inRange('head', body.head >= position('position', body.position).seq);
      holds('window', body.window);
      holds('outcome', body.resumed ?? body.rewound ?? body.discontinuity);
      break;
    case 'discontinuity':
      position('position', body.position);
      break;
    case 'error':
      holds('code', body.code);
      atMost('message', body.message, TEXT_BYTES_MAX);
      holds('expected_serial', body.code !== SERIAL_GAP || body.expectedSerial);
      break;
    case 'welcome':
      holds('version', body.version);
      named('session', body.session, NAME_BYTES_MAX);
      named('node', body.node, NAME_BYTES_MAX);
      holds('heartbeat_ms', body.heartbeatMs);
      // A publish carries it back as `since_ms`, which may not be 0.
      holds('time_ms', body.timeMs);
      holds('window', body.window);
      holds('limits', body.limits);
      holds('limits.frame_bytes', body.limits?.frameBytes);
      holds('limits.channels', body.limits?.channels);
      holds('limits.publishes_in_flight', body.limits?.publishesInFlight);
      break;
    case 'refreshed':
      request(body.request);
      break;
    case 'goodbye':
      holds('code', body.code);
      inRange('code', body.code <= 0xffff);
      atMost('reason', body.reason, TEXT_BYTES_MAX);
      holds('alternates', body.alternates.length <= ALTERNATES_MAX, 'field_too_many');
      for (const base of body.alternates) named('alternates', base, ALTERNATE_BYTES_MAX);
      break;
  }
}
