/** Documents as a hook: below a `StarlingProvider`, safe under StrictMode and on a server. */

import { useMemo, useSyncExternalStore } from 'react';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { Client, StarlingError } from '../index.ts';
import { useClient } from '../react.ts';
import { Store } from '../store.ts';
import { DocProvider, type DocState, type Rights } from '../yjs.ts';

/** What {@link useDoc} takes; of the first component that uses the document. */
export interface DocUseOptions {
  /** The document is kept on this machine too. */
  offline?: boolean;
}

/** A document, and how it is. */
export interface DocUse {
  readonly doc: Y.Doc;
  /** `null` on a server, and the first time that a component is drawn: an editor waits for it. */
  readonly provider: DocProvider | null;
  readonly awareness: Awareness | null;
  readonly state: DocState;
  readonly synced: boolean;
  /** How many edits that were made here are not in the store. */
  readonly unsaved: number;
  /** Everything in it is kept on this machine, with `offline`. */
  readonly kept: boolean;
  readonly rights: Rights;
  /** Why it has failed. */
  readonly error: StarlingError | null;
}

/** A document of the components that use it: open with the first, and closed after the last, once it is saved. */
export function useDoc(name: string, options?: DocUseOptions): DocUse {
  const client = useClient();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the options of the first component hold
  const store = useMemo(() => storeOf(client, name, options), [client, name]);
  return useSyncExternalStore(store.subscribe, store.snapshot, () => store.first);
}

/** By client and name, while a component knows it. */
const stores = new WeakMap<Client, Map<string, WeakRef<Store<DocUse>>>>();

/** Those that have their document open, which may be longer than a component uses it. */
const opened = new Set<Store<DocUse>>();

function storeOf(client: Client, name: string, options?: DocUseOptions): Store<DocUse> {
  const ofClient = stores.get(client) ?? new Map<string, WeakRef<Store<DocUse>>>();
  stores.set(client, ofClient);
  let store = ofClient.get(name)?.deref();
  if (!store) {
    store = make(client, name, options);
    ofClient.set(name, new WeakRef(store));
  }
  return store;
}

function make(client: Client, name: string, options?: DocUseOptions): Store<DocUse> {
  const doc = new Y.Doc();
  let provider: DocProvider | undefined;
  let isUsed = false;
  const first: DocUse = {
    doc,
    provider: null,
    awareness: null,
    state: 'connecting',
    synced: false,
    unsaved: 0,
    kept: false,
    rights: { mayWrite: true, mayShow: true },
    error: null,
  };
  const look = (): DocUse => {
    if (!provider) return first;
    const { awareness, state, synced, unsaved, kept, rights, error = null } = provider;
    return { doc, provider, awareness, state, synced, unsaved, kept, rights, error };
  };
  // Deferred: a component that is mounted twice, or replaced by another, keeps it open.
  const release = () =>
    queueMicrotask(() => {
      if (isUsed || !provider || (provider.unsaved > 0 && !provider.error)) return;
      provider.destroy();
      provider = undefined;
      opened.delete(store);
    });
  const store = new Store(look, first, (changed) => {
    isUsed = true;
    if (!provider) {
      provider = new DocProvider(client, name, doc, options);
      for (const event of ['saved', 'state'] as const) provider.on(event, release);
      opened.add(store);
    }
    const used = provider;
    const offs = (['state', 'synced', 'unsaved', 'kept', 'rights'] as const).map((event) => used.on(event, changed));
    return () => {
      for (const off of offs) off();
      isUsed = false;
      release();
    };
  });
  return store;
}
