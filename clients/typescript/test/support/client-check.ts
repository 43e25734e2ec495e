/** What a server asks of a client's frame, for the server of the tests: the other half of `src/wire/check.ts`. */

import * as limits from '../../src/limits.ts';
import { ALTERNATE_BYTES_MAX, ALTERNATES_MAX } from '../../src/limits.ts';
import { AWARENESS, type DocumentClientBodies, STATE_VECTOR } from '../../src/wire/document.ts';
import { type FaultName, FrameFault } from '../../src/wire/fault.ts';
import type { ClientFrame, FrameOf } from '../../src/wire/frames.ts';
import type { PresenceClientBodies } from '../../src/wire/presence.ts';

const length = (text: string): number => Buffer.byteLength(text);

/** Throws the fault of a frame that may not be sent. */
export function checkClient({
  kind,
  body,
}: ClientFrame | FrameOf<PresenceClientBodies> | FrameOf<DocumentClientBodies>): void {
  const holds = (field: string, truth: unknown, fault: FaultName = 'field_missing') => {
    if (!truth) throw new FrameFault(fault, `${kind}.${field}`);
  };
  const named = (field: string, value: string, max: number) => {
    holds(field, value);
    holds(field, length(value) <= max, 'field_too_long');
  };
  const serial = (frame: { serial: number; base: number; sinceMs: number }) => {
    holds('serial', frame.serial);
    holds('base', frame.base);
    holds('base', frame.base <= frame.serial, 'field_out_of_range');
    holds('since_ms', frame.sinceMs);
  };
  if ('request' in body) holds('request', body.request);
  switch (kind) {
    case 'publish':
      named('channel', body.channel, limits.CHANNEL_BYTES_MAX);
      serial(body);
      holds('key', length(body.key) <= limits.KEY_BYTES_MAX, 'field_too_long');
      if (!body.delete) break;
      holds('key', body.key);
      holds('payload', body.payload.length === 0, 'field_contradicts');
      break;
    case 'skip':
      named('channel', body.channel, limits.CHANNEL_BYTES_MAX);
      serial(body);
      break;
    case 'attach':
      named('channel', body.channel, limits.CHANNEL_BYTES_MAX);
      if (body.position) named('position.epoch', body.position.epoch, limits.EPOCH_BYTES_MAX);
      holds('policy', body.policy <= 4, 'field_unknown_value');
      break;
    case 'enter':
    case 'leave':
    case 'watch':
      named('channel', body.channel, limits.CHANNEL_BYTES_MAX);
      break;
    case 'ephemeral':
      named('channel', body.channel, limits.CHANNEL_BYTES_MAX);
      holds('number', body.number);
      holds('state', body.state.length <= limits.EPHEMERAL_BYTES_MAX, 'field_too_long');
      break;
    case 'detach':
    case 'pull':
      holds('channel_id', body.channelId);
      break;
    case 'openDocument':
      named('document', body.document, limits.CHANNEL_BYTES_MAX);
      break;
    case 'closeDocument':
      holds('document_id', body.documentId);
      break;
    case 'documentPart': {
      const isUnnumbered = body.piece === STATE_VECTOR || body.piece === AWARENESS;
      holds('document_id', body.documentId);
      holds('piece', body.piece);
      holds('piece', body.piece <= AWARENESS, 'field_unknown_value');
      if (isUnnumbered) holds('edit', body.edit === 0, 'field_contradicts');
      else holds('edit', body.edit);
      break;
    }
    case 'hello':
      holds('version_min', body.versionMin);
      holds('version_max', body.versionMax >= body.versionMin, 'field_out_of_range');
      holds('token', length(body.token) <= limits.TOKEN_BYTES_MAX, 'field_too_long');
      holds('publisher', body.publisher.length === 16, 'field_wrong_length');
      holds('client', [0, limits.CLIENT_BYTES].includes(body.client.length), 'field_wrong_length');
      holds('agent', length(body.agent) <= limits.AGENT_BYTES_MAX, 'field_too_long');
      holds('page_credit', body.pageCredit === 0 || body.pageCredit >= limits.PAGE_BYTES_MAX, 'field_out_of_range');
      break;
    case 'refresh':
      named('token', body.token, limits.TOKEN_BYTES_MAX);
      break;
    case 'goodbye': {
      const alternates = (body as { alternates?: string[] }).alternates ?? [];
      holds('code', body.code);
      holds('code', body.code <= 0xffff, 'field_out_of_range');
      holds('reason', length(body.reason) <= limits.TEXT_BYTES_MAX, 'field_too_long');
      holds('alternates', alternates.length <= ALTERNATES_MAX, 'field_too_many');
      for (const base of alternates) named('alternates', base, ALTERNATE_BYTES_MAX);
    }
  }
}
