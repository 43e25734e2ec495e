/** Frames over a WebSocket: one binary message is one body. */

import type { Connect } from '../transport.ts';

/** What the `WebSocket` option takes: the standard class, or one like it. */
export type WebSocketClass = new (url: string) => WebSocket;

/** Connects with this class. */
export const websocket =
  (WebSocketClass: WebSocketClass): Connect =>
  ({ url }, listener, signal) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocketClass(url);
      socket.binaryType = 'arraybuffer';
      let open = false;
      signal.addEventListener('abort', () => {
        reject(new Error('given up'));
        if (!open) socket.close();
      });
      socket.onopen = () => {
        open = true;
        resolve({
          transport: 'websocket',
          send: (body) => socket.send(body),
          close: (code) => {
            socket.onmessage = socket.onclose = null;
            socket.close(code);
          },
        });
      };
      socket.onmessage = ({ data }) => {
        if (data instanceof ArrayBuffer) listener.received(new Uint8Array(data));
        else listener.broken('a text message');
      };
      // An error says nothing that a page may know; what follows it is `close`.
      socket.onerror = () => {};
      socket.onclose = ({ code, reason }) => {
        if (open) listener.lost({ code, reason: reason || 'the connection was lost' });
        else reject(new Error(`no WebSocket at ${url}`));
      };
    });
