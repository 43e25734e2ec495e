/** An engine with the means of the environment it runs in: what a worker and a page without one have in common. */

import type { Notice } from './bridge.ts';
import { clock } from './clock.ts';
import { discover } from './discovery.ts';
import { Engine } from './engine.ts';
import { type WebSocketClass, websocket } from './transport/websocket.ts';
import { hasWebTransport, webtransport } from './transport/webtransport.ts';

/** Builds the engine. */
export function host(
  tell: (notice: Notice) => void,
  WebSocketClass: WebSocketClass | undefined = globalThis.WebSocket,
): Engine {
  const { userAgent = '' } = globalThis.navigator ?? {};
  const means = {
    connect: {
      ...(WebSocketClass && { websocket: websocket(WebSocketClass) }),
      ...(hasWebTransport() && { webtransport }),
    },
    discover: (base: string, signal: AbortSignal) => discover(base, userAgent, signal),
    clock,
  };
  return new Engine({ means, clock, random: Math.random, tell });
}
