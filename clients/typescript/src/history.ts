/**
 * Reads what a channel keeps: with a client of its own, because a session has one place in a channel, and that of the
 * live reader stays where it is.
 *
 * The HTTP API has history too, and would spare the connection. But a page has no token for it, only a provider that
 * tells why it is asked; a proxy may let the session's address through and nothing else; and its pages would be decoded,
 * bounded and told of what is lost by a second set of rules. For what is read once, a handshake is the lesser price.
 */

import type { Channel, ChannelOptions, Message } from './channel.ts';
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

/** The client that reads. */
export interface Another {
  channel<T>(name: string, options?: ChannelOptions): Channel<T>;
  close(): Promise<void>;
}

const HISTORY_MS = 10_000;

/** Reads from the place asked for up to what was the newest message, or to the limit. */
export async function readHistory<T>(
  client: Another,
  name: string,
  options: ChannelOptions,
  { limit = 100, since, timeoutMs = HISTORY_MS, signal }: HistoryOptions,
): Promise<History<T>> {
  const channel = client.channel<T>(name, { ...options, since: since ?? { messages: limit } });
  const messages: Message<T>[] = [];
  let discontinuity: Discontinuity | undefined;
  let head = Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let aborted = () => {};
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
      channel.subscribe((message) => {
        messages.push(message);
        look();
      });
      timer = setTimeout(() => reject(toError({ kind: 'timed_out', number: 0, message: '' })), timeoutMs);
      aborted = () => reject(signal?.reason);
      signal?.addEventListener('abort', aborted);
      if (signal?.aborted) aborted();
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
    void client.close();
  }
  return { messages: messages.slice(0, limit), discontinuity };
}
