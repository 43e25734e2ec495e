/** An engine with the means of the environment it runs in: what a worker and a page without one have in common. */

import type { Notice } from './bridge.ts';
import { clock } from './clock.ts';
import { discover } from './discovery.ts';
import { Engine } from './engine.ts';
import { type WebSocketClass, websocket } from './transport/websocket.ts';
import { hasWebTransport, webtransport } from './transport/webtransport.ts';

/** Builds the engine. Node has no WebSocket of its own before version 22: the package `ws` stands in for it. */
export async function host(tell: (notice: Notice) => void, WebSocketOption?: WebSocketClass): Promise<Engine> {
  const WebSocketClass = WebSocketOption ?? globalThis.WebSocket ?? (await ws());
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

async function ws(name = 'ws'): Promise<WebSocketClass | undefined> {
  // Named by an argument, so that no bundler looks for what browsers do not need.
  try {
    return ((await import(/* @vite-ignore */ name)) as { WebSocket: WebSocketClass }).WebSocket;
  } catch {
    return undefined;
  }
}
