/**
 * Where a client's frames of documents are written and read: it numbers requests, and knows which document a number stands for in
 * this session. One serves all documents of a client.
 *
 *     DocProvider ─┬─ Sync ─────┐ pieces            pass, into this session or none
 *                  └─ Showing ──┴───────▶ Line ─▶ Desk ────────▶ client ──▶ engine
 *                               ◀───────      ◀──      ◀────────        ◀──
 *                      pieces, saved, refused
 */

import type { Foreign } from '../bridge.ts';
import { clock as ownClock } from '../clock.ts';
import { invalid } from '../errors.ts';
import type { Guest, Host } from '../guest.ts';
import { FRAME_HEADER_BYTES } from '../limits.ts';
import type { RetryMeans } from '../retry.ts';
import { DOCUMENT_CLIENT, type DocumentClientBodies, type DocumentFrame, decodeDocument } from '../wire/document.ts';
import { FrameFault } from '../wire/fault.ts';
import { encode } from '../wire/frame.ts';
import type { FrameOf, ServerBodies } from '../wire/frames.ts';
import { Line, type Sink } from './line.ts';

/** The session numbers its requests from 1 on, and presence from 2^32. */
const REQUESTS_FROM = 2 ** 33;

/** The documents of one client. */
export class Desk implements Guest {
  /** By the document's name: those that are edited, and those that are being closed. */
  readonly #lines = new Map<string, Line>();
  readonly #asked = new Map<number, Line>();
  /** By the number of the document in this session. */
  readonly #open = new Map<number, Line>();
  #requests = REQUESTS_FROM;
  #session = 0;

  constructor(
    readonly host: Host,
    readonly means: RetryMeans = { clock: ownClock, random: Math.random },
  ) {
    this.#session = host.session();
  }

  /** A session is open. */
  get isConnected(): boolean {
    return this.#session > 0;
  }

  /** Bytes of a piece that one frame of this session takes. */
  get partBytesMax(): number {
    return this.host.frameBytes() - FRAME_HEADER_BYTES;
  }

  /** A way to edit a document, for one at a time. */
  line(document: string, sink: Sink): Line {
    const line = this.#lines.get(document) ?? new Line(document, this);
    if (line.isTaken) {
      throw invalid(`this client has a provider for ${document}; use that one, or destroy it before making another`);
    }
    this.#lines.set(document, line);
    line.take(sink);
    return line;
  }

  /** Asks for a document to be opened. */
  ask(line: Line): void {
    this.#asked.set(++this.#requests, line);
    this.send('openDocument', { request: this.#requests, document: line.document });
  }

  /** Sends a frame, if the session is still open. */
  send<Kind extends keyof DocumentClientBodies>(kind: Kind, body: DocumentClientBodies[Kind]): void {
    const frame = { kind, body } as FrameOf<DocumentClientBodies>;
    if (this.#session) this.host.pass(0, encode<DocumentClientBodies>(DOCUMENT_CLIENT, frame), this.#session);
  }

  /** What a number stands for in this session; nothing without a line. */
  route(documentId: number, line: Line | undefined): void {
    if (line) this.#open.set(documentId, line);
    else this.#open.delete(documentId);
  }

  /** A line has nothing more to do. */
  forget(line: Line): void {
    this.#lines.delete(line.document);
  }

  changed(): void {
    const closed = this.host.closed();
    const session = this.host.session();
    const isOther = session !== this.#session;
    if (isOther) {
      this.#session = session;
      this.#asked.clear();
      this.#open.clear();
    }
    for (const line of [...this.#lines.values()]) {
      if (isOther) line.disconnected();
      if (closed) line.closed(closed);
      else line.changed();
    }
  }

  frame(foreign: Foreign): boolean {
    try {
      if (foreign.kind === 'error') return this.#refused(foreign.body);
      if (foreign.kind !== 'foreign') return false;
      const frame = decodeDocument(foreign.body);
      if (frame.kind === 'foreign') return false;
      this.#told(frame);
    } catch (error) {
      if (!(error instanceof FrameFault)) throw error;
      this.host.broken(error.message);
    }
    return true;
  }

  #refused(refusal: ServerBodies['error']): boolean {
    const line = this.#answered(refusal.request);
    line?.refused(refusal);
    return line !== undefined;
  }

  #told(frame: DocumentFrame): void {
    if (frame.kind === 'documentOpened' && frame.body.request) {
      const line = this.#answered(frame.body.request);
      if (line) line.opened(frame.body);
      else this.host.broken(`${frame.kind}, in answer to nothing`);
    }
    // What was on its way when the document was closed is of no interest.
    else this.#open.get(frame.body.documentId)?.told(frame);
  }

  #answered(request: number): Line | undefined {
    const line = this.#asked.get(request);
    this.#asked.delete(request);
    return line;
  }
}
