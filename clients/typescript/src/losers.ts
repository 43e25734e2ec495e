/**
 * Where WebTransport lost, kept for the pages after this one: where UDP is blocked, not each of them pays for the head
 * start. It is a hint with an end. Where there is no storage, or it may not be used, a client remembers for itself.
 */

import type { Losers } from './transport/dial.ts';

/** The place in the storage of the page's origin. It holds the end of each in milliseconds since 1970. */
const KEY = 'starling.losers';

/** What is left of what was remembered. */
export function recall(): Losers {
  const now = Date.now();
  return Object.fromEntries(
    Object.entries(read())
      .map(([origin, end]) => [origin, Number(end) - now] as const)
      .filter(([, leftMs]) => leftMs > 0),
  );
}

/** Remembers more; what has ended is forgotten with it. */
export function remember(losers: Losers): void {
  if (!isPage()) return;
  const now = Date.now();
  const ends = Object.entries({ ...recall(), ...losers }).map(([origin, leftMs]) => [origin, now + leftMs]);
  try {
    globalThis.localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(ends)));
  } catch {
    // None, or full, or forbidden.
  }
}

function read(): Record<string, unknown> {
  if (!isPage()) return {};
  try {
    return JSON.parse(globalThis.localStorage.getItem(KEY) ?? '{}') ?? {};
  } catch {
    return {};
  }
}

/** Node has a storage too, which warns when it is touched. */
const isPage = (): boolean => typeof document !== 'undefined';
