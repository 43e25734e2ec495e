/**
 * Which node to connect to next: first those that the server named when it said goodbye, then those the application
 * gave, in turn, then others that a node told of. A node that was reached over https cannot lead the client, and its
 * token, to plain http.
 */

import { ALTERNATES_MAX } from '../limits.ts';

/** The nodes a client knows. */
export class Targets {
  readonly #given: readonly string[];
  #learned: string[] = [];
  #hints: string[] = [];
  #turn = 0;
  #current = '';

  constructor(given: readonly string[]) {
    this.#given = given;
  }

  /** Attempts after which every node has been tried. */
  get round(): number {
    return this.#given.length + this.#learned.length;
  }

  /** The node to try now. */
  next(): string {
    let next = this.#hints.shift();
    if (!next) {
      const at = this.#turn % this.round;
      this.#turn = at + 1;
      next = [...this.#given, ...this.#learned][at] as string;
    }
    this.#current = next;
    return next;
  }

  /** The server said goodbye and named these, best first. */
  hint(alternates: readonly string[]): void {
    this.#hints = alternates.slice(0, ALTERNATES_MAX).filter((url) => this.#isAsSafe(url));
  }

  /** The node told of others of its cluster. */
  learn(nodes: readonly string[]): void {
    const given = new Set(this.#given.map(bare));
    const learned = new Set(nodes.filter((url) => this.#isAsSafe(url)).map(bare));
    this.#learned = [...learned].filter((url) => !given.has(url)).slice(0, ALTERNATES_MAX);
  }

  #isAsSafe(url: string): boolean {
    return /^https:\/\/[^/]/.test(url) || (/^http:\/\/[^/]/.test(url) && !this.#current.startsWith('https:'));
  }
}

const bare = (url: string): string => url.replace(/\/+$/, '');
