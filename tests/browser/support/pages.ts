/** The pages of these tests: nothing but the client, as applications get it: the built package. */

import { createReadStream } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join, normalize } from 'node:path';
import { build } from 'esbuild';
import type { Client, DeniedError } from '../../../clients/typescript/src/index.ts';
import type { Here } from './here.ts';
import type { Seen } from './list.tsx';
import type { Writing } from './writing.ts';

/** What a page of these tests has. */
export interface Bench {
  Client: typeof Client;
  DeniedError: typeof DeniedError;
  client: Client;
  /** What arrived on each channel, with its seq. */
  got: Record<string, [data: unknown, seq: number][]>;
  /** What became of the places on each channel, and why. */
  told: Record<string, string[]>;
  /** Publishes numbers on a channel, one after another, until it is stopped; what was acknowledged, in order. */
  pump: {
    stop: boolean;
    running: number;
    acknowledged: Record<string, [data: number, seq: number][]>;
    failed: string[];
  };
  /** What each question for a token was, in order. */
  asked: string[];
  /** What the page knows of a channel's presence. */
  here: Here;
  /** The document that the page has open. */
  writing: Writing;
  /** What the page of React tells. */
  seen: Seen;
  /** Ends the hiding of the tab. */
  show: () => void;
}

declare global {
  interface Window {
    bench: Bench;
  }
}

/** What the application brings, by the name that the package imports it under: there is one copy of each. */
const MODULES = { yjs: '/yjs.js', 'y-protocols/awareness': '/awareness.js' };

const PAGE = `<!doctype html><meta charset="utf-8"><title>starling</title><div id="root"></div>
<script type="importmap">${JSON.stringify({ imports: MODULES })}</script>
<script type="module">
  import { Client, DeniedError } from '/dist/index.js';
  const pump = { stop: false, running: 0, acknowledged: {}, failed: [] };
  window.bench = { Client, DeniedError, got: {}, told: {}, pump, asked: [] };
</script>`;

/** Serves them, on a port of this machine. */
export class Pages {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Pages> {
    // The working directory is the package's.
    const react = await bundle('../../tests/browser/support/list.tsx', 'development');
    const fast = await bundle('../../tests/browser/support/list.tsx', 'production');
    const modules = new Map<string, string>();
    for (const [name, path] of Object.entries(MODULES)) modules.set(path, await module(name));
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://x').pathname;
      const file = (body: string, type: string, headers = {}) => {
        response.writeHead(200, { 'content-type': type, ...headers });
        response.end(body);
      };
      if (path === '/') return file(PAGE, 'text/html');
      // A page whose policy allows no worker.
      if (path === '/strict') return file(PAGE, 'text/html', { 'content-security-policy': "worker-src 'none'" });
      if (path === '/development.js') return file(react, 'text/javascript');
      if (path === '/production.js') return file(fast, 'text/javascript');
      const own = modules.get(path);
      if (own) return file(own, 'text/javascript');
      if (path === '/favicon.ico') return file('', 'image/x-icon');
      if (!path.startsWith('/dist/')) {
        response.writeHead(404);
        return response.end();
      }
      response.writeHead(200, { 'content-type': 'text/javascript' });
      createReadStream(join('dist', normalize(path.slice('/dist'.length)))).pipe(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Pages(server);
  }

  /** Where they are. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** React twice: its development build mounts everything twice, its production build is what users have. */
async function bundle(file: string, mode: 'development' | 'production'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: 'esm',
    jsx: 'automatic',
    // The page's own copy of the client, so that hooks and tests share it.
    external: ['/dist/*'],
    nodePaths: ['node_modules'],
    define: { 'process.env.NODE_ENV': JSON.stringify(mode) },
  });
  return outputFiles[0]?.text ?? '';
}

/** A module of the application's own. */
async function module(name: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: `export * from '${name}'`, resolveDir: process.cwd() },
    bundle: true,
    write: false,
    format: 'esm',
    external: Object.keys(MODULES).filter((other) => other !== name),
  });
  return outputFiles[0]?.text ?? '';
}
