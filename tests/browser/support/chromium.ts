/** Chromium, driven by Playwright over its debugging protocol. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BrowserContext,
  type CDPSession,
  chromium,
  type Page,
  type Browser as PlaywrightBrowser,
} from 'playwright-core';
import { until } from '../../../clients/typescript/test/support/eventually.ts';
import type { Browser, Launch, Tab, Tasks } from './browser.ts';
import { Pages } from './pages.ts';
import { announced } from './process.ts';

/** Where Debian has it; `CHROMIUM` names another. */
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** The browser, and a server for its pages. */
export class Chromium implements Browser {
  readonly name = 'chrome';
  readonly transports = ['webtransport', 'websocket'] as const;
  readonly #browser: PlaywrightBrowser;
  readonly #pages: Pages;

  /** The process, where it has windows. */
  readonly #windowed: Windowed | undefined;

  private constructor(browser: PlaywrightBrowser, pages: Pages, windowed?: Windowed) {
    this.#browser = browser;
    this.#pages = pages;
    this.#windowed = windowed;
  }

  static async start({ display }: Launch = {}): Promise<Chromium> {
    const pages = await Pages.start();
    if (!display) {
      return new Chromium(await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] }), pages);
    }
    // What Playwright launches itself calls every tab visible.
    const windowed = await Windowed.start(display);
    return new Chromium(await chromium.connectOverCDP(windowed.url, { noDefaults: true }), pages, windowed);
  }

  async page(path = '/'): Promise<Tab> {
    const tab = await this.visit(this.#pages.url + path);
    await until('the page has the client', () => tab.evaluate(() => 'bench' in window));
    return tab;
  }

  async visit(url: string): Promise<Tab> {
    const context = this.#windowed ? this.#browser.contexts()[0] : await this.#browser.newContext();
    const page = await (context as BrowserContext).newPage();
    const tab = new ChromiumTab(page);
    await page.goto(url);
    return tab;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await this.#windowed?.stop();
    await this.#pages.stop();
  }
}

/** A Chromium with windows, started as a person does. */
class Windowed {
  /** Where it takes the debugging protocol. */
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #profile: string;

  private constructor(url: string, child: ChildProcess, profile: string) {
    this.url = url;
    this.#process = child;
    this.#profile = profile;
  }

  static async start(display: string): Promise<Windowed> {
    const profile = mkdtempSync(join(tmpdir(), 'starling-chromium-'));
    const flags = ['--no-sandbox', '--no-first-run', '--remote-debugging-port=0', `--user-data-dir=${profile}`];
    const child = spawn(CHROMIUM, [...flags, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, DISPLAY: display },
    });
    process.once('exit', () => child.kill('SIGKILL'));
    return new Windowed(await announced(child, /DevTools listening on (ws:\S+)/), child, profile);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill();
    await ended;
    rmSync(this.#profile, { recursive: true, force: true });
  }
}

/** A tab of it. */
class ChromiumTab implements Tab {
  readonly complaints: string[] = [];
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
    page.on('pageerror', (error) => {
      console.error('in the page:', error);
      this.complaints.push(String(error));
    });
    page.on('console', (line) => {
      if (process.env.VERBOSE) console.error('in the page:', line.text());
      if (line.type() === 'error') this.complaints.push(line.text());
    });
  }

  evaluate<Result>(act: (argument: never) => Result | Promise<Result>, argument?: unknown): Promise<Result> {
    return this.#page.evaluate(act as (argument: unknown) => Result | Promise<Result>, argument);
  }

  async workers(): Promise<number> {
    return this.#page.workers().length;
  }

  async watch(): Promise<() => Promise<Tasks>> {
    const session = await (this.#page.context().browser() as PlaywrightBrowser).newBrowserCDPSession();
    const events: TraceEvent[] = [];
    session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
    await session.send('Tracing.start', {
      traceConfig: { includedCategories: ['toplevel'], excludedCategories: ['*'] },
      transferMode: 'ReportEvents',
    });
    return async () => {
      await ended(session);
      const own = longest(events);
      return { longest: own, own };
    };
  }

  async cover(): Promise<() => Promise<void>> {
    const other = await this.#page.context().newPage();
    return async () => {
      await this.#page.bringToFront();
      await other.close();
    };
  }

  async reload(): Promise<void> {
    await this.#page.reload();
    await until('the page has the client', () => this.evaluate(() => 'bench' in window));
  }

  async close(): Promise<void> {
    await this.#page.close();
  }
}

async function ended(session: CDPSession): Promise<void> {
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  await session.detach();
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
