/** What the parts of a session share while one input is handled. */

import { noCounts } from '../counts.ts';
import type { Failure } from '../types.ts';
import type { ClientBodies, ClientFrame } from '../wire/frames.ts';
import { PageCredit } from './credit.ts';
import type { Effect } from './message.ts';
import type { Line } from './publishing.ts';

/** A request without an answer. */
export type Request =
  | { kind: 'attach'; id: number; channel: string }
  | { kind: 'detach'; channelId: number }
  | { kind: 'publish'; line: Line; serial: number }
  | { kind: 'refresh' };

/** What reading and publishing have in common. */
export class Shared {
  now = 0;
  out: Effect[] = [];
  readonly credit = new PageCredit();
  readonly counts = noCounts();
  readonly requests = new Map<number, Request>();
  /** The server's clock as of the last frame that carried it, milliseconds since 1970. */
  clockMs = 0;
  /** Why there is no session now, if there is a reason yet. */
  trouble = '';
  #request = 0;

  constructor(readonly random: () => number) {}

  send<Kind extends keyof ClientBodies>(kind: Kind, body: ClientBodies[Kind]): void {
    this.out.push({ do: 'send', frame: { kind, body } as ClientFrame });
  }

  /** Numbers a request. */
  ask(request: Request): number {
    this.requests.set(++this.#request, request);
    return this.#request;
  }

  /** The request that was answered, once. */
  answered(number: number): Request | undefined {
    const request = this.requests.get(number);
    this.requests.delete(number);
    return request;
  }

  /** A frame carried the server's clock. Messages of the past carry theirs, so the highest counts. */
  clock(timeMs: number): void {
    this.clockMs = Math.max(this.clockMs, timeMs);
  }
}

/** A failure that has no code of the protocol. */
export const failure = (kind: Exclude<Failure['kind'], 'refused'>, message = ''): Failure => ({
  kind,
  number: 0,
  message,
});
