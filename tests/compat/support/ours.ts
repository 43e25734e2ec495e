/** An editor by the TypeScript client. */

import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { Client } from '../../../clients/typescript/src/index.ts';
import { DocProvider } from '../../../clients/typescript/src/yjs.ts';
import type { StarlingNode } from '../../../clients/typescript/test/support/node.ts';
import { type AnyEditor, names } from './editors.ts';

/** What is more to be asked of it. */
export interface Ours extends AnyEditor {
  readonly provider: DocProvider;
}

export function ours(node: StarlingNode, name: string, token?: () => string): Ours {
  const doc = new Y.Doc();
  const client = new Client({
    url: node.url,
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    ...(token && { getToken: token }),
  });
  const provider = new DocProvider(client, name, doc);
  return {
    doc,
    provider,
    text: () => doc.getText('t').toString(),
    isSynced: () => provider.synced,
    isConnected: () => provider.state === 'open',
    names: () => names(provider.awareness),
    is: (who) => provider.awareness.setLocalStateField('name', who),
    destroy: () => {
      provider.destroy();
      void client.close();
    },
  };
}
