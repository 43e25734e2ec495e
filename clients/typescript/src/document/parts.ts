/** Pieces of documents in the parts that they travel in. */

import type { WirePart } from '../wire/document.ts';
import { FrameFault } from '../wire/fault.ts';

/**
 * Bytes of a piece that a server may send: a whole document at most. What is larger would take the page with it when it is
 * applied, which needs several times as much.
 */
export const TOLD_BYTES_MAX = 256 * 1024 * 1024;

/** Cuts a piece into parts of so many bytes at most; an empty piece is one part. */
export function* cut(bytes: Uint8Array, bytesMax: number): Generator<Pick<WirePart, 'data' | 'more'>> {
  let at = 0;
  do {
    const end = Math.min(at + bytesMax, bytes.length);
    yield { data: bytes.subarray(at, end), more: end < bytes.length };
    at = end;
  } while (at < bytes.length);
}

/** Puts the parts of one document's pieces together. */
export class Assembly {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #piece = 0;

  /** The piece, if this was its last part. */
  add({ piece, data, more }: WirePart): Uint8Array | undefined {
    if (this.#parts.length > 0 && piece !== this.#piece)
      throw new FrameFault('field_contradicts', 'documentPart.piece');
    this.#bytes += data.length;
    if (this.#bytes > TOLD_BYTES_MAX) throw new FrameFault('too_large', 'documentPart.data');
    this.#piece = piece;
    this.#parts.push(data);
    if (more) return undefined;
    const [first = data] = this.#parts;
    const whole = this.#parts.length === 1 ? first : new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of whole === first ? [] : this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    this.clear();
    return whole;
  }

  /** What has come so far is never ended. */
  clear(): void {
    this.#parts = [];
    this.#bytes = 0;
  }
}
