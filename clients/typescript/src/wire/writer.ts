/** Writes protobuf. */

import type { U64 } from './reader.ts';

const utf8 = new TextEncoder();

/** The UTF-8 of a text. */
export const encodeText = (text: string): Uint8Array => utf8.encode(text);

/** Bytes that grow. */
export class Writer {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** A number as LEB128. */
  u64(value: U64): this {
    const room = this.#room(10);
    let rest = BigInt(value);
    for (; rest > 127; rest >>= 7n) room[this.#length++] = Number(rest & 127n) | 128;
    room[this.#length++] = Number(rest);
    return this;
  }

  /** Bytes behind their length. */
  bytes(bytes: Uint8Array): this {
    this.u64(bytes.length);
    this.#room(bytes.length).set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(more: number): Uint8Array {
    const needed = this.#length + more;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return this.#bytes;
  }
}
