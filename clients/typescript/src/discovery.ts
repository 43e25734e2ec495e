/**
 * What a node tells of itself at `/.well-known/starling`: where its transports are, who its neighbours are, and which
 * browsers had better use WebSocket.
 *
 * A certificate hash is as good as the connection it came over. It is trusted over https, and from this machine itself;
 * from anywhere else the certificate must stand the test of the certificate authorities.
 */

import type { Browser } from './browser.ts';
import type { Address } from './transport.ts';

/** What a client uses of what a node told. */
export interface Node {
  websocket: Address;
  webtransport: Address | undefined;
  /** HTTP bases of the nodes of the cluster. */
  neighbours: string[];
}

interface Rule {
  name: string;
  /** Versions below this one; all of them if absent. */
  below?: number;
  transport: string;
}

interface Versions {
  min: number;
  max: number;
}

interface Document {
  protocol: Versions;
  websocket: { url: string };
  webtransport?: { url: string; certificate: string; hashes?: { algorithm: string; value: string }[] };
  /** A node of an older version does not tell what others speak: they are asked themselves. */
  nodes?: { url: string; protocol?: Versions }[];
  browsers?: Rule[];
}

/** Asks the node at an HTTP base. */
export async function discover(base: string, browser: Browser, signal: AbortSignal): Promise<Node> {
  const url = new URL('/.well-known/starling', base);
  let document: Document;
  try {
    const answer = await fetch(url, { signal, cache: 'no-store', credentials: 'omit', redirect: 'error' });
    document = (await answer.json()) as Document;
  } catch {
    throw new Error(`no node answers at ${url}; check that it runs, and its client.origins`);
  }
  return read(document, url, browser);
}

/** What to use of a node's description. */
export function read(document: Document, from: URL, browser: Browser): Node {
  const { protocol, websocket, webtransport, nodes = [], browsers = [] } = document;
  if (!speaksOurs(protocol)) {
    throw new Error(`${from} speaks protocol ${protocol?.min} to ${protocol?.max}, not 1`);
  }
  const isVerified = from.protocol === 'https:';
  // What was reached over https is not left for a connection that anybody may read.
  if (!(isVerified ? /^wss:/ : /^wss?:/).test(websocket?.url)) {
    throw new Error(`${from} has no ${isVerified ? 'wss' : 'ws or wss'} URL; correct its client.public_url`);
  }
  const isOffered = /^https:/.test(webtransport?.url ?? '') && !isKeptFromWebTransport(browsers, browser);
  return {
    websocket: { url: websocket.url },
    webtransport: webtransport && isOffered ? pinned(webtransport, isVerified || isLoopback(from.hostname)) : undefined,
    neighbours: nodes.filter(({ protocol }) => !protocol || speaksOurs(protocol)).map(({ url }) => url),
  };
}

const speaksOurs = (versions: Versions): boolean => versions?.min <= 1 && versions.max >= 1;

function pinned({ url, certificate, hashes = [] }: NonNullable<Document['webtransport']>, trusted: boolean): Address {
  const usable = hashes.filter(({ algorithm, value }) => algorithm === 'sha-256' && /^[0-9a-f]{64}$/i.test(value));
  // Hashes for a certificate of an authority make Chromium wait for nothing.
  if (certificate !== 'hash' || !trusted || usable.length === 0) return { url };
  return { url, hashes: usable.map(({ value }) => unhex(value)) };
}

const unhex = (digits: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(digits.match(/../g) ?? [], (byte) => Number(`0x${byte}`));

const isLoopback = (host: string): boolean => /^((.*\.)?localhost|127(\.\d+){3}|\[::1\])$/.test(host);

/** Whether the node's rules send this browser to WebSocket. */
const isKeptFromWebTransport = (rules: readonly Rule[], { name, version }: Browser): boolean =>
  rules.some((rule) => rule.transport === 'websocket' && rule.name === name && version < (rule.below ?? Infinity));
