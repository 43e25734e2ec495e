/** Which browser this is, as a node's `client.websocket_browsers` calls it: by that it says who had better use WebSocket. */

/** A browser and its version; another one, and what is none, has no name. */
export interface Browser {
  name: string;
  version: number;
}

/**
 * Browsers by what they say, with their version: the first that fits. Every browser on iOS is WebKit underneath, and says
 * "Safari" without "Chrome"; not all of them say a version of it.
 */
const BROWSERS: [name: string, pattern: RegExp][] = [
  ['firefox', /Firefox\/(\d+)/],
  ['chrome', /Chrom(?:e|ium)\/(\d+)/],
  ['safari', /(?:Version\/(\d+).*)?Safari\//],
];

/** The browser that calls itself so. */
export function browserOf(userAgent = ''): Browser {
  const [name = '', pattern] = BROWSERS.find(([, pattern]) => pattern.test(userAgent)) ?? [];
  return { name, version: Number(pattern?.exec(userAgent)?.[1] ?? 0) };
}
