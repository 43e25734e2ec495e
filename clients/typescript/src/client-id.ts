/**
 * By what a client is the same in presence: 16 random bytes. A page keeps them over its reloads, where it may, and each tab
 * has its own; a tab that is copied brings its copy along, which the server knows how to take. They are a secret: what
 * others see of them is a hash.
 */

import { CLIENT_BYTES } from './limits.ts';

/** Their place in the storage of the tab, in hexadecimal. */
const KEY = 'starling.client';

/** The one that was kept, or a new one, which is kept from now on. */
export function keptClientId(): Uint8Array<ArrayBuffer> {
  const kept = read();
  if (kept) return kept;
  const drawn = crypto.getRandomValues(new Uint8Array(CLIENT_BYTES));
  if (isPage()) {
    try {
      globalThis.sessionStorage.setItem(KEY, [...drawn].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
    } catch {
      // None, or full, or forbidden: it is the same over reconnects, and another after a reload.
    }
  }
  return drawn;
}

function read(): Uint8Array<ArrayBuffer> | undefined {
  if (!isPage()) return undefined;
  try {
    const text = globalThis.sessionStorage.getItem(KEY) ?? '';
    if (!/^[0-9a-f]{32}$/.test(text)) return undefined;
    return Uint8Array.from({ length: CLIENT_BYTES }, (_, at) => Number.parseInt(text.slice(at * 2, at * 2 + 2), 16));
  } catch {
    return undefined;
  }
}

/** Node may have such a storage too, and is no tab. */
const isPage = (): boolean => typeof document !== 'undefined';
