/**
 * Reads what a channel keeps, as a reader of its own that goes again. A session has one place in a channel. While nobody
 * subscribes to it, that place is free, and history is read in the session that there is; otherwise the place is that of
 * the subscribers, and a session beside it reads ({@link Channel.history} chooses, `client.ts` keeps that session).
 *
 * The HTTP API has history too, and would spare the second session. But a page has no token for it, only a provider that
 * tells why it is asked; a proxy may let the session's address through and nothing else; and its pages would be decoded,
 * bounded and told of what is lost by a second set of rules.
 */

import type { Channel, Message } from './channel.ts';
import { toError } from './errors.ts';
import type { Discontinuity, Position } from './types.ts';

/** What {@link Channel.history} takes. */
export interface HistoryOptions {
  /** Messages at most: 100 by default. */
  limit?: number;
  /** After this position; the newest messages by default. */
  since?: Position;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Messages a channel keeps, oldest first. */
export interface History<T> {
  readonly messages: Message<T>[];
  /** Why `since` cannot be continued from, if it cannot: the messages start later. */
  readonly discontinuity: Discontinuity | undefined;
}

/** Messages that are read if nothing is said. */
export const HISTORY_LIMIT = 100;

const HISTORY_MS = 10_000;

/** Reads with a channel that nobody else has, from where it starts to what was the newest message, or to the limit. */
export async function readHistory<T>(
  channel: Channel<T>,
  { limit = HISTORY_LIMIT, timeoutMs = HISTORY_MS, signal }: HistoryOptions,
  /** Tells that the place is needed. */
  needed: AbortSignal,
): Promise<History<T>> {
  const messages: Message<T>[] = [];
  let discontinuity: Discontinuity | undefined;
  let head = Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let aborted = () => {};
  let close = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (messages.length >= limit || (channel.position?.seq ?? 0) >= head) resolve();
      };
      channel.on('subscribed', (attached) => {
        const { outcome, position } = attached;
        if (outcome.kind === 'discontinuity') discontinuity = { reason: outcome.reason, position };
        head = attached.head;
        look();
      });
      channel.on('discontinuity', (lost) => {
        discontinuity = lost;
        look();
      });
      channel.on('skipped', look);
      channel.on('error', reject);
      ({ close } = channel.subscribe((message) => {
        messages.push(message);
        look();
      }));
      needed.addEventListener('abort', reject);
      timer = setTimeout(() => reject(toError({ kind: 'timed_out', number: 0, message: '' })), timeoutMs);
      aborted = () => reject(signal?.reason);
      signal?.addEventListener('abort', aborted);
      if (signal?.aborted) aborted();
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
    close();
  }
  return { messages: messages.slice(0, limit), discontinuity };
}
