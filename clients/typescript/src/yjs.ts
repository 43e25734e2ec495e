/**
 * Yjs documents: `new DocProvider(client, name, doc)` keeps a `Y.Doc` level with everybody else's.
 *
 * An entry of the package of its own; yjs and y-protocols are the application's. The parts: `document/desk.ts` and `line.ts`
 * write and read frames, `sync.ts` keeps the document level, `showing.ts` shows who is in it, `offline.ts` keeps it on this
 * machine, `undo.ts` undoes.
 */

import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { WaitOptions } from './client.ts';
import { Desk } from './document/desk.ts';
import type { Line, Rights, Sink } from './document/line.ts';
import { forget, Offline } from './document/offline.ts';
import { Showing } from './document/showing.ts';
import { type Around, Sync } from './document/sync.ts';
import { Turns } from './document/turns.ts';
import { type UndoOptions, undoManager } from './document/undo.ts';
import { Emitter, guarded } from './emitter.ts';
import { invalid, type StarlingError, toError } from './errors.ts';
import type { Client } from './index.ts';
import { AWARENESS } from './wire/document.ts';

export { forget, type Rights, type UndoOptions, undoManager };

/** What {@link DocProvider} takes. */
export interface DocOptions {
  /** The awareness that editors share; one is made otherwise, and goes with the provider. */
  awareness?: Awareness;
  /** The document is kept on this machine too, in IndexedDB: see {@link forget}. */
  offline?: boolean;
}

/**
 * How a provider is doing.
 *
 *     connecting ──▶ open ──▶ offline ──▶ connecting        and from each of them
 *                     └─────────────────▶                   ──▶ failed, closed
 *
 * - `connecting`: the document is being opened.
 * - `open`: edits go to the server and come from it.
 * - `offline`: there is no connection; what is edited is sent when there is one again.
 * - `failed`: the server will not have it; {@link DocProvider.error} says why.
 * - `closed`: the provider was destroyed, or its client has closed.
 */
export type DocState = 'connecting' | 'open' | 'offline' | 'failed' | 'closed';

/** What {@link DocProvider} tells. */
export interface DocEvents {
  /** Every change of {@link DocProvider.state}. */
  state: DocState;
  /** Every change of {@link DocProvider.synced}. */
  synced: boolean;
  /** Every change of {@link DocProvider.unsaved}. */
  unsaved: number;
  /** Everything that was edited here is in the store. */
  saved: undefined;
  /** Every change of {@link DocProvider.kept}. */
  kept: boolean;
  /** What the session may do is another, or is known now. */
  rights: Rights;
  /** What was edited here is not taken: nobody else sees it. */
  refused: StarlingError;
  /** It has failed, or nothing is kept on this machine any more. */
  error: StarlingError;
}

/** Who waits for something. */
interface Waiting {
  isDone(): boolean;
  /** What else ends it: an edit is not taken, or not kept. */
  error?(): StarlingError | undefined;
  settle(error?: unknown): void;
}

/** The origin of what was kept on this machine. */
const KEPT = Symbol('kept');

/** Keeps a document level with the server's, until {@link destroy}. A client has one provider for each document. */
export class DocProvider {
  readonly awareness: Awareness;
  readonly #client: Client;
  readonly #emitter = new Emitter<DocEvents>();
  readonly #line: Line;
  readonly #sync: Sync;
  readonly #showing: Showing;
  readonly #turns: Turns;
  readonly #hasOwnAwareness: boolean;
  #offline: Offline | undefined;
  /** What was kept on this machine is in the document. */
  #isLoaded = false;
  #isDestroyed = false;
  #state: DocState = 'connecting';
  #error: StarlingError | undefined;
  #rights: Rights = { mayWrite: true, mayShow: true };
  #synced = false;
  #unsaved = 0;
  #kept = false;
  /** Why not everything is kept on this machine, and will not be. */
  #loss: StarlingError | undefined;
  /** Why some of what was edited here is not taken. */
  #refusal: StarlingError | undefined;
  readonly #waiting = new Set<Waiting>();

  /** Opens the document, which is named as in the path of a y-websocket client. */
  constructor(
    client: Client,
    readonly name: string,
    readonly doc: Y.Doc,
    { awareness, offline = false }: DocOptions = {},
  ) {
    if (!(doc instanceof Y.Doc)) {
      throw invalid('the document is of another copy of yjs than the provider; have the bundler install yjs once');
    }
    this.#client = client;
    const desk = client.guest(Desk, (host) => new Desk(host));
    const { means, host } = desk;
    // First: where the document has a provider already, nothing is left behind.
    this.#line = desk.line(name, this.#sink());
    this.#hasOwnAwareness = !awareness;
    this.awareness = awareness ?? new Awareness(doc);
    this.#turns = new Turns(means.clock, () => this.#flush());
    const around: Around = {
      means,
      send: (piece, bytes, edit) => this.#line.send(piece, bytes, edit),
      wake: () => this.#turns.wake(),
      edited: (update, isOwn) => this.#offline?.append(update, isOwn),
      changed: () => this.#changed(),
      refused: (error) => this.#refused(error),
      failed: (error) => this.#end('failed', error),
      broken: (reason) => host.broken(reason),
    };
    this.#sync = new Sync(doc, this, KEPT, around);
    this.#showing = new Showing(this.awareness, this, around);
    this.#unsaved = this.#sync.unsaved;
    doc.on('destroy', this.#docDestroyed);
    if (offline) void this.#load();
    else {
      this.#loss = invalid('nothing is kept on this machine without the option `offline`');
      this.#start();
    }
  }

  /** How it is doing. */
  get state(): DocState {
    return this.#state;
  }

  /** Why it has failed, or has closed. */
  get error(): StarlingError | undefined {
    return this.#error;
  }

  /** Everything that the server had when the document was opened is here, and what came since. */
  get synced(): boolean {
    return this.#synced;
  }

  /** How many edits that were made here are not in the store: none, and a page may be closed. */
  get unsaved(): number {
    return this.#unsaved;
  }

  /**
   * Everything in the document is kept on this machine, with the option `offline`: what is unsaved besides is there after a reload,
   * and is sent then.
   */
  get kept(): boolean {
    return this.#kept;
  }

  /** What the session may do in the document, as it was told last; before, everything. */
  get rights(): Rights {
    return this.#rights;
  }

  /** Calls `listener` at each event; gives the way to stop that. */
  on<Name extends keyof DocEvents>(name: Name, listener: (event: DocEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Waits until it is synced, for ever unless the options say otherwise. */
  whenSynced(options?: WaitOptions): Promise<void> {
    return this.#wait({ isDone: () => this.#synced }, options);
  }

  /** Waits until everything that was edited here is in the store. Rejects where it is not taken. */
  whenSaved(options?: WaitOptions): Promise<void> {
    const isDone = () => this.#isLoaded && this.#unsaved === 0;
    return this.#wait({ isDone, error: () => this.#refusal }, options);
  }

  /** Waits until everything in the document is kept on this machine. Rejects where it cannot be. */
  whenKept(options?: WaitOptions): Promise<void> {
    return this.#wait({ isDone: () => this.#kept, error: () => this.#loss }, options);
  }

  /** Sends what was edited, and closes the document. Safe to call again. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#flush();
    this.#end('closed', toError({ kind: 'aborted', number: 0, message: '' }));
    if (this.#state === 'failed') this.#close();
  }

  #sink(): Sink {
    return {
      opened: ({ mayWrite, mayShow }, isAnew) => {
        this.#rights = { mayWrite, mayShow };
        // What was refused for want of the right is sent again.
        if (mayWrite) this.#refusal = undefined;
        this.#emitter.emit('rights', this.#rights);
        this.#sync.opened(mayWrite, isAnew);
        this.#showing.opened(mayShow, isAnew);
        this.#look();
      },
      lost: () => {
        this.#sync.lost();
        this.#showing.lost();
        this.#changed();
        this.#look();
      },
      changed: () => this.#look(),
      told: (piece, bytes) => (piece === AWARENESS ? this.#showing : this.#sync).told(bytes, piece),
      saved: (upTo) => this.#sync.saved(upTo),
      refused: (refusal) => this.#sync.refused(refusal),
      failed: (error) => this.#end('failed', error),
      closed: (error) => this.#end('closed', error),
    };
  }

  /** Puts what was kept on this machine into the document, and keeps what comes from now on. */
  async #load(): Promise<void> {
    const { doc, name } = this;
    const failed = (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#loss = invalid(`what is edited is not kept on this machine (${reason}); it goes on without`);
      this.#changed();
      this.#emitter.emit('error', this.#loss);
    };
    try {
      const offline = await Offline.open(name, doc.gc, { changed: () => this.#changed(), failed });
      const { updates, isUnsaved } = await offline.load();
      if (this.#isEnded) {
        offline.close();
        return;
      }
      const isBegun = doc.store.clients.size > 0;
      doc.transact(() => {
        for (const update of updates) Y.applyUpdate(doc, update);
      }, KEPT);
      this.#offline = offline;
      if (isBegun) offline.append(Y.encodeStateAsUpdate(doc), this.#unsaved > 0);
      if (isUnsaved) this.#sync.hasUnsaved();
      this.#changed();
    } catch (error) {
      failed(error);
    }
    if (!this.#isEnded) this.#start();
  }

  #start(): void {
    this.#isLoaded = true;
    this.#line.start();
    this.#look();
  }

  get #isEnded(): boolean {
    return this.#state === 'failed' || this.#state === 'closed';
  }

  #flush(): void {
    if (this.#isEnded) return;
    this.#sync.flush();
    this.#showing.flush();
  }

  /** How it is doing may be another. */
  #look(): void {
    if (this.#isEnded) return;
    if (this.#line.isOpen) this.#become('open');
    else this.#become(this.#client.state.kind === 'reconnecting' ? 'offline' : 'connecting');
  }

  #become(state: DocState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#emitter.emit('state', state);
  }

  /** Whether it is synced, or how much is saved, may be another. */
  #changed(): void {
    const { isSynced, unsaved } = this.#sync;
    const wasUnsaved = this.#unsaved > 0;
    if (isSynced !== this.#synced) {
      this.#synced = isSynced;
      // What waits for `doc.whenSynced`, as editors may.
      guarded(() => this.doc.emit('sync', [isSynced, this.doc]));
      this.#emitter.emit('synced', isSynced);
    }
    if (unsaved !== this.#unsaved) {
      this.#unsaved = unsaved;
      this.#emitter.emit('unsaved', unsaved);
    }
    if (wasUnsaved && unsaved === 0) {
      this.#refusal = undefined;
      this.#offline?.saved();
      this.#emitter.emit('saved', undefined);
    }
    const kept = this.#offline?.isKept ?? false;
    if (kept !== this.#kept) {
      this.#kept = kept;
      this.#emitter.emit('kept', kept);
    }
    for (const waiting of this.#waiting) {
      if (waiting.isDone()) waiting.settle();
      else if (waiting.error?.()) waiting.settle(waiting.error());
    }
  }

  #refused(error: StarlingError): void {
    this.#refusal = error;
    this.#emitter.emit('refused', error);
    this.#changed();
  }

  #end(state: 'failed' | 'closed', error: StarlingError): void {
    if (this.#isEnded) return;
    this.#line.leave();
    this.#sync.lost();
    this.#sync.stop();
    this.#showing.stop();
    this.doc.off('destroy', this.#docDestroyed);
    this.#changed();
    this.#error = error;
    if (state === 'closed') this.#close();
    else {
      this.#become(state);
      this.#emitter.emit('error', error);
    }
    for (const waiting of this.#waiting) waiting.settle(error);
  }

  #close(): void {
    this.#offline?.close();
    // Others hear that it went from the server, which takes back what the session has shown.
    if (this.#hasOwnAwareness) this.awareness.destroy();
    this.#become('closed');
  }

  readonly #docDestroyed = (): void => this.destroy();

  async #wait(what: Omit<Waiting, 'settle'>, { timeoutMs = Infinity, signal }: WaitOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    const error = this.#error ?? (what.isDone() ? undefined : what.error?.());
    // What is edited after it has failed is counted by nobody.
    if (error && (this.#state === 'failed' || !what.isDone())) throw error;
    if (what.isDone()) return;
    await new Promise<void>((resolve, reject) => {
      const aborted = () => settle(signal?.reason);
      const settle = (error?: unknown) => {
        this.#waiting.delete(waiting);
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        if (error) reject(error);
        else resolve();
      };
      const waiting = { ...what, settle };
      this.#waiting.add(waiting);
      const late = () => settle(toError({ kind: 'timed_out', number: 0, message: `it is ${this.#state}` }));
      const timer = timeoutMs < Infinity ? setTimeout(late, timeoutMs) : undefined;
      signal?.addEventListener('abort', aborted);
    });
  }
}
