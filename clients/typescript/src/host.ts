/** An engine with the means of the environment it runs in: what a worker and a page without one have in common. */

import type { Command, Notice } from './bridge.ts';
import { clock } from './clock.ts';
import { discover } from './discovery.ts';
import { Engine } from './engine.ts';
import { type WebSocketClass, websocket } from './transport/websocket.ts';
import { hasWebTransport, webtransport } from './transport/webtransport.ts';

/** Takes what a page asks for. The first command starts the engine. */
export function host(
  tell: (notice: Notice) => void,
  WebSocketClass: WebSocketClass | undefined = globalThis.WebSocket,
): (command: Command) => void {
  const connect = {
    ...(WebSocketClass && { websocket: websocket(WebSocketClass) }),
    ...(hasWebTransport() && { webtransport }),
  };
  let engine: Engine | undefined;
  return (command) => {
    if (command.on !== 'start') return engine?.command(command);
    const { options } = command;
    const find = (base: string, signal: AbortSignal) => discover(base, options.browser, signal);
    engine = new Engine(options, { means: { connect, discover: find, clock }, tell });
  };
}
