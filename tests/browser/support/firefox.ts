/**
 * Firefox, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which a stock Firefox speaks by itself.
 * Playwright's own protocol takes its own build, and its BiDi asks for commands that Firefox 153 does not have.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import type { Transport } from '../../../clients/typescript/src/index.ts';
import { until } from '../../../clients/typescript/test/support/eventually.ts';
import type { Browser, Launch, Tab, Tasks } from './browser.ts';
import { Pages } from './pages.ts';
import { announced } from './process.ts';

/** Where Debian has it; `FIREFOX` names another. */
const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** The first version that a node lets use WebTransport, by its own rule. */
const WEBTRANSPORT_SINCE = 153;

/** What a fresh profile would do on the network or ask of a person. */
const PREFERENCES = {
  'app.update.disabledForTesting': true,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'browser.aboutwelcome.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'dom.ipc.processPrelaunch.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.server': 'data:,',
};

declare global {
  interface Window {
    /** Ends the watching of tasks. */
    watched: () => number[];
  }
}

/** The browser, and a server for its pages. */
export class Firefox implements Browser {
  readonly name = 'firefox';
  readonly transports: readonly Transport[];
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #wire: Wire;
  readonly #pages: Pages;

  private constructor(process: ChildProcess, profile: string, wire: Wire, pages: Pages, version: number) {
    this.#process = process;
    this.#profile = profile;
    this.#wire = wire;
    this.#pages = pages;
    this.transports = version < WEBTRANSPORT_SINCE ? ['websocket'] : ['webtransport', 'websocket'];
  }

  static async start({ display }: Launch = {}): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), 'starling-firefox-'));
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});`);
    writeFileSync(join(profile, 'user.js'), lines.join('\n'));
    const mode = display ? [] : ['--headless'];
    const child = spawn(FIREFOX, [...mode, '--remote-debugging-port=0', '--profile', profile, '--no-remote'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...(display && { DISPLAY: display }) },
    });
    process.once('exit', () => child.kill('SIGKILL'));
    const wire = await Wire.open(await announced(child, /WebDriver BiDi listening on (ws:\S+)/));
    const { capabilities } = await wire.ask('session.new', { capabilities: {} });
    await wire.ask('session.subscribe', { events: ['log.entryAdded'] });
    return new Firefox(child, profile, wire, await Pages.start(), Number.parseInt(capabilities.browserVersion, 10));
  }

  async page(path = '/'): Promise<Tab> {
    const tab = await this.visit(this.#pages.url + path);
    await until('the page has the client', () => tab.evaluate(() => 'bench' in window));
    return tab;
  }

  async visit(url: string): Promise<Tab> {
    const { userContext } = await this.#wire.ask('browser.createUserContext', {});
    const { context } = await this.#wire.ask('browsingContext.create', { type: 'window', userContext });
    const tab = new FirefoxTab(this.#wire, context, userContext);
    await this.#wire.ask('browsingContext.navigate', { context, url, wait: 'complete' });
    return tab;
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    await this.#wire.ask('browser.close', {});
    await ended;
    rmSync(this.#profile, { recursive: true, force: true });
    await this.#pages.stop();
  }
}

/** A tab of it, in a container of its own. */
class FirefoxTab implements Tab {
  readonly complaints: string[] = [];
  readonly #wire: Wire;
  readonly #context: string;
  readonly #userContext: string;

  constructor(wire: Wire, context: string, userContext: string) {
    this.#wire = wire;
    this.#context = context;
    this.#userContext = userContext;
    wire.listen(context, (type, text) => {
      if (type === 'javascript' || process.env.VERBOSE) console.error('in the page:', text);
      this.complaints.push(text);
    });
  }

  async evaluate<Result>(act: (argument: never) => Result | Promise<Result>, argument?: unknown): Promise<Result> {
    const { type, result, exceptionDetails } = await this.#wire.ask('script.callFunction', {
      functionDeclaration: `async (argument) => JSON.stringify(await (${act})(JSON.parse(argument)))`,
      arguments: [{ type: 'string', value: JSON.stringify(argument ?? null) }],
      target: { context: this.#context },
      awaitPromise: true,
    });
    if (type === 'exception') throw new Error(`in the page: ${exceptionDetails.text}`);
    return result.value === undefined ? (undefined as Result) : JSON.parse(result.value);
  }

  async workers(): Promise<number> {
    const { realms } = await this.#wire.ask('script.getRealms', { type: 'dedicated-worker', context: this.#context });
    return realms.length;
  }

  /** There is no trace, so a timer tells: by what it comes late, the page or anything else of the machine was busy. */
  async watch(): Promise<() => Promise<Tasks>> {
    await this.evaluate(() => {
      const lateMs: number[] = [];
      let last = performance.now();
      // A hidden page's timers come once a second, whatever it does.
      const shown = () => {
        last = performance.now();
      };
      document.addEventListener('visibilitychange', shown);
      const timer = setInterval(() => {
        const now = performance.now();
        if (document.visibilityState === 'visible') lateMs.push(now - last - 10);
        last = now;
      }, 10);
      window.watched = () => {
        clearInterval(timer);
        document.removeEventListener('visibilitychange', shown);
        return lateMs;
      };
    });
    return async () => {
      const lateMs = await this.evaluate(() => window.watched());
      if (lateMs.length < 100) throw new Error(`the timer came ${lateMs.length} times: nothing was watched`);
      return { longest: Math.max(...lateMs), own: undefined };
    };
  }

  async cover(): Promise<() => Promise<void>> {
    const { context } = await this.#wire.ask('browsingContext.create', {
      type: 'tab',
      referenceContext: this.#context,
    });
    return async () => {
      await this.#wire.ask('browsingContext.activate', { context: this.#context });
      await this.#wire.ask('browsingContext.close', { context });
    };
  }

  async reload(): Promise<void> {
    await this.#wire.ask('browsingContext.reload', { context: this.#context, wait: 'complete' });
    await until('the page has the client', () => this.evaluate(() => 'bench' in window));
  }

  async close(): Promise<void> {
    await this.#wire.ask('browser.removeUserContext', { userContext: this.#userContext });
  }
}

/** The results this file reads. */
interface Result {
  capabilities: { browserVersion: string };
  userContext: string;
  context: string;
  type: 'success' | 'exception';
  result: { value?: string };
  exceptionDetails: { text: string };
  realms: unknown[];
}

/** What hears of errors in a page. */
type ErrorListener = (type: 'javascript' | 'console', text: string) => void;

/** Commands and their results, matched by number, and what pages complain of. */
class Wire {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve(result: Result): void; reject(error: Error): void }>();
  readonly #listeners = new Map<string, ErrorListener>();
  #asked = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (bytes) => {
      const { id, type, result, error, message, params } = JSON.parse(String(bytes));
      if (type === 'event') {
        if (params.level === 'error') this.#listeners.get(params.source.context)?.(params.type, params.text);
        return;
      }
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (type === 'error') waiting?.reject(new Error(`${error}: ${message}`));
      else waiting?.resolve(result);
    });
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Firefox closed the connection'));
    });
  }

  static async open(address: string): Promise<Wire> {
    const socket = new WebSocket(`${address}/session`);
    await once(socket, 'open');
    return new Wire(socket);
  }

  /** Hears of errors in the page of a context. */
  listen(context: string, listener: ErrorListener): void {
    this.#listeners.set(context, listener);
  }

  ask(method: string, params: object): Promise<Result> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}
