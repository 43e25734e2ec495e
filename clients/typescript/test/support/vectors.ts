/** The golden vectors of the protocol. */

import { readFileSync } from 'node:fs';

/** A text that may be shortened: pieces, and runs of one. */
export type Notation = string | (string | { repeat: string; times: number })[];

/** One of the files in `protocol/vectors`. */
export function vectors<T>(name: string): T {
  // Tests run with the package as their working directory.
  return JSON.parse(readFileSync(`../../protocol/vectors/${name}.json`, 'utf8')) as T;
}

/** The whole text. */
export function expand(notation: Notation): string {
  if (typeof notation === 'string') return notation;
  return notation.map((piece) => (typeof piece === 'string' ? piece : piece.repeat.repeat(piece.times))).join('');
}

/** The bytes that hexadecimal digits stand for. */
export const unhex = (notation: Notation): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(expand(notation), 'hex'));

/** The hexadecimal digits of some bytes. */
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A file of the schema. */
export const proto = (name: string): string => readFileSync(`../../protocol/proto/starling/v1/${name}.proto`, 'utf8');
