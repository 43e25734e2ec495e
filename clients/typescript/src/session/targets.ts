/**
 * Which nodes to connect to next: first those that the server named when it said goodbye; then those the application gave
 * and those a node told of, the one that was tried longest ago before the others. So a client that has lost its node goes
 * to another first, and comes back to it last. Nodes that were never tried come in the order in which they were given
 * until one is reached; after that in one that each client draws, so that those of a node that died do not all go to the
 * same. A node leads the client, and its token, only to nodes of the scheme that it was reached over itself.
 */

import { ALTERNATES_MAX } from '../limits.ts';

/**
 * Nodes of one attempt: with two that are dead, a third is reached within seconds; and what is slow because all clients
 * come at once is not made much slower by each coming several times.
 */
const CONTENDERS_MAX = 3;

/** The nodes a client knows. */
export class Targets {
  readonly #given: readonly string[];
  /** These and those that a node told of, in the order in which those are tried that never were. */
  #known: readonly string[];
  #hints: string[] = [];
  /** Known nodes that were tried, in the order of their last time. */
  #tried: string[] = [];
  /** Those of the attempt that is under way, in order. */
  #contenders: string[] = [];
  /** The node that was reached last. */
  #current = '';

  constructor(given: readonly string[]) {
    this.#known = this.#given = [...new Set(given.map(bare))];
  }

  /** Failures that count as one: the attempts that it takes to try every node. */
  get round(): number {
    return Math.ceil(this.#known.length / CONTENDERS_MAX);
  }

  /** The nodes to try now, the first before the others. */
  next(): string[] {
    const last = (url: string) => this.#tried.indexOf(url);
    const known = [...this.#known].sort((one, other) => last(one) - last(other));
    this.#contenders = [...new Set([...this.#hints.splice(0), ...known])].slice(0, CONTENDERS_MAX);
    return this.#contenders;
  }

  /** One of them was reached. */
  reached(url: string): void {
    this.#tryLater(...this.#contenders.slice(0, this.#contenders.indexOf(url) + 1));
    this.#current = url;
  }

  /** None of them was reached. */
  missed(): void {
    this.#tryLater(...this.#contenders);
  }

  /** The server said goodbye and named these, best first. */
  hint(alternates: readonly string[]): void {
    this.#hints = this.#safe(alternates.slice(0, ALTERNATES_MAX));
  }

  /** The node told of others of its cluster. */
  learn(nodes: readonly string[], random: () => number): void {
    const learned = this.#safe(nodes).filter((url) => !this.#given.includes(url));
    // A node that is cut off from its cluster knows of none, and of those it told before some may live.
    const isAlone = learned.every((url) => url === this.#current);
    if (isAlone && this.#known.length > this.#given.length) return;
    const shuffled = (urls: readonly string[]) =>
      urls
        .map((url) => [random(), url] as const)
        .sort(([one], [other]) => one - other)
        .map(([, url]) => url);
    this.#known = shuffled([...this.#given, ...shuffled(learned).slice(0, ALTERNATES_MAX)]);
    this.#tryLater();
  }

  /** Puts them behind all others, and forgets those that are not known any more. */
  #tryLater(...urls: string[]): void {
    this.#tried = [...this.#tried.filter((url) => !urls.includes(url)), ...urls].filter((url) =>
      this.#known.includes(url),
    );
  }

  #safe(urls: readonly string[]): string[] {
    const [ours] = this.#current.split('//');
    return [...new Set(urls.filter((url) => scheme(url) === ours).map(bare))];
  }
}

const bare = (url: string): string => url.replace(/\/+$/, '');

const scheme = (url: string): string | undefined => /^(https?:)\/\/[^/]/.exec(url)?.[1];
