/**
 * The engine in a worker of its own. `new Client` starts it by itself; a bundler that cannot follow
 * `new URL('./worker.js', import.meta.url)` into a package can be given this entry for the option `worker`.
 */

import type { Command, Notice } from './bridge.ts';
import { host } from './host.ts';

/** What this file uses of a worker's global scope: the type library has either that or a page's. */
interface Scope {
  postMessage(notice: Notice): void;
  onmessage: ((event: { data: Command }) => void) | null;
}

const scope = globalThis as unknown as Scope;
const command = host((notice) => scope.postMessage(notice));
scope.onmessage = ({ data }) => command(data);
scope.postMessage({ do: 'ready' });
