/**
 * A Yjs document and the server's copy of it, kept level.
 *
 *     opened ──▶ own state vector ──▶ the server's answer: everything that it had is here (`isSynced`)
 *            ◀── the server's state vector, whenever it asks: answered with all that it lacks (`isLevel`)
 *
 * Only then edits are sent one by one. Before, and without a connection, they are kept nowhere but in the document: what the
 * server lacks has them all. What is made in one turn goes in one frame.
 */

import * as Y from 'yjs';
import { BAD_UPDATE, FORBIDDEN, isRetryable } from '../codes.ts';
import { guarded } from '../emitter.ts';
import { invalid, type StarlingError, toError } from '../errors.ts';
import { PIECE_BYTES_MAX } from '../limits.ts';
import { Retry, type RetryMeans } from '../retry.ts';
import { AWARENESS, type DocumentServerBodies, MISSING, STATE_VECTOR, UPDATE } from '../wire/document.ts';
import { Ledger } from './ledger.ts';

/** Edits and bytes that wait for their turn. A task that makes more of them sends some before it ends. */
const PENDING_EDITS_MAX = 1_000;
const PENDING_BYTES_MAX = 256 * 1024;

/** What a document is synced over, and who is told. */
export interface Around {
  means: RetryMeans;
  /** Sends a piece, if the document is open. */
  send(piece: number, bytes: Uint8Array, edit?: number): void;
  /** There is something to send in the next turn. */
  wake(): void;
  /** The document was edited, here or by others. */
  edited(update: Uint8Array, isOwn: boolean): void;
  /** Whether it has all, or how much of what was edited here is saved, may be another. */
  changed(): void;
  /** What was edited here is not taken. */
  refused(error: StarlingError): void;
  /** It cannot go on. */
  failed(error: StarlingError): void;
  /** The server sent something wrong. */
  broken(reason: string): void;
}

/** Keeps one document level. */
export class Sync {
  /** Everything that the server had when the document was opened is here. */
  isSynced = false;
  readonly #ledger = new Ledger();
  readonly #retry: Retry;
  /** What the server said last that it had; nothing before it has, in this opening. */
  #vector: Uint8Array | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** The server takes edits. */
  #mayWrite = true;

  /** Updates that have `origin` came from elsewhere, and those of `kept` from this machine, where they were kept. */
  constructor(
    readonly doc: Y.Doc,
    private readonly origin: unknown,
    private readonly kept: unknown,
    private readonly around: Around,
  ) {
    this.#retry = new Retry(around.means, () => {
      if (!this.isSynced) this.#sendVector();
      this.#sendMissing(UPDATE);
    });
    // What is in it already may be in no store.
    if (doc.store.clients.size > 0) this.#ledger.made();
    doc.on('update', this.#edited);
  }

  /** How many edits that were made here are not in the store. */
  get unsaved(): number {
    return this.#ledger.unsaved;
  }

  /** What was kept on this machine has something that is not in the store. */
  hasUnsaved(): void {
    this.#ledger.made();
    this.around.changed();
  }

  /** Edits are taken, or are not. */
  opened(mayWrite: boolean, isAnew: boolean): void {
    const mayNow = mayWrite && !this.#mayWrite;
    this.#mayWrite = mayWrite;
    if (isAnew) this.#sendVector();
    else if (mayNow) this.#sendMissing(UPDATE);
  }

  /** The document is not open any more. */
  lost(): void {
    this.isSynced = false;
    this.#vector = undefined;
    this.#drop();
    this.#retry.stop();
    this.#ledger.lost();
  }

  told(bytes: Uint8Array, piece: number): void {
    if (piece === STATE_VECTOR) {
      // Cut free of its frame: it is kept.
      this.#vector = bytes.slice();
      this.#sendMissing(MISSING);
      return;
    }
    if (!this.#apply(bytes) || piece !== MISSING || this.isSynced) return;
    this.isSynced = true;
    this.around.changed();
  }

  saved(upTo: number): void {
    const before = this.unsaved;
    this.#ledger.saved(upTo);
    if (this.unsaved === before) return;
    this.#retry.forgive();
    this.around.changed();
  }

  refused({ piece, edit, code, message }: DocumentServerBodies['documentRefused']): void {
    // Whether states of awareness are taken, the rights say.
    if (piece === AWARENESS) return;
    if (edit) this.#ledger.refused(edit);
    const error = (text: string) => toError({ kind: 'refused', number: code, message: text });
    if (isRetryable(code)) this.#retry.later();
    else if (code !== BAD_UPDATE) this.around.refused(error(message));
    else {
      this.around.failed(
        error(`${message}; what was edited here is in nobody else’s document: copy it, and load the document anew`),
      );
    }
  }

  /** Sends what waits for its turn. */
  flush(): void {
    const [first, ...more] = this.#pending;
    this.#drop();
    if (first) this.#send(UPDATE, more.length > 0 ? Y.mergeUpdates([first, ...more]) : first, false);
  }

  /** Ends. */
  stop(): void {
    this.#retry.stop();
    this.doc.off('update', this.#edited);
  }

  readonly #edited = (update: Uint8Array, origin: unknown): void => {
    const isOwn = origin !== this.origin && origin !== this.kept;
    if (origin !== this.kept) this.around.edited(update, isOwn);
    if (!isOwn) return;
    this.#ledger.made();
    if (!this.#mayWrite) {
      this.around.refused(
        toError({
          kind: 'refused',
          number: FORBIDDEN,
          message: 'the document may only be read; what was edited is here alone',
        }),
      );
    } else if (this.#vector) {
      this.#pending.push(update);
      this.#pendingBytes += update.length;
      if (this.#pending.length >= PENDING_EDITS_MAX || this.#pendingBytes >= PENDING_BYTES_MAX) this.flush();
      else this.around.wake();
    }
    this.around.changed();
  };

  #sendVector(): void {
    this.around.send(STATE_VECTOR, Y.encodeStateVector(this.doc));
  }

  /** Sends all that the server lacks, as far as it has said what it has. */
  #sendMissing(piece: number): void {
    if (!this.#vector) return;
    this.#drop();
    let missing: Uint8Array;
    try {
      missing = Y.encodeStateAsUpdate(this.doc, this.#vector);
    } catch {
      this.#vector = undefined;
      this.around.broken('a state vector that is none');
      return;
    }
    this.#send(piece, missing, true);
  }

  #send(piece: number, bytes: Uint8Array, isAll: boolean): void {
    if (bytes.length <= PIECE_BYTES_MAX) {
      this.around.send(piece, bytes, this.#ledger.number(isAll));
      return;
    }
    this.around.failed(
      invalid(
        `an edit has ${bytes.length} bytes, a document takes ${PIECE_BYTES_MAX} at once; copy what was edited here, ` +
          'load the document anew, and put it in by smaller pieces',
      ),
    );
  }

  /** Whether the update was one. */
  #apply(update: Uint8Array): boolean {
    try {
      Y.applyUpdate(this.doc, update, this.origin);
    } catch (error) {
      try {
        Y.decodeUpdate(update);
      } catch {
        this.around.broken('an update that is none');
        return false;
      }
      // The application's own listener threw: the update is in the document.
      guarded(() => {
        throw error;
      });
    }
    return true;
  }

  #drop(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}
