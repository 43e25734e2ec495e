/** Hooks for React 18 and later. Safe under StrictMode and on a server; what comes in one frame is drawn once. */

import {
  createContext,
  createElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import type {
  Channel,
  ChannelOptions,
  ChannelState,
  Client,
  Keyed,
  Message,
  PublishOptions,
  StarlingError,
  State,
  Transport,
} from './index.ts';
import { type Entry, emptyList, MessageList, type MessagesSnapshot } from './messages.ts';
import { Store } from './store.ts';

export type { Entry } from './messages.ts';

const Context = createContext<Client | null>(null);

/** Gives a client to the components below. The application makes the client, and closes it. */
export function StarlingProvider({ client, children }: { client: Client; children?: ReactNode }): ReactNode {
  return createElement(Context.Provider, { value: client }, children);
}

/** The client of the nearest provider. */
export function useClient(): Client {
  const client = useContext(Context);
  if (!client) throw new Error('there is no StarlingProvider above; put one around the component');
  return client;
}

/** How the connection is. */
export interface Connection {
  readonly state: State['kind'];
  readonly transport: Transport | null;
  /** Smoothed round trip, as of the last change of state. */
  readonly rttMs: number | null;
  /** There has been no connection for five seconds: time to tell a person. */
  readonly isLost: boolean;
}

const IDLE: Connection = { state: 'idle', transport: null, rttMs: null, isLost: false };

const connections = new WeakMap<Client, Store<Connection>>();

/** How the connection is, drawn again when that changes. Connects. */
export function useConnection(): Connection {
  const client = useClient();
  let store = connections.get(client);
  if (!store) {
    let isLost = false;
    const look = (): Connection => {
      const { state } = client;
      return {
        state: state.kind,
        transport: state.kind === 'connected' ? state.transport : null,
        rttMs: client.stats.rttMs,
        isLost,
      };
    };
    store = new Store<Connection>(look, IDLE, (changed) => {
      client.connect();
      const note = (lost: boolean) => () => {
        isLost = lost;
        changed();
      };
      const offs = [client.on('state', changed), client.on('lost', note(true)), client.on('restored', note(false))];
      return () => {
        for (const off of offs) off();
      };
    });
    connections.set(client, store);
  }
  return useStore(store);
}

/** A channel, and how it is. */
export interface ChannelUse<T> {
  readonly channel: Channel<T>;
  readonly state: ChannelState;
  /** Why the subscription failed, if it did. */
  readonly error: StarlingError | null;
  readonly publish: Channel<T>['publish'];
}

/** Subscribes while the component is mounted. `onMessage` may be a new function each time. */
export function useChannel<T = unknown>(
  name: string,
  onMessage?: (message: Message<T>) => void,
  options?: ChannelOptions,
): ChannelUse<T> {
  const channel = useClient().channel<T>(name, options);
  const [, draw] = useState(0);
  const [error, setError] = useState<StarlingError | null>(null);
  const latest = useRef(onMessage);
  useEffect(() => {
    latest.current = onMessage;
  });
  useEffect(() => {
    setError(null);
    const offs = [channel.on('state', () => draw((count) => count + 1)), channel.on('error', setError)];
    const subscription = channel.subscribe((message) => latest.current?.(message));
    return () => {
      for (const off of offs) off();
      subscription.close();
    };
  }, [channel]);
  const publish = useCallback<Channel<T>['publish']>((data, more) => channel.publish(data, more), [channel]);
  return { channel, state: channel.state, error, publish };
}

/** What {@link useMessages} takes. */
export interface MessagesOptions extends ChannelOptions {
  /** The newest so many are kept: 100 by default. Of the first component that shows the channel. */
  limit?: number;
}

/** The newest messages of a channel, with what is being published. */
export interface MessagesUse<T> extends MessagesSnapshot<T> {
  /** Publishes; the entry shows at once, as pending. */
  readonly send: (data: T, options?: PublishOptions) => void;
}

const lists = new WeakMap<object, unknown>();

/** The newest messages of a channel, oldest first, and at the end those of one's own that are not acknowledged yet. */
export function useMessages<T = unknown>(name: string, options: MessagesOptions = {}): MessagesUse<T> {
  const { limit = 100, ...rest } = options;
  const channel = useClient().channel<T>(name, { since: { messages: limit }, ...rest });
  let list = lists.get(channel) as MessageList<T> | undefined;
  if (!list) {
    list = new MessageList(channel, limit);
    lists.set(channel, list);
  }
  const snapshot = useStore(list.store, emptyList as MessagesSnapshot<T>);
  return { ...snapshot, send: list.send };
}

/** The newest value of each key. */
export interface KeyedUse<T> {
  readonly values: ReadonlyMap<string, Message<T>>;
  /** Whether the state has come. */
  readonly isComplete: boolean;
  readonly channel: Channel<T>;
}

type KeyedSnapshot = Pick<KeyedUse<unknown>, 'values' | 'isComplete'>;

const NO_VALUES: KeyedSnapshot = { values: new Map(), isComplete: false };

const views = new WeakMap<Channel, Store<KeyedSnapshot>>();

/** The newest value of each key of a keyed channel, kept up to date while the component is mounted. */
export function useKeyed<T = unknown>(name: string, options?: ChannelOptions): KeyedUse<T> {
  const channel = useClient().channel<T>(name, options);
  let store = views.get(channel as Channel);
  if (!store) {
    let view: Keyed<T> | undefined;
    const look = (): KeyedSnapshot =>
      view ? { values: new Map(view.values) as KeyedSnapshot['values'], isComplete: view.isComplete } : NO_VALUES;
    store = new Store(look, NO_VALUES, (changed) => {
      const opened = channel.keyed();
      view = opened;
      const offs = [opened.on('change', changed), channel.on('subscribed', changed)];
      return () => {
        for (const off of offs) off();
        opened.close();
      };
    });
    views.set(channel as Channel, store);
  }
  const snapshot = useStore(store, NO_VALUES) as Pick<KeyedUse<T>, 'values' | 'isComplete'>;
  return { ...snapshot, channel };
}

function useStore<Snapshot>(store: Store<Snapshot>, onServer: Snapshot = store.first): Snapshot {
  return useSyncExternalStore(store.subscribe, store.snapshot, () => onServer);
}

export type { Entry as MessageEntry, MessagesSnapshot };
