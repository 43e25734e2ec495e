/**
 * Presence as hooks: below a `StarlingProvider`, safe under StrictMode and on a server. A component is drawn again when what
 * it picked has changed, and not when anything else has.
 */

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { StarlingError } from '../errors.ts';
import {
  type Count,
  type Member,
  type Presence,
  type PresenceOptions,
  type PresentClient,
  presence as presenceOf,
  type Said,
} from '../presence.ts';
import { useClient } from '../react.ts';
import { Store } from '../store.ts';

/** What there is to pick from: as it was at one moment. */
export interface PresenceView<State> {
  /** Members by their id, of {@link Presence.members}. */
  readonly members: ReadonlyMap<string, Member<State>>;
  /** Their clients by their id. */
  readonly clients: ReadonlyMap<string, PresentClient<State>>;
  readonly count: Count;
  readonly isComplete: boolean;
  readonly isStale: boolean;
  /** Nodes that may be dead, and their clients with them. */
  readonly uncertain: ReadonlySet<string>;
  /** This client's own id among them, once it has entered. */
  readonly self: string | undefined;
}

/** How a hook picks. */
export interface Picking<View, Picked> extends PresenceOptions {
  /**
   * What of it the component draws; all of it by default. It may be a new function each time. Where states have a type, say
   * it here rather than at the hook, and all else follows: `({ members }: PresenceView<Me>) => members.size`.
   */
  select?: (view: View) => Picked;
  /** Whether two are the same to the component: by default if they are equal, or equal one level down. */
  isEqual?: (one: Picked, other: Picked) => boolean;
}

/** What {@link usePresence} takes. */
export interface PresenceUseOptions<State, Picked> extends Picking<PresenceView<State>, Picked> {
  /** What is said at first, while the first component that uses the channel's presence is mounted. */
  initial?: State;
}

/** Being in a channel's presence. */
export interface PresenceUse<State, Moment, Picked> {
  /** What was picked. */
  readonly value: Picked;
  /** Says something else of this client. */
  readonly update: (state: State) => void;
  /** Says something for the moment: where the cursor is. */
  readonly broadcast: (data: Moment) => void;
  /** Why the client is not there, says something older, or sees nobody, if that is so. */
  readonly error: StarlingError | null;
  readonly presence: Presence<State, Moment>;
}

/** Is in a channel's presence while the component is mounted, and watches who else is. */
export function usePresence<State = unknown, Moment = unknown, Picked = PresenceView<State>>(
  name: string,
  { initial, encoding, ...picking }: PresenceUseOptions<State, Picked> = {},
): PresenceUse<State, Moment, Picked> {
  const presence = usePresenceOf<State, Moment>(name, encoding);
  const [error, setError] = useState<StarlingError | null>(null);
  const latest = useRef(initial);
  useEffect(() => {
    latest.current = initial;
  });
  useEffect(() => {
    setError(null);
    const off = presence.on('error', setError);
    const leave = hold(presence, latest.current as State, setError);
    return () => {
      off();
      leave();
    };
  }, [presence]);
  const value = usePicked(viewOf(presence), picking);
  // What is wrong with a state, its author is told, until another one is taken; what is wrong with the rest, the event has.
  const rejected = useRef<StarlingError | null>(null);
  const update = useCallback(
    (state: State) => {
      presence.update(state).then(
        () => setError((error) => (error === rejected.current ? null : error)),
        (error: StarlingError) => {
          rejected.current = error;
          setError(error);
        },
      );
    },
    [presence],
  );
  const broadcast = useCallback((data: Moment) => presence.broadcast(data), [presence]);
  return { value, update, broadcast, error, presence };
}

/** Watches who is in a channel, without being there. */
export function useMembers<State = unknown, Picked = PresenceView<State>>(
  name: string,
  { encoding, ...picking }: Picking<PresenceView<State>, Picked> = {},
): Picked {
  return usePicked(viewOf(usePresenceOf<State, unknown>(name, encoding)), picking);
}

/** How many are in a channel. */
export interface Occupancy extends Count {
  readonly isStale: boolean;
}

/** Watches how many are in a channel, which costs a large one less than who they are. */
export function useOccupancy(name: string): Occupancy {
  return usePicked(occupancyOf(usePresenceOf<unknown, unknown>(name)), {});
}

/** What clients said last for the moment, by the client's id. */
export type SaidView<State, Moment> = ReadonlyMap<string, Said<State, Moment>>;

/** Watches what is said for the moment in a channel, by those who are there. */
export function useEphemerals<Moment = unknown, State = unknown, Picked = SaidView<State, Moment>>(
  name: string,
  { encoding, ...picking }: Picking<SaidView<State, Moment>, Picked> = {},
): Picked {
  return usePicked(saidOf(usePresenceOf<State, Moment>(name, encoding)), picking);
}

function usePresenceOf<State, Moment>(name: string, encoding?: PresenceOptions['encoding']): Presence<State, Moment> {
  return presenceOf<State, Moment>(useClient(), name, encoding && { encoding });
}

const NOBODY: PresenceView<never> = {
  members: new Map(),
  clients: new Map(),
  count: { members: 0, clients: 0 },
  isComplete: false,
  isStale: true,
  uncertain: new Set(),
  self: undefined,
};

/** A way to keep one store for each presence. */
function storeOf<View>(
  first: View,
  look: (presence: Presence) => View,
  open: (presence: Presence, changed: () => void) => () => void,
): (presence: Presence) => Store<View> {
  const stores = new WeakMap<Presence, Store<View>>();
  return (presence) => {
    let store = stores.get(presence);
    if (!store) {
      store = new Store(
        () => look(presence),
        first,
        (changed) => open(presence, changed),
      );
      stores.set(presence, store);
    }
    return store;
  };
}

function watch(presence: Presence, changed: () => void, options?: { count: boolean }): () => void {
  const off = presence.on('change', changed);
  const watching = presence.watch(options);
  return () => {
    off();
    watching.close();
  };
}

const views = storeOf<PresenceView<unknown>>(
  NOBODY,
  ({ members, clients, count, isComplete, isStale, uncertain, self }) => ({
    // What was drawn does not change under it.
    members: new Map(members),
    clients: new Map(clients),
    count,
    isComplete,
    isStale,
    uncertain,
    self,
  }),
  watch,
);

const occupancies = storeOf<Occupancy>(
  { ...NOBODY.count, isStale: true },
  ({ count, isStale }) => ({ ...count, isStale }),
  (presence, changed) => watch(presence, changed, { count: true }),
);

const said = storeOf<SaidView<unknown, unknown>>(
  new Map(),
  ({ ephemerals }) => ephemerals,
  (presence, changed) => {
    const off = presence.on('ephemeral', changed);
    const close = watch(presence, changed);
    return () => {
      off();
      close();
    };
  },
);

// A store knows nothing of what states are: the presence that it is of does.
const viewOf = views as <State, Moment>(presence: Presence<State, Moment>) => Store<PresenceView<State>>;
const occupancyOf = occupancies as <State, Moment>(presence: Presence<State, Moment>) => Store<Occupancy>;
const saidOf = said as <State, Moment>(presence: Presence<State, Moment>) => Store<SaidView<State, Moment>>;

/** Components that are there: it is entered with the first, and left with the last. */
const held = new WeakMap<object, { count: number; isIn: boolean; isReleasing: boolean }>();

function hold<State, Moment>(
  presence: Presence<State, Moment>,
  state: State,
  failed: (error: StarlingError) => void,
): () => void {
  const holding = held.get(presence) ?? { count: 0, isIn: false, isReleasing: false };
  held.set(presence, holding);
  holding.count++;
  if (!holding.isIn) {
    holding.isIn = true;
    presence.enter(state, { timeoutMs: Infinity }).catch((error: StarlingError) => {
      // It was left before it was entered, which is no failure.
      if (error.code === 'aborted') return;
      holding.isIn = false;
      failed(error);
    });
  }
  return () => {
    holding.count--;
    if (holding.isReleasing) return;
    holding.isReleasing = true;
    // Deferred: a component that is mounted twice, or replaced by another, stays.
    queueMicrotask(() => {
      holding.isReleasing = false;
      if (holding.count > 0 || !holding.isIn) return;
      holding.isIn = false;
      void presence.leave();
    });
  };
}

/** What a component picked, the same object as long as it is equal. */
function usePicked<View, Picked>(store: Store<View>, { select, isEqual = isAlike }: Picking<View, Picked>): Picked {
  const last = useRef<{ view: View; select: typeof select; picked: Picked } | undefined>(undefined);
  const pick = (view: View): Picked => {
    const before = last.current;
    if (before && before.view === view && before.select === select) return before.picked;
    const picked = select ? select(view) : (view as unknown as Picked);
    const kept = before && isEqual(before.picked, picked) ? before.picked : picked;
    last.current = { view, select, picked: kept };
    return kept;
  };
  return useSyncExternalStore(
    store.subscribe,
    () => pick(store.snapshot()),
    () => pick(store.first),
  );
}

/** Equal, or lists or plain objects of what is equal. */
function isAlike(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return false;
  const prototype = Object.getPrototypeOf(one);
  if (prototype !== Object.getPrototypeOf(other)) return false;
  if (prototype !== Array.prototype && prototype !== Object.prototype) return false;
  const [entries, others] = [Object.entries(one), other as Record<string, unknown>];
  return (
    entries.length === Object.keys(others).length &&
    entries.every(([name, value]) => Object.hasOwn(others, name) && Object.is(value, others[name]))
  );
}
