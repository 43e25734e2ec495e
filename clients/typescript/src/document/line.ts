/**
 * One document between whoever edits it and the server.
 *
 *              OpenDocument             DocumentOpened
 *     closed ───────────────▶ opening ─────────────────▶ open ──┐
 *        ▲                       │                        │     │ CloseDocument
 *        └── refused, session ◀──┴── over, closed by the ◀┘     │
 *            is over               server                       │
 *        ◀──────────────────────────────────────────────────────┘
 *
 * While somebody wants it, it is opened again: with each session, and after a wait where the server has refused or closed it
 * for now.
 */

import { isRetryable } from '../codes.ts';
import { type StarlingError, toError } from '../errors.ts';
import { Retry } from '../retry.ts';
import type { DocumentFrame, DocumentServerBodies } from '../wire/document.ts';
import type { ServerBodies } from '../wire/frames.ts';
import type { Desk } from './desk.ts';
import { Assembly, cut } from './parts.ts';

/** A document that stayed open so long was opened well: what closes it next is another trouble. */
const STEADY_MS = 10_000;

/** What the session may do in the document. */
export interface Rights {
  /** Edits are taken. */
  readonly mayWrite: boolean;
  /** States of awareness are taken. */
  readonly mayShow: boolean;
}

/** Who edits the document. */
export interface Sink {
  /** The document is open, or is so with other rights. */
  opened(rights: Rights, isAnew: boolean): void;
  /** It is not open any more. */
  lost(): void;
  /** The connection is another, or its state is. */
  changed(): void;
  told(piece: number, bytes: Uint8Array): void;
  saved(upTo: number): void;
  /** Something that was sent was not taken. */
  refused(refusal: DocumentServerBodies['documentRefused']): void;
  /** It will not be opened again: the server will not have it. */
  failed(error: StarlingError): void;
  /** Nor by any other: the client has closed. */
  closed(error: StarlingError): void;
}

/** One document. */
export class Line {
  readonly #retry: Retry;
  readonly #assembly = new Assembly();
  #sink: Sink | undefined;
  #isStarted = false;
  #isOpening = false;
  /** The document's number in this session; 0 while it is not open. */
  #id = 0;
  #openedAt = 0;

  constructor(
    readonly document: string,
    private readonly desk: Desk,
  ) {
    this.#retry = new Retry(desk.means, () => this.#open());
  }

  /** Somebody edits the document. */
  get isTaken(): boolean {
    return this.#sink !== undefined;
  }

  get isOpen(): boolean {
    return this.#id > 0;
  }

  /** Has it for whoever edits the document. */
  take(sink: Sink): void {
    this.#sink = sink;
  }

  /** Opens the document, and keeps it open. */
  start(): void {
    const closed = this.desk.host.closed();
    if (closed) {
      this.closed(closed);
      return;
    }
    this.#isStarted = true;
    this.desk.host.connect();
    this.#open();
  }

  /** Closes it. Safe to call again. */
  leave(): void {
    if (!this.#sink) return;
    this.#sink = undefined;
    this.#isStarted = false;
    this.#retry.stop();
    if (this.#id) this.desk.send('closeDocument', { documentId: this.#id });
    this.#forget();
    // Whoever takes it before it is open is given what was asked for already.
    if (!this.#isOpening) this.desk.forget(this);
  }

  /** Sends a piece in as many parts as it takes, and nothing if the document is not open. */
  send(piece: number, bytes: Uint8Array, edit = 0): void {
    const documentId = this.#id;
    if (!documentId) return;
    for (const part of cut(bytes, this.desk.partBytesMax)) {
      this.desk.send('documentPart', { documentId, piece, edit, ...part });
    }
  }

  disconnected(): void {
    this.#isOpening = false;
    this.#retry.stop();
    const wasOpen = this.isOpen;
    this.#forget();
    if (!this.#sink) this.desk.forget(this);
    else if (wasOpen) this.#sink.lost();
  }

  changed(): void {
    this.#open();
    this.#sink?.changed();
  }

  closed(error: StarlingError): void {
    this.#end()?.closed(error);
  }

  opened({ documentId, mayWrite, mayShow }: DocumentServerBodies['documentOpened']): void {
    this.#isOpening = false;
    const sink = this.#isStarted ? this.#sink : undefined;
    if (!sink) {
      // It was asked for by somebody who has left since.
      this.desk.send('closeDocument', { documentId });
      if (!this.#sink) this.desk.forget(this);
      return;
    }
    this.#id = documentId;
    this.#openedAt = this.desk.means.clock.now();
    this.desk.route(documentId, this);
    sink.opened({ mayWrite, mayShow }, true);
  }

  refused({ code, message, retryAfterMs }: ServerBodies['error']): void {
    this.#isOpening = false;
    if (!this.#sink) this.desk.forget(this);
    else this.#closed(code, message, retryAfterMs, isRetryable(code));
  }

  told(frame: DocumentFrame): void {
    const sink = this.#sink;
    if (!sink) return;
    switch (frame.kind) {
      case 'documentPart': {
        const bytes = this.#assembly.add(frame.body);
        if (bytes) sink.told(frame.body.piece, bytes);
        break;
      }
      case 'documentSaved':
        sink.saved(frame.body.upTo);
        break;
      case 'documentOpened':
        sink.opened(frame.body, false);
        break;
      case 'documentRefused': {
        const { piece, code, message, retryAfterMs } = frame.body;
        if (piece) {
          sink.refused(frame.body);
          break;
        }
        const isSteady = this.desk.means.clock.now() - this.#openedAt >= STEADY_MS;
        if (isSteady) this.#retry.forgive();
        this.#forget();
        sink.lost();
        this.#closed(code, message, retryAfterMs, retryAfterMs > 0);
      }
    }
  }

  #open(): void {
    if (!this.#isStarted || this.#isOpening || this.#id || this.#retry.isDue || !this.desk.isConnected) return;
    this.#isOpening = true;
    this.desk.ask(this);
  }

  /** The server does not have it open: for now, or for good. */
  #closed(code: number, message: string, retryAfterMs: number, isForNow: boolean): void {
    if (isForNow) this.#retry.later(retryAfterMs);
    else this.#end()?.failed(toError({ kind: 'refused', number: code, message }));
  }

  /** Nobody edits it any more: who did. */
  #end(): Sink | undefined {
    const sink = this.#sink;
    this.leave();
    return sink;
  }

  #forget(): void {
    if (this.#id) this.desk.route(this.#id, undefined);
    this.#id = 0;
    this.#assembly.clear();
  }
}
