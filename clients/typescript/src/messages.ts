/** The newest messages of a channel with one's own on their way: what `useMessages` shows. */

import type { Channel, Discontinuity, Message, Position, PublishOptions } from './index.ts';
import { Store } from './store.ts';

/**
 * A line of the list.
 *
 *     pending ─▶ acknowledged
 *        ▲ └──▶ failed ─┐
 *        └── retry ─────┘
 */
export interface Entry<T> {
  /** Stays the same from pending to acknowledged: the `key` of its element. */
  readonly id: string;
  readonly data: T;
  readonly status: 'pending' | 'acknowledged' | 'failed';
  /** The message, once it has come back. */
  readonly message: Message<T> | undefined;
  /** Why it failed. */
  readonly error: Error | undefined;
  /** Publishes it again, after it failed. */
  readonly retry: () => void;
  /** Takes it from the list, after it failed. */
  readonly dismiss: () => void;
}

/** What is shown. */
export interface MessagesSnapshot<T> {
  readonly messages: readonly Entry<T>[];
  /** Messages were lost before the first that came after it; `undefined` if none were. */
  readonly discontinuity: Discontinuity | undefined;
  /** The channel is attached. */
  readonly isSubscribed: boolean;
}

interface Own<T> {
  id: string;
  data: T;
  options: PublishOptions | undefined;
  status: Entry<T>['status'];
  error: Error | undefined;
  /** Where it stands, once acknowledged. */
  at: string | undefined;
}

/** Before anything is known. */
export const emptyList: MessagesSnapshot<never> = { messages: [], discontinuity: undefined, isSubscribed: false };

const nothing = (): void => {};
const place = ({ epoch, seq }: Position): string => `${epoch}:${seq}`;

/** The list of one channel, shared by the components that show it. */
export class MessageList<T> {
  readonly store: Store<MessagesSnapshot<T>>;
  #entries: Entry<T>[] = [];
  #own: Own<T>[] = [];
  #discontinuity: Discontinuity | undefined;
  #numbers = 0;

  constructor(
    private readonly channel: Channel<T>,
    private readonly limit: number,
  ) {
    this.store = new Store<MessagesSnapshot<T>>(
      () => this.#look(),
      emptyList,
      (changed) => {
        this.#entries = [];
        const offs = [
          channel.on('discontinuity', (lost) => {
            this.#discontinuity = lost;
            changed();
          }),
          channel.on('state', changed),
        ];
        const subscription = channel.subscribe((message) => {
          this.#came(message);
          changed();
        });
        return () => {
          for (const off of offs) off();
          subscription.close();
        };
      },
    );
  }

  /** Publishes; the entry shows at once. */
  readonly send = (data: T, options?: PublishOptions): void => {
    const id = `own-${++this.#numbers}`;
    const own: Own<T> = { id, data, options, status: 'pending', error: undefined, at: undefined };
    this.#own.push(own);
    void this.#publish(own);
  };

  async #publish(own: Own<T>): Promise<void> {
    own.status = 'pending';
    own.error = undefined;
    this.store.changed();
    try {
      const { position } = await this.channel.publish(own.data, own.options);
      own.at = place(position);
      own.status = 'acknowledged';
      const there = this.#entries.findLastIndex(({ message }) => message && place(message.position) === own.at);
      const entry = this.#entries[there];
      if (entry) {
        // It came back before its acknowledgement.
        this.#entries[there] = { ...entry, id: own.id };
        this.#drop(own);
      }
    } catch (error) {
      own.status = 'failed';
      own.error = error as Error;
    }
    this.store.changed();
  }

  #came(message: Message<T>): void {
    const at = place(message.position);
    const own = this.#own.find((one) => one.at === at);
    if (own) this.#drop(own);
    this.#entries.push({
      id: own?.id ?? at,
      data: message.data,
      status: 'acknowledged',
      message,
      error: undefined,
      retry: nothing,
      dismiss: nothing,
    });
    // Cut in large steps: a flood must not move the whole list for each message.
    if (this.#entries.length > this.limit * 2) this.#entries = this.#entries.slice(-this.limit);
  }

  #drop(own: Own<T>): void {
    this.#own = this.#own.filter((other) => other !== own);
  }

  #look(): MessagesSnapshot<T> {
    const own = this.#own.map((one): Entry<T> => {
      const { id, data, status, error } = one;
      const failed = (act: () => void) => () => {
        if (one.status === 'failed') act();
      };
      const retry = failed(() => void this.#publish(one));
      const dismiss = failed(() => {
        this.#drop(one);
        this.store.changed();
      });
      return { id, data, status, error, message: undefined, retry, dismiss };
    });
    return {
      messages: [...this.#entries.slice(-this.limit), ...own],
      discontinuity: this.#discontinuity,
      isSubscribed: this.channel.state === 'subscribed',
    };
  }
}
