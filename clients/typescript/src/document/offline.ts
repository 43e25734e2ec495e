/**
 * A document kept on this machine, in a database of the page's origin: so that it is there without a connection, and what was
 * edited and not saved is there after a reload.
 *
 * Two tables. `updates` has the updates in the order they came. `unsaved` has a mark for each page that has edited something
 * which is not in the server's store: how many edits it has made, written together with each. Many pages share a database: each
 * appends what it sees, and who compacts it does so in one transaction, in which nobody else writes. A page that finds the
 * mark of another takes it away once all that it found is saved, unless more was edited there since.
 */

import * as Y from 'yjs';

/** Rows before they are made one: the document is read as fast as it would be from one, and seldom written whole. */
export const ROWS_MAX = 500;

const UPDATES = 'updates';
const UNSAVED = 'unsaved';

/** The name of a document's database: the same for every node that may serve it. */
const databaseOf = (document: string): string => `starling-document:${document}`;

/** What was kept. */
export interface Kept {
  updates: Uint8Array[];
  /** Some of it may not be in the server's store. */
  isUnsaved: boolean;
}

/** Who is told of a database. */
export interface Keeper {
  /** {@link Offline.isKept} may be another. */
  changed(): void;
  /** Something could not be written, and will not be. */
  failed(reason: string): void;
}

/** One document's database. */
export class Offline {
  readonly #database: IDBDatabase;
  readonly #gc: boolean;
  readonly #keeper: Keeper;
  /** Updates that are not written yet. */
  #writing = 0;
  /** Something was not written: what comes after it does not make the document whole. */
  #hasGap = false;
  /** Rows since they were made one, as far as this page knows. */
  #rows = 0;
  /** The mark of this page, and how many edits it has made. */
  readonly #page = String(crypto.getRandomValues(new Uint32Array(3)));
  #edits = 0;
  /** Marks that go when all that is in this page's document is saved. */
  #marks = new Map<IDBValidKey, number>();

  private constructor(database: IDBDatabase, gc: boolean, keeper: Keeper) {
    this.#database = database;
    this.#gc = gc;
    this.#keeper = keeper;
    // The user, or another page, clears it: this page goes on without.
    database.onversionchange = () => {
      database.close();
      this.#hasGap = true;
      keeper.changed();
    };
  }

  /** Opens a document's database. What was deleted is let go with `gc`, when rows are made one. */
  static async open(document: string, gc: boolean, keeper: Keeper): Promise<Offline> {
    const request = indexedDB.open(databaseOf(document), 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(UPDATES, { autoIncrement: true });
      request.result.createObjectStore(UNSAVED);
    };
    return new Offline(await done(request), gc, keeper);
  }

  /** All that was appended is in the database. */
  get isKept(): boolean {
    return this.#writing === 0 && !this.#hasGap;
  }

  /** What was kept until now. */
  async load(): Promise<Kept> {
    const transaction = this.#database.transaction([UPDATES, UNSAVED]);
    const unsaved = transaction.objectStore(UNSAVED);
    const [updates, pages, edits] = await Promise.all([
      done<Uint8Array[]>(transaction.objectStore(UPDATES).getAll()),
      done(unsaved.getAllKeys()),
      done<number[]>(unsaved.getAll()),
    ]);
    this.#rows = updates.length;
    this.#marks = new Map(pages.map((page, at) => [page, edits[at] as number]));
    return { updates, isUnsaved: pages.length > 0 };
  }

  /** Keeps an update. One's own is unsaved until {@link saved}. */
  append(update: Uint8Array, isOwn: boolean): void {
    if (isOwn) this.#marks.set(this.#page, ++this.#edits);
    this.#write((updates, unsaved) => {
      updates.add(update);
      if (isOwn) unsaved.put(this.#edits, this.#page);
    }, true);
    if (++this.#rows > ROWS_MAX) this.#compact();
  }

  /** All that is in this page's document is in the server's store. */
  saved(): void {
    const marks = this.#marks;
    if (marks.size === 0) return;
    this.#marks = new Map();
    this.#write((_, unsaved) => {
      for (const [page, edits] of marks) {
        const request = unsaved.get(page);
        request.onsuccess = () => {
          if (request.result === edits) unsaved.delete(page);
        };
      }
    });
  }

  /** Writes nothing more. */
  close(): void {
    this.#database.close();
  }

  /** Makes one row of all. */
  #compact(): void {
    this.#rows = 0;
    this.#write((updates) => {
      const keys = updates.getAllKeys();
      const rows = updates.getAll();
      // The later of the two.
      rows.onsuccess = () => {
        const doc = new Y.Doc({ gc: this.#gc });
        for (const row of rows.result) Y.applyUpdate(doc, row);
        updates.delete(IDBKeyRange.bound(keys.result[0], keys.result.at(-1)));
        updates.add(Y.encodeStateAsUpdate(doc));
      };
    });
  }

  /** Writes; an update is kept once it is written. */
  #write(act: (updates: IDBObjectStore, unsaved: IDBObjectStore) => void, isUpdate = false): void {
    try {
      const transaction = this.#database.transaction([UPDATES, UNSAVED], 'readwrite');
      transaction.onabort = () => {
        this.#hasGap = true;
        this.#keeper.failed(transaction.error?.message ?? 'it was taken back');
      };
      if (isUpdate) {
        this.#writing++;
        transaction.oncomplete = () => {
          this.#writing--;
          this.#keeper.changed();
        };
        this.#keeper.changed();
      }
      act(transaction.objectStore(UPDATES), transaction.objectStore(UNSAVED));
    } catch {
      // It was closed, by the page or because it was cleared.
    }
  }
}

/** Forgets what was kept of a document on this machine, saved or not: when its user signs out, say. */
export async function forget(document: string): Promise<void> {
  await done(indexedDB.deleteDatabase(databaseOf(document)));
}

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
