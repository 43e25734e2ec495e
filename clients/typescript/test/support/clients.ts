/** The clients of a test file in Node: over the WebSocket of `ws`, and closed together. */

import { WebSocket } from 'ws';
import { Client, type ClientOptions } from '../../src/index.ts';

export class Clients {
  readonly #open: Client[] = [];

  /** One more, of the node at this URL unless the options say otherwise. */
  connect(url: string, options: ClientOptions = {}): Client {
    const client = new Client({ url, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket, ...options });
    this.#open.push(client);
    return client;
  }

  /** Closes those that came last, or all. */
  async close(newest = this.#open.length): Promise<void> {
    await Promise.all(this.#open.splice(-newest).map((client) => client.close()));
  }
}
