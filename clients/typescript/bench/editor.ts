/** A client that has a document open, as the benchmark sees it: what a provider has to tell to be measured. */

import WebSocket from 'ws';
import { WebsocketProvider } from 'y-websocket';
import type * as Y from 'yjs';
import { Client } from '../src/index.ts';
import { DocProvider } from '../src/yjs.ts';

/** A document at a node. */
export interface Editor {
  /** Opens it. */
  connect(doc: Y.Doc): void;
  /** Whether the document has all that the node had. */
  readonly synced: boolean;
  /** Edits of this client that the node has not told to be kept. */
  readonly unsaved: number;
  /** Messages and bytes of its connection so far, framing included, and bytes that the system has not taken yet. */
  readonly traffic: Traffic;
  /** Ends the connection. The document stays. */
  close(): void;
}

/** What went over a connection. */
export interface Traffic {
  readonly messages: number;
  readonly sent: number;
  readonly received: number;
  readonly queued: number;
}

/** A client by its name, of the document of this name at the node at this URL. */
export const CLIENTS: Record<string, (url: string, name: string) => Editor> = {
  sdk: (url, name) => new Sdk(url, name),
  'y-websocket': (url, name) => new YWebsocket(url, name),
};

/** Makes a WebSocket class that counts, and tells of the one that was opened last. */
function counted(opened: (socket: Counted) => void): typeof globalThis.WebSocket {
  const polyfill = class extends Counted {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols);
      opened(this);
    }
  };
  return polyfill as unknown as typeof globalThis.WebSocket;
}

/** By the client of ours, which puts the edits of 16 ms into one frame. */
class Sdk implements Editor {
  #client: Client;
  #provider: DocProvider | undefined;
  #socket: Counted | undefined;

  constructor(
    url: string,
    private readonly name: string,
  ) {
    const WebSocket = counted((socket) => {
      this.#socket = socket;
    });
    this.#client = new Client({ url, transports: ['websocket'], WebSocket });
  }

  connect(doc: Y.Doc): void {
    this.#provider = new DocProvider(this.#client, this.name, doc);
  }

  get synced(): boolean {
    return this.#provider?.synced ?? false;
  }

  get unsaved(): number {
    return this.#provider?.unsaved ?? 0;
  }

  get traffic(): Traffic {
    return this.#socket?.traffic ?? NONE;
  }

  close(): void {
    this.#provider?.destroy();
    void this.#client.close();
  }
}

/** Of a client that has no connection yet. */
const NONE: Traffic = { messages: 0, sent: 0, received: 0, queued: 0 };

/** What y-websocket says in front of an edit, and the node in front of one that it gives back. */
const isEdit = (message: Uint8Array): boolean => message[0] === 0 && message[1] === 2;

/** The document of this name at a node, by y-websocket: an edit is kept when it is given back. */
class YWebsocket implements Editor {
  #provider: WebsocketProvider | undefined;
  #socket: Counted | undefined;

  constructor(
    private readonly url: string,
    private readonly name: string,
  ) {}

  connect(doc: Y.Doc): void {
    const polyfill = counted((socket) => {
      this.#socket = socket;
    });
    const server = `${this.url.replace('http', 'ws')}/yjs`;
    this.#provider = new WebsocketProvider(server, this.name, doc, { WebSocketPolyfill: polyfill, disableBc: true });
  }

  get synced(): boolean {
    return this.#provider?.synced ?? false;
  }

  get unsaved(): number {
    return this.#socket?.unsaved ?? 0;
  }

  get traffic(): Traffic {
    return this.#socket?.traffic ?? NONE;
  }

  close(): void {
    this.#provider?.destroy();
    // It looks every few seconds for who is gone, for as long as the process runs.
    this.#provider?.awareness.destroy();
  }
}

/** A WebSocket that counts. */
class Counted extends WebSocket {
  unsaved = 0;
  #messages = 0;
  #connection: { bytesWritten: number; bytesRead: number } | undefined;

  constructor(url: string, protocols?: string[]) {
    super(url, protocols);
    this.on('upgrade', (answer) => {
      this.#connection = answer.socket;
    });
    this.on('message', (message: ArrayBuffer) => {
      // Only one client writes, so what it is given is its own.
      if (this.unsaved > 0 && isEdit(new Uint8Array(message))) this.unsaved--;
    });
  }

  get traffic(): Traffic {
    const { bytesWritten: sent = 0, bytesRead: received = 0 } = this.#connection ?? {};
    return { messages: this.#messages, sent, received, queued: this.bufferedAmount };
  }

  override send(message: Uint8Array): void {
    this.#messages++;
    if (isEdit(message)) this.unsaved++;
    super.send(message);
  }
}
