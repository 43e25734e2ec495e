/** Editors by versions of the packages that are not the newest. */

import WebSocket from 'ws';
import * as Y from 'yjs';
import type { StarlingNode } from '../../../clients/typescript/test/support/node.ts';
import { type AnyEditor, names } from './editors.ts';

/** An editor whose connection can be cut, and that may have been told something. */
export interface OlderEditor extends AnyEditor {
  disconnect(): void;
  connect(): void;
  /** Edits that it does not know to be saved; `undefined` where its version does not tell. */
  hasUnsaved(): boolean | undefined;
  /** What it was denied, and what it could not understand. */
  readonly told: string[];
}

/** A version: its package, and how an editor is made by it. A token of `undefined` is none at all. */
export interface Older {
  readonly name: string;
  /** What it reports of messages that it does not understand; it goes on. */
  readonly misunderstands?: RegExp;
  open(node: StarlingNode, document: string, token?: string): Promise<OlderEditor>;
}

// What the packages have in common; each has types of its own, and the first has none that can be read.
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Any = any;

/** As a browser's: what a listener throws is reported, and the next message comes. */
function socketsThatReport(told: string[]): typeof WebSocket {
  return class extends WebSocket {
    // What is assigned to `onmessage` comes here, too.
    override addEventListener(kind: Any, listen: Any, options?: Any): void {
      const careful = (event: unknown) => {
        try {
          listen.call(this, event);
        } catch (error) {
          told.push(String(error));
        }
      };
      super.addEventListener(kind, careful as Any, options);
    }
  };
}

const at = (node: StarlingNode, path: string) => `${node.url.replace('http', 'ws')}/${path}`;

function yWebsocket(name: string): Older {
  return {
    name,
    async open(node, document, token) {
      const { WebsocketProvider }: Any = await import(name);
      const doc = new Y.Doc();
      const told: string[] = [];
      const provider: Any = new WebsocketProvider(at(node, 'yjs'), document, doc, {
        WebSocketPolyfill: WebSocket,
        disableBc: true,
        params: token === undefined ? {} : { token },
      });
      provider.on('connection-close', (event: { reason?: string } | null) => told.push(event?.reason ?? ''));
      return {
        ...asked(doc, provider),
        told,
        isSynced: () => provider.synced,
        isConnected: () => provider.wsconnected,
        hasUnsaved: () => undefined,
        is: (who) => provider.awareness.setLocalStateField('name', who),
        disconnect: () => provider.disconnect(),
        connect: () => provider.connect(),
      };
    },
  };
}

function hocuspocus(name: string, options: { misunderstands?: RegExp; tellsUnsaved?: boolean } = {}): Older {
  return {
    name,
    ...options,
    async open(node, document, token) {
      const { HocuspocusProvider, HocuspocusProviderWebsocket }: Any = await import(name);
      const doc = new Y.Doc();
      const told: string[] = [];
      const url = at(node, 'hocuspocus');
      const WebSocketPolyfill = options.misunderstands ? socketsThatReport(told) : WebSocket;
      const pace = { minDelay: 100, delay: 100, maxDelay: 500 };
      // Before 2.0 each provider has a connection of its own.
      const connection: Any = HocuspocusProviderWebsocket
        ? new HocuspocusProviderWebsocket({ url, WebSocketPolyfill, ...pace })
        : undefined;
      const provider: Any = new HocuspocusProvider({
        ...(connection ? { websocketProvider: connection } : { url, WebSocketPolyfill, ...pace }),
        name: document,
        document: doc,
        broadcast: false,
        ...(token !== undefined && { token }),
        onAuthenticationFailed: ({ reason }: { reason: string }) => told.push(reason),
      });
      // Since 3.0 it is told to.
      if (connection) provider.attach?.();
      const line = connection ?? provider;
      const both = asked(doc, provider);
      return {
        ...both,
        told,
        isSynced: () => provider.synced,
        isConnected: () => line.status === 'connected',
        hasUnsaved: () => (options.tellsUnsaved === false ? undefined : provider.hasUnsyncedChanges),
        is: (who) => provider.setAwarenessField('name', who),
        disconnect: () => line.disconnect(),
        connect: () => void line.connect(),
        destroy: () => {
          both.destroy();
          connection?.destroy();
        },
      };
    },
  };
}

const asked = (doc: Y.Doc, provider: Any) => ({
  doc,
  text: () => doc.getText('t').toString(),
  names: () => names(provider.awareness),
  destroy: () => {
    provider.destroy();
    doc.destroy();
  },
});

/** Those that people still have, besides the newest, which `editors.ts` has. */
export const OLDER: readonly Older[] = [
  yWebsocket('y-websocket-1'),
  yWebsocket('y-websocket-2'),
  hocuspocus('hocuspocus-provider-1'),
  // Until 2.2.0 it knows no answer to an edit, and says so of each: with the server of Hocuspocus, too.
  hocuspocus('hocuspocus-provider-2.0', { misunderstands: /unknown type: 8/, tellsUnsaved: false }),
  hocuspocus('hocuspocus-provider-2'),
  hocuspocus('hocuspocus-provider-3'),
  hocuspocus('hocuspocus-provider-4.0'),
];
