/** What an application gives and gets, to payloads and back: of messages, and of states in presence. */

import type { Payload } from './bridge.ts';
import { invalid } from './errors.ts';

/** How a channel's payloads are read and written. */
export type Encoding = 'json' | 'text' | 'bytes';

/** The payload of some data. */
export function toPayload(data: unknown, encoding: Encoding = 'json'): Payload {
  if (encoding === 'json') {
    const json = data instanceof Uint8Array ? undefined : JSON.stringify(data);
    if (json === undefined) throw invalid('the data has no JSON; publish another value, or set the encoding "bytes"');
    return json;
  }
  const fits = encoding === 'text' ? typeof data === 'string' : data instanceof Uint8Array;
  if (!fits) {
    const takes = encoding === 'text' ? 'strings' : 'Uint8Arrays';
    throw invalid(`a channel with the encoding "${encoding}" takes ${takes}`);
  }
  return data as Payload;
}

/** The data of a payload, and what it was read as: text that is no JSON is the text itself. */
export function fromPayload(payload: Payload, encoding: Encoding = 'json'): { data: unknown; format: Encoding } {
  if (typeof payload !== 'string') return { data: payload, format: 'bytes' };
  if (encoding === 'json') {
    try {
      return { data: JSON.parse(payload), format: 'json' };
    } catch {
      // The text itself.
    }
  }
  return { data: payload, format: 'text' };
}
