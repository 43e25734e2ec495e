/**
 * Bytes to frames and back.
 *
 *     stream bytes ── Cutter ──▶ body ── decode ──▶ frame, checked by check.ts
 *     WebSocket message ───────▶ body
 *     frame ── encode ──▶ body ── delimited ──▶ length and body, for a stream
 *
 * A body is one serialized ClientFrame or ServerFrame. What can be judged without knowing the session is judged here.
 */

import { FrameFault } from './fault.ts';
import type { ForeignFrame, FrameOf } from './frames.ts';
import { read, type Schema, write } from './message.ts';
import { malformed, Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** Numbers up to this one are bodies; higher ones may travel beside a body one day. */
const BODY_NUMBER_MAX = 31;

/** One frame as a body. */
export function encode<Bodies>(schema: Schema, frame: FrameOf<Bodies>): Uint8Array<ArrayBuffer> {
  return write(schema, { [frame.kind]: frame.body });
}

/**
 * The frame that a body is, with all that must be set, and otherwise unchecked; `exact` as in {@link read}. There must be
 * one body: protobuf lets a second replace or merge with the first, and implementations differ. One that the schema does
 * not have is foreign.
 */
export function decode<Bodies>(
  schema: Schema,
  bytes: Uint8Array<ArrayBuffer>,
  exact = false,
): FrameOf<Bodies> | ForeignFrame {
  if (bytes.length === 0) throw new FrameFault('empty_frame');
  const reader = new Reader(bytes);
  let found = 0;
  let content: Uint8Array | undefined;
  while (!reader.done) {
    const [number, wire] = reader.tag();
    if (number <= BODY_NUMBER_MAX) {
      if (found) throw new FrameFault('second_body');
      found = number;
    }
    if (number <= BODY_NUMBER_MAX && wire === 2) content = reader.bytes();
    else reader.skip(number, wire);
  }
  if (!found) throw new FrameFault('no_body');
  const [kind = '', of] = (schema.fields.get(found) ?? []) as [string?, Schema?];
  if (!content) throw malformed();
  if (!of) return { kind: 'foreign', body: bytes };
  return { kind, body: read(of, content, exact, kind) } as FrameOf<Bodies>;
}

/** A body behind its length, as a stream carries it. */
export function delimited(body: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Writer().bytes(body).finish();
}

/** Cuts a stream into bodies. After a fault the stream is of no use: where the next frame starts is unknown. */
export class Cutter {
  readonly #bodyBytesMax: number;
  /** The start of a frame whose rest has not come: if the stream ends there, it is truncated. */
  rest = new Uint8Array();

  constructor(bodyBytesMax: number) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** The bodies that are complete with this piece; each has memory of its own. */
  *cut(piece: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
    // Pieces are as large as packets or reads are: a frame of the largest kind is moved some dozen times at most.
    const bytes = new Uint8Array(this.rest.length + piece.length);
    bytes.set(this.rest);
    bytes.set(piece, this.rest.length);
    let at = 0;
    for (;;) {
      const [length, prefixBytes] = prefix(bytes, at);
      if (prefixBytes === 0) break;
      if (length === 0) throw new FrameFault('empty_frame');
      if (length > this.#bodyBytesMax) throw new FrameFault('too_large');
      const end = at + prefixBytes + length;
      if (end > bytes.length) break;
      yield bytes.slice(at + prefixBytes, end);
      at = end;
    }
    this.rest = bytes.subarray(at);
  }
}

/** The number at a place and the bytes it takes; 0 bytes if more are needed to tell. Only the shortest form is taken. */
function prefix(bytes: Uint8Array, from: number): [length: number, prefixBytes: number] {
  let value = 0;
  for (let at = 0; at < 10; at++) {
    const byte = bytes[from + at];
    if (byte === undefined) return [0, 0];
    if ((at === 9 && byte > 1) || (at > 0 && byte === 0)) break;
    value += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return [value, at + 1];
  }
  throw new FrameFault('bad_prefix');
}
