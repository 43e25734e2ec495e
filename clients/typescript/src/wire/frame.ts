/**
 * Bytes to frames and back.
 *
 *     stream bytes ── Cutter ──▶ body ── decode ──▶ frame, checked by check.ts
 *     WebSocket message ───────▶ body
 *     frame ── encode ──▶ body ── delimited ──▶ length and body, for a stream
 *
 * A body is one serialized ClientFrame or ServerFrame. What can be judged without knowing the session is judged here.
 */

import { type FaultName, FrameFault } from './fault.ts';
import type { FrameOf } from './frames.ts';
import { read, type Schema, write } from './message.ts';
import { Malformed, Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** Numbers up to this one are bodies; higher ones may travel beside a body one day. */
const BODY_NUMBER_MAX = 31;

/** One frame as a body. */
export function encode<Bodies>(schema: Schema, frame: FrameOf<Bodies>): Uint8Array<ArrayBuffer> {
  return write(schema, { [frame.kind]: frame.body });
}

/** The frame that a body is, unchecked; `exact` as in {@link read}. */
export function decode<Bodies>(schema: Schema, body: Uint8Array, exact = false): FrameOf<Bodies> {
  if (body.length === 0) throw new FrameFault('empty_frame');
  try {
    const kind = kindOf(schema, body);
    return { kind, body: read(schema, body, exact)[kind] } as FrameOf<Bodies>;
  } catch (error) {
    throw error instanceof Malformed ? new FrameFault('malformed') : error;
  }
}

/**
 * The one body in a frame. Looked up before reading, because protobuf lets a second body replace or merge with the
 * first, and implementations differ.
 */
function kindOf(schema: Schema, body: Uint8Array): string {
  const reader = new Reader(body);
  let found = 0;
  while (!reader.done) {
    const [number, wire] = reader.tag();
    reader.skip(number, wire);
    if (number > BODY_NUMBER_MAX) continue;
    if (found) throw new FrameFault('second_body');
    found = number;
  }
  if (!found) throw new FrameFault('no_body');
  const field = schema.fields.get(found);
  if (!field) throw new FrameFault('unknown_body');
  return field[0];
}

/** A body behind its length, as a stream carries it. */
export function delimited(body: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Writer().bytes(body).finish();
}

/** Cuts a stream into bodies. After a fault the stream is of no use: where the next frame starts is unknown. */
export class Cutter {
  readonly #bodyBytesMax: number;
  /** The start of a frame whose rest has not come. */
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  /** Bytes that are needed before anything more can be told. */
  #needed = 1;

  constructor(bodyBytesMax: number) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** The bodies that are complete with this piece; each has memory of its own. */
  *cut(piece: Uint8Array): Generator<Uint8Array> {
    this.#rest.push(piece);
    this.#restBytes += piece.length;
    // A large frame comes in many pieces: they are put together once, when it is complete.
    if (this.#restBytes < this.#needed) return;
    const bytes = this.#joined();
    let at = 0;
    this.#needed = 1;
    while (at < bytes.length) {
      const [length, prefixBytes] = prefix(bytes, at);
      if (prefixBytes === 0) break;
      if (length === 0) throw new FrameFault('empty_frame');
      if (length > this.#bodyBytesMax) throw new FrameFault('too_large');
      const end = at + prefixBytes + length;
      if (end > bytes.length) {
        this.#needed = end - at;
        break;
      }
      yield bytes.slice(at + prefixBytes, end);
      at = end;
    }
    this.#rest = [bytes.subarray(at)];
    this.#restBytes = bytes.length - at;
    this.#needed = Math.max(this.#needed, this.#restBytes + 1);
  }

  /** The stream ended. */
  finish(): void {
    if (this.#restBytes > 0) throw new FrameFault('truncated');
  }

  #joined(): Uint8Array {
    const [first] = this.#rest;
    if (this.#rest.length === 1 && first) return first;
    const joined = new Uint8Array(this.#restBytes);
    let at = 0;
    for (const piece of this.#rest) {
      joined.set(piece, at);
      at += piece.length;
    }
    return joined;
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
  throw new FrameFault('bad_prefix' satisfies FaultName);
}
