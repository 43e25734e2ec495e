/**
 * Reads protobuf. Numbers up to 2^53 - 1 are numbers; a larger one is a bigint, exact, so that nothing is mistaken for
 * something else: the session refuses to count with it.
 */

import { FrameFault } from './fault.ts';

/** A 64-bit number of the wire: a bigint only where a number could not hold it. */
export type U64 = number | bigint;

/** The bytes are not protobuf. */
export const malformed = (): FrameFault => new FrameFault('malformed');

// A byte order mark is part of the text here: what was sent is what arrives.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text, if the bytes are UTF-8. */
export function text(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** A place in some bytes. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Field number and wire type. */
  tag(): [field: number, wire: number] {
    const key = this.u64();
    const field = Number(key) / 8;
    if (key > 0xffffffff || field < 1) throw malformed();
    return [Math.floor(field), Number(key) & 7];
  }

  u64(): U64 {
    let value = 0;
    for (let at = 0; at < 10; at++) {
      const byte = this.#byte();
      // Nine bytes carry 63 bits: the tenth may add one.
      if (at === 9 && byte > 1) break;
      value += (byte & 0x7f) * 2 ** (7 * at);
      if (byte < 0x80) return value < 2 ** 53 ? value : this.#wide(at + 1);
    }
    throw malformed();
  }

  bytes(): Uint8Array {
    return this.#take(this.u64());
  }

  /** Passes over a field that is not known. */
  skip(field: number, wire: number): void {
    if (wire === 0) this.u64();
    else if (wire === 1) this.#take(8);
    else if (wire === 2) this.bytes();
    else if (wire === 3) this.#skipGroup(field);
    else if (wire === 5) this.#take(4);
    else throw malformed();
  }

  #skipGroup(group: number): void {
    // Iterative: a frame of nested groups must not take the stack.
    const open = [group];
    while (open.length > 0) {
      const [field, wire] = this.tag();
      if (wire === 3) open.push(field);
      else if (wire !== 4) this.skip(field, wire);
      else if (open.pop() !== field) throw malformed();
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw malformed();
    return byte;
  }

  #take(length: U64): Uint8Array {
    const end = this.#at + Number(length);
    if (end > this.#bytes.length) throw malformed();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** Reads the number that was just read again, exactly. */
  #wide(length: number): bigint {
    let value = 0n;
    for (let back = 1; back <= length; back++) {
      value = (value << 7n) | BigInt((this.#bytes[this.#at - back] ?? 0) & 0x7f);
    }
    return value;
  }
}
