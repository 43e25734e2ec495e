/** A channel: publish to it, subscribe to it, read what it keeps. */

import type { Command, PageEvent, Payload, Told } from './bridge.ts';
import { policyNumber, reasonName, skipReasonName } from './codes.ts';
import { Emitter, guarded } from './emitter.ts';
import { invalid, type StarlingError, toError } from './errors.ts';
import { HISTORY_LIMIT, type History, type HistoryOptions, readHistory } from './history.ts';
import { Keyed } from './keyed.ts';
import { type Encoding, fromPayload, toPayload } from './payload.ts';
import type { Attached, Discontinuity, Policy, Position, Published, Since, Skipped } from './types.ts';

/** What {@link Client.channel} takes. */
export interface ChannelOptions {
  /** Where a subscription starts: with what comes from now on (the default), earlier messages, or after a position. */
  since?: Since;
  /** What the server does when this reader is behind; the namespace's choice by default. */
  policy?: Policy;
  /**
   * `json` (the default): any value that JSON has is published as JSON; what comes and is not JSON, from the command
   * line say, is given as the text it is, or as bytes if it is no text: {@link Message.format} tells. `text`: strings as
   * they are. `bytes`: `Uint8Array`s as they are.
   */
  encoding?: Encoding;
}

/** One message of a channel. */
export interface Message<T = unknown> {
  readonly data: T;
  /** What the payload was read as. */
  readonly format: Encoding;
  /** Where it stands. In the state of a keyed channel the term is 0: unknown. */
  readonly position: Position;
  /** When its owner took it, milliseconds since 1970. */
  readonly timeMs: number;
  /** Its key on a keyed channel; empty elsewhere. */
  readonly key: string;
  /** The key was removed; there is no data. */
  readonly deleted: boolean;
  /** It was published before the channel was attached, or comes from history after a gap was closed. */
  readonly replayed: boolean;
}

/**
 * How far a channel is.
 *
 *     unsubscribed ─▶ subscribing ─▶ subscribed        (subscribing again after each loss of the connection)
 *          ▲               └──────────────┴─▶ failed   (refused for good; subscribe again to try again)
 *          └── the last subscription is closed ──┘
 */
export type ChannelState = 'unsubscribed' | 'subscribing' | 'subscribed' | 'failed';

/** What a channel tells, in order with its messages. */
export interface ChannelEvents {
  state: ChannelState;
  /** It is attached, at first or again: with what became of the place asked for. */
  subscribed: Attached;
  /** Messages are lost to this reader: load the state anew from where you keep it. */
  discontinuity: Discontinuity;
  /** Messages were left out because this reader was slow. */
  skipped: Skipped;
  /** This reader is too slow: what it missed is being fetched. */
  lagged: { readonly seq: number };
  /** The subscription cannot go on. */
  error: StarlingError;
}

/** What {@link Channel.publish} takes. */
export interface PublishOptions {
  /** The key, on a keyed channel. */
  key?: string;
  /** How long to try: 30 s by default. What fails then was not published, and never will be. */
  timeoutMs?: number;
  /** Gives up: a message that was sent already is retired with the server if it still can be. */
  signal?: AbortSignal;
}

/** Being subscribed. Iterate over it for messages, or give {@link Channel.subscribe} a function. */
export interface Subscription<T> extends AsyncIterable<Message<T>> {
  /** Safe to call again. */
  close(): void;
}

/** What a channel needs of its client. */
export interface Needs {
  send(command: Command): void;
  request(make: (ticket: number) => Command, signal?: AbortSignal): Promise<Published>;
  /** The engine's number for a new subscription. */
  subscribe(channel: Channel): number;
  unsubscribe(id: number): void;
  /** So many events are off the queue. */
  taken(id: number, events: number): void;
  tellTaken(): void;
  /** Why nothing more can be asked for, if it cannot. */
  closed(): StarlingError | undefined;
  /** Reads history in a session beside that of the client. */
  beside<T>(channel: string, options: ChannelOptions, history: HistoryOptions): Promise<History<T>>;
}

interface Subscriber {
  take(message: Message<never>): void;
  /** Messages that wait to be asked for. */
  waiting(): number;
  end(error?: StarlingError): void;
}

const PUBLISH_MS = 30_000;

/** Readings of one channel's history without a result, which take turns. Beyond it something is wrong: more are refused. */
const READINGS_MAX = 64;

/** A channel of a client, whose {@link Client.channel} gives it. */
export class Channel<T = unknown> {
  /** Its whole name. */
  readonly name: string;
  readonly #options: ChannelOptions;
  readonly #needs: Needs;
  readonly #emitter = new Emitter<ChannelEvents>();
  readonly #subscribers = new Set<Subscriber>();
  /** Parts of a keyed state, and what follows: for views of the newest values. */
  readonly #views = new Set<(event: PageEvent, read: (told: Told) => Message<T>) => void>();
  #id = 0;
  #state: ChannelState = 'unsubscribed';
  #position: Position | undefined;
  #isReleasing = false;
  /** Readings of history take turns: the last of them. */
  #reading: Promise<unknown> = Promise.resolve();
  #readings = 0;
  /** Ends a reading that has the place which a subscriber needs. */
  #free = () => {};
  /** Events handed to subscribers, and of those the ones that the engine knows are off the queue. */
  #handled = 0;
  #told = 0;

  /** @internal Use {@link Client.channel}. */
  constructor(name: string, options: ChannelOptions, needs: Needs) {
    this.name = name;
    this.#options = options;
    this.#needs = needs;
  }

  /** How far it is. */
  get state(): ChannelState {
    return this.#state;
  }

  /** Where its subscribers are: of the last message handed to them. Keep it to continue after it another time. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Calls `listener` at each event; gives the way to stop that. Does not subscribe by itself. */
  on<Name extends keyof ChannelEvents>(name: Name, listener: (event: ChannelEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Subscribes: to all messages with a function, or by iterating over the result. The first subscriber attaches the
   * channel, and closing the last leaves it. On a keyed channel the newest value of each key comes first.
   */
  subscribe(listener?: (message: Message<T>) => void): Subscription<T> {
    if (listener) return { close: this.#join(toListener(listener)), [Symbol.asyncIterator]: iterateInstead };
    const queue = new Queue<T>(() => this.handled(true));
    const leave = this.#join(queue);
    const close = () => {
      leave();
      queue.end();
    };
    return { close, [Symbol.asyncIterator]: () => queue.iterator(close) };
  }

  /** Publishes a message, once: the result says where it stands and how many nodes hold it. */
  async publish(data: T, options: PublishOptions = {}): Promise<Published> {
    return this.#publish(toPayload(data, this.#options.encoding), false, options);
  }

  /** Removes a key of a keyed channel. */
  async remove(key: string, options: Omit<PublishOptions, 'key'> = {}): Promise<Published> {
    return this.#publish('', true, { ...options, key });
  }

  /**
   * Reads what the channel keeps; subscribers are not disturbed: while there are some, a second connection reads, which is
   * kept for a few seconds. For the next page give the position of the last message as `since`.
   */
  async history(options: HistoryOptions = {}): Promise<History<T>> {
    if (this.#readings >= READINGS_MAX) {
      const message = `${READINGS_MAX} readings of ${this.name} wait for their turn; wait for some before reading more`;
      throw toError({ kind: 'refused', number: 100, message });
    }
    this.#readings++;
    const reading = this.#reading.then(() => this.#readHistory(options)).finally(() => this.#readings--);
    this.#reading = reading.catch(() => {});
    return reading;
  }

  async #readHistory(options: HistoryOptions): Promise<History<T>> {
    const closed = this.#needs.closed();
    if (closed) throw closed;
    const { policy: _, ...rest } = this.#options;
    if (!this.#id) {
      const { limit = HISTORY_LIMIT, since = { messages: limit } } = options;
      const needed = new AbortController();
      this.#free = () => needed.abort();
      try {
        return await readHistory(new Channel<T>(this.name, { ...rest, since }, this.#needs), options, needed.signal);
      } catch (error) {
        if (!needed.signal.aborted) throw error;
        // A subscriber has come: it is not kept waiting, and the reading begins again beside it.
      }
    }
    return this.#needs.beside(this.name, rest, options);
  }

  /** The newest value of each key, kept up to date until it is closed. */
  keyed(): Keyed<T> {
    return new Keyed((view) => {
      this.#views.add(view);
      const leave = this.#join(toListener(() => {}));
      return () => {
        this.#views.delete(view);
        leave();
      };
    });
  }

  /** @internal The client hands over what came. */
  handle(event: PageEvent): void {
    this.#handled++;
    for (const view of this.#views) view(event, (told) => this.#read(told));
    switch (event.type) {
      case 'message':
        this.#message(event.message);
        break;
      case 'state':
        for (const told of event.state.entries) this.#message(told);
        if (event.state.last) this.#position = event.state.at;
        break;
      case 'attached': {
        const { outcome, position, head, window, keyed } = event.attached;
        this.#position = position;
        this.#become('subscribed');
        this.#emitter.emit('subscribed', {
          position,
          head,
          window,
          keyed,
          outcome:
            outcome.kind === 'discontinuity' ? { kind: 'discontinuity', reason: reasonName(outcome.reason) } : outcome,
        });
        break;
      }
      case 'skipped': {
        const { to, count, reason } = event.skipped;
        if (this.#position) this.#position = { ...this.#position, seq: to, term: 0 };
        this.#emitter.emit('skipped', { to, count, reason: skipReasonName(reason) });
        break;
      }
      case 'lagged':
        this.#emitter.emit('lagged', { seq: event.seq });
        break;
      case 'discontinuity': {
        const { position, reason } = event.discontinuity;
        this.#position = position;
        this.#emitter.emit('discontinuity', { position, reason: reasonName(reason) });
        break;
      }
      case 'failed':
        this.#failed(toError(event.error));
    }
  }

  /** @internal Tells what is off the queue: what every subscriber has taken. */
  handled(now = false): void {
    let waiting = 0;
    for (const subscriber of this.#subscribers) waiting = Math.max(waiting, subscriber.waiting());
    const events = this.#handled - waiting - this.#told;
    if (events <= 0) return;
    this.#told += events;
    this.#needs.taken(this.#id, events);
    if (now) this.#needs.tellTaken();
  }

  #join(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    if (!this.#id) {
      this.#free();
      this.#handled = 0;
      this.#told = 0;
      this.#id = this.#needs.subscribe(this as Channel<unknown> as Channel);
      const { since = 'now', encoding } = this.#options;
      const policy = policyNumber(this.#options.policy);
      const bytes = encoding === 'bytes';
      this.#needs.send({ on: 'subscribe', id: this.#id, channel: this.name, options: { since, policy }, bytes });
      this.#become('subscribing');
    }
    return () => {
      if (!this.#subscribers.delete(subscriber)) return;
      // Deferred: a component that is mounted twice, or replaced by another, keeps the channel.
      if (this.#isReleasing) return;
      this.#isReleasing = true;
      queueMicrotask(() => {
        this.#isReleasing = false;
        if (this.#subscribers.size === 0) this.#release('unsubscribed');
      });
    };
  }

  #release(state: ChannelState): void {
    if (!this.#id) return;
    this.#needs.unsubscribe(this.#id);
    this.#id = 0;
    this.#become(state);
  }

  #failed(error: StarlingError): void {
    this.#release('failed');
    this.#emitter.emit('error', error);
    const subscribers = [...this.#subscribers];
    this.#subscribers.clear();
    for (const subscriber of subscribers) subscriber.end(error);
  }

  #become(state: ChannelState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#emitter.emit('state', state);
  }

  #message(told: Told): void {
    const message = this.#read(told);
    this.#position = told.position;
    for (const subscriber of this.#subscribers) subscriber.take(message as Message<never>);
  }

  #publish(payload: Payload, remove: boolean, options: PublishOptions): Promise<Published> {
    const { key = '', timeoutMs = PUBLISH_MS, signal } = options;
    return this.#needs.request(
      (ticket) => ({ on: 'publish', ticket, channel: this.name, body: { key, delete: remove, payload }, timeoutMs }),
      signal,
    );
  }

  #read({ payload, ...rest }: Told): Message<T> {
    if (rest.deleted) return { ...rest, data: undefined as T, format: typeof payload === 'string' ? 'text' : 'bytes' };
    const { data, format } = fromPayload(payload, this.#options.encoding);
    return { ...rest, data: data as T, format };
  }
}

const toListener = <T>(listener: (message: Message<T>) => void): Subscriber => ({
  take: (message) => guarded(() => listener(message)),
  waiting: () => 0,
  end: () => {},
});

function iterateInstead(): never {
  throw invalid('this subscription has a function for its messages; subscribe without one to iterate');
}

/** Messages that wait for whoever iterates. The engine sends no more than a queue holds before they are taken. */
class Queue<T> implements Subscriber {
  readonly #messages: Message<T>[] = [];
  #wake: (() => void) | undefined;
  #end: { error: StarlingError | undefined } | undefined;

  constructor(private readonly taken: () => void) {}

  take(message: Message<never>): void {
    this.#messages.push(message);
    this.#wake?.();
  }

  waiting(): number {
    return this.#messages.length;
  }

  end(error?: StarlingError): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  async *iterator(close: () => void): AsyncGenerator<Message<T>, void> {
    try {
      for (;;) {
        const message = this.#messages.shift();
        if (message) {
          this.taken();
          yield message;
        } else if (this.#end) {
          if (this.#end.error) throw this.#end.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      close();
    }
  }
}
