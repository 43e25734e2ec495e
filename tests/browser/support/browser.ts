/** A real browser: Debian's Chromium or, with `BROWSER=firefox`, its Firefox. What the tests use of either. */

import type { Transport } from '../../../clients/typescript/src/index.ts';
import { Chromium } from './chromium.ts';
import { Firefox } from './firefox.ts';

/** A tab; in a browser without windows, in a profile of its own. */
export interface Tab {
  /** Runs a function in the page; arguments and results are JSON. */
  evaluate<Result>(act: () => Result | Promise<Result>): Promise<Result>;
  evaluate<Argument, Result>(
    act: (argument: Argument) => Result | Promise<Result>,
    argument: Argument,
  ): Promise<Result>;
  /** Workers of the page that run. */
  workers(): Promise<number>;
  /** Watches the page's tasks from now on: asked, says how long they took, in milliseconds. */
  watch(): Promise<() => Promise<Tasks>>;
  /** Opens another tab over this one, which is hidden until it is asked back. */
  cover(): Promise<() => Promise<void>>;
  /** Errors that nobody caught, and what the page or the browser called an error. */
  readonly complaints: readonly string[];
  /** Loads the page of the client anew. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** Tasks of a page while it was watched. */
export interface Tasks {
  longest: number;
  /** The longest by processor time, where the browser tells it: no other program of the machine is in it. */
  own: number | undefined;
}

/** A browser that runs. */
export interface Browser {
  /** As a node's `client.websocket_browsers` calls it. */
  readonly name: string;
  /** What a node lets this version use, the preferred first. */
  readonly transports: readonly Transport[];
  /** Opens a page with nothing in it but the client. */
  page(path?: string): Promise<Tab>;
  /** Opens any page. */
  visit(url: string): Promise<Tab>;
  stop(): Promise<void>;
}

/** How a browser is started. */
export interface Launch {
  /** With windows, on this X display; without any where absent. */
  display?: string;
}

/** Starts the browser under test. */
export function start(launch: Launch = {}): Promise<Browser> {
  return process.env.BROWSER === 'firefox' ? Firefox.start(launch) : Chromium.start(launch);
}
