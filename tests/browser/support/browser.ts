/** Headless Chromium, and pages with the client as applications get it: the built package. */

import { createReadStream } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join, normalize } from 'node:path';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Client } from '../../../clients/typescript/src/index.ts';
import { until } from '../../../clients/typescript/test/support/eventually.ts';
import type { Seen } from './list.tsx';

/** Where Debian has it; `CHROMIUM` names another. */
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** What a page of these tests has. */
export interface Bench {
  Client: typeof Client;
  client: Client;
  /** What arrived on the channel under test, and what it was told. */
  got: unknown[];
  told: string[];
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

const PAGE = `<!doctype html><meta charset="utf-8"><title>starling</title><div id="root"></div>
<script type="module">
  import { Client } from '/dist/index.js';
  window.bench = { Client, got: [], told: [] };
</script>`;

/** A browser, and a server for its pages. */
export class Chromium {
  readonly #browser: Browser;
  readonly #server: Server;
  readonly #url: string;

  private constructor(browser: Browser, server: Server) {
    this.#browser = browser;
    this.#server = server;
    this.#url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  }

  static async start(): Promise<Chromium> {
    // The working directory is the package's.
    const react = await bundle('../../tests/browser/support/list.tsx', 'development');
    const fast = await bundle('../../tests/browser/support/list.tsx', 'production');
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
      if (path === '/favicon.ico') return file('', 'image/x-icon');
      if (!path.startsWith('/dist/')) {
        response.writeHead(404);
        return response.end();
      }
      response.writeHead(200, { 'content-type': 'text/javascript' });
      createReadStream(join('dist', normalize(path.slice('/dist'.length)))).pipe(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    return new Chromium(browser, server);
  }

  /** A fresh page with nothing in it but the client. */
  async page(path = '/'): Promise<Page> {
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    page.on('pageerror', (error) => console.error('in the page:', error));
    if (process.env.VERBOSE) page.on('console', (line) => console.error('in the page:', line.text()));
    await page.goto(this.#url + path);
    await until('the page has the client', () => page.evaluate(() => 'bench' in window));
    return page;
  }

  /** A page that a node serves itself, and what it complained of. */
  async visit(url: string): Promise<{ page: Page; complaints: string[] }> {
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (line) => line.type() === 'error' && complaints.push(line.text()));
    await page.goto(url);
    return { page, complaints };
  }

  /** Watches the tasks of pages from now on. */
  async trace(): Promise<{ longest(): Promise<number> }> {
    const session = await this.#browser.newBrowserCDPSession();
    const events: TraceEvent[] = [];
    session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
    await session.send('Tracing.start', {
      traceConfig: { includedCategories: ['toplevel'], excludedCategories: ['*'] },
      transferMode: 'ReportEvents',
    });
    return {
      longest: async () => {
        const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
        await session.send('Tracing.end');
        await complete;
        await session.detach();
        return longest(events);
      },
    };
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

/**
 * The longest task of the page that was busiest, in milliseconds of processor time: how busy the machine is with others
 * is no fault of it, nor is what Chromium's spare processes do.
 */
function longest(events: readonly TraceEvent[]): number {
  const thread = ({ pid, tid }: TraceEvent) => `${pid}:${tid}`;
  const isMain = ({ name, args }: TraceEvent) => name === 'thread_name' && args?.name === 'CrRendererMain';
  const tasks = new Map<string, number[]>(events.filter(isMain).map((event) => [thread(event), []]));
  for (const event of events) {
    if (event.name.endsWith('RunTask')) tasks.get(thread(event))?.push(event.tdur ?? 0);
  }
  const [busiest = []] = [...tasks.values()].sort((one, other) => other.length - one.length);
  if (busiest.length < 100) throw new Error(`the trace shows ${busiest.length} tasks: nothing was watched`);
  return Math.max(...busiest) / 1_000;
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
