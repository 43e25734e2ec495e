/** Editors as their own packages make them, and a token for each. */

import { createHmac } from 'node:crypto';
import { HocuspocusProvider, HocuspocusProviderWebsocket, WebSocketStatus } from '@hocuspocus/provider';
import WebSocket from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { SECRET, type StarlingNode } from '../../../clients/typescript/test/support/node.ts';

/** What an editor of any kind can be asked. */
export interface AnyEditor {
  readonly doc: Y.Doc;
  text(): string;
  isSynced(): boolean;
  isConnected(): boolean;
  /** Names in the awareness states it knows, sorted. */
  names(): string[];
  /** Says who it is. */
  is(name: string): void;
  destroy(): void;
}

/** An editor by a package that knows nothing of Starling. */
export interface Editor extends AnyEditor {
  readonly provider: WebsocketProvider | HocuspocusProvider;
  disconnect(): void;
  connect(): void;
}

const text = (doc: Y.Doc) => doc.getText('t').toString();

const socket = (node: StarlingNode) => node.url.replace('http', 'ws');

type Awareness = NonNullable<HocuspocusProvider['awareness']>;

/** Names in the states of an awareness, sorted. */
export const names = (awareness: Awareness): string[] =>
  [...awareness.getStates().values()]
    .map((state) => String(state.name ?? ''))
    .filter((name) => name !== '')
    .sort();

/** An editor by y-websocket. */
export function yjs(node: StarlingNode, room: string, params: Record<string, string> = {}): Editor {
  const doc = new Y.Doc();
  const polyfill = { WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket };
  const provider = new WebsocketProvider(`${socket(node)}/yjs`, room, doc, { ...polyfill, disableBc: true, params });
  return {
    doc,
    provider,
    text: () => text(doc),
    isSynced: () => provider.synced,
    isConnected: () => provider.wsconnected,
    names: () => names(provider.awareness as Awareness),
    is: (name) => provider.awareness.setLocalStateField('name', name),
    disconnect: () => provider.disconnect(),
    connect: () => provider.connect(),
    destroy: () => {
      provider.destroy();
      doc.destroy();
    },
  };
}

/** An editor by Hocuspocus; over a connection of its own, or that of another. */
export function hocuspocus(
  node: StarlingNode,
  name: string,
  options: {
    token?: string;
    sessionAwareness?: boolean;
    onAuthenticationFailed?: (why: { reason: string }) => void;
  } = {},
  beside?: Editor & { provider: HocuspocusProvider },
): Editor & { provider: HocuspocusProvider } {
  const doc = new Y.Doc();
  const url = `${socket(node)}/hocuspocus`;
  const connection =
    beside?.provider.configuration.websocketProvider ??
    new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket, minDelay: 100, delay: 100, maxDelay: 500 });
  const provider = new HocuspocusProvider({
    websocketProvider: connection,
    name,
    document: doc,
    token: '',
    ...options,
  });
  provider.attach();
  return {
    doc,
    provider,
    text: () => text(doc),
    isSynced: () => provider.isSynced,
    isConnected: () => connection.status === WebSocketStatus.Connected,
    names: () => names(provider.awareness as Awareness),
    is: (who) => provider.setAwarenessField('name', who),
    disconnect: () => connection.disconnect(),
    connect: () => void connection.connect(),
    destroy: () => {
      provider.destroy();
      connection.destroy();
      doc.destroy();
    },
  };
}

/** A token that allows so much with documents of the namespace `doc`. */
export function tokenFor(operations: string[], exp?: number): string {
  const capabilities = [{ channels: 'doc:*', operations }];
  const claims = { sub: 'ada', exp: exp ?? Math.floor(Date.now() / 1000) + 3_600, starling: { capabilities } };
  const parts = [{ alg: 'HS256', typ: 'JWT' }, claims];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}
