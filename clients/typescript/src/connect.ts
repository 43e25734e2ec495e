/** From a page to its engine: in a worker, or beside the page where there is none. */

import type { Command, Notice } from './bridge.ts';

/** A way to an engine. */
export interface Link {
  send(command: Command): void;
  /** Ends the worker. */
  end(): void;
}

/** How the engine is to be run. */
export interface LinkOptions {
  /** A worker, `true` for the package's own, `false` for none. */
  worker: boolean | (() => Worker);
  WebSocket: (new (url: string) => WebSocket) | undefined;
}

/**
 * Starts an engine. Where a worker cannot be started, because of a content security policy or of a bundler that did not
 * follow its URL, what was sent so far goes to an engine beside the page instead.
 */
export function link({ worker, WebSocket }: LinkOptions, hear: (notice: Notice) => void): Link {
  const local = (): Link => {
    // Loaded only where it is needed: a page with a worker does not carry the engine twice.
    const engine = import('./host.ts').then(async ({ host }) =>
      host((notice) => queueMicrotask(() => hear(notice)), WebSocket ?? globalThis.WebSocket ?? (await ws())),
    );
    return { send: (command) => void engine.then((take) => take(command)), end: () => {} };
  };
  if (!worker || WebSocket || typeof Worker === 'undefined') return local();

  let sent: Command[] | undefined = [];
  let current: Link;
  let running: Worker;
  const fallBack = () => {
    const backlog = sent;
    if (!backlog) return;
    sent = undefined;
    running?.terminate();
    current = local();
    for (const command of backlog) current.send(command);
  };
  try {
    running =
      worker === true
        ? new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'starling' })
        : worker();
    current = { send: (command) => running.postMessage(command), end: () => running.terminate() };
    running.onmessage = ({ data }: MessageEvent<Notice>) => {
      // From its first word on, it is the one.
      if (data.do === 'ready') sent = undefined;
      else hear(data);
    };
    running.onerror = (event) => {
      if (!sent) return;
      event.preventDefault();
      fallBack();
    };
  } catch {
    fallBack();
  }
  return {
    send: (command) => {
      sent?.push(command);
      current.send(command);
    },
    end: () => current.end(),
  };
}

/** Node has no WebSocket of its own before version 22: the package `ws` stands in for it. */
async function ws(name = 'ws'): Promise<LinkOptions['WebSocket']> {
  // Named by an argument, so that no bundler looks for what browsers do not need.
  try {
    return ((await import(/* @vite-ignore */ name)) as { WebSocket: LinkOptions['WebSocket'] }).WebSocket;
  } catch {
    return undefined;
  }
}
