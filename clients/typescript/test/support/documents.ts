/** Documents of a client whose page and session are the real ones, and whose server is the test. */

import * as Y from 'yjs';
import { Desk } from '../../src/document/desk.ts';
import {
  AWARENESS,
  DOCUMENT_CLIENT,
  DOCUMENT_SERVER,
  type DocumentClientBodies,
  type DocumentFrame,
  type DocumentServerBodies,
  MISSING,
  STATE_VECTOR,
  UPDATE,
} from '../../src/wire/document.ts';
import { decode, encode } from '../../src/wire/frame.ts';
import type { FrameOf } from '../../src/wire/frames.ts';
import { type DocOptions, DocProvider } from '../../src/yjs.ts';
import { Bench } from './bench.ts';
import { checkClient } from './client-check.ts';
import type { Time } from './time.ts';

/** Requests of documents are numbered above this one; tests number them from 1. */
const FROM = 2 ** 33;

const PIECES = { [UPDATE]: 'update', [STATE_VECTOR]: 'vector', [MISSING]: 'missing', [AWARENESS]: 'awareness' };

/** A frame of documents that a client sent. */
export type Written = FrameOf<DocumentClientBodies>;

/** The state vector and the update of a document with nothing in it. */
export const NOTHING = new Uint8Array([0]);
export const NO_UPDATE = new Uint8Array([0, 0]);

/** The update that puts a text into a document's text `t`. */
export function textUpdate(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText('t').insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}

/** One client, and the frames of documents that it sent. */
export class DocumentBench extends Bench {
  /** The same, whole, with the bytes that each takes. */
  readonly frames: { frame: Written; bytes: number }[] = [];
  readonly #providers: DocProvider[] = [];

  constructor(
    time?: Time,
    /** Takes what is sent. */
    readonly out?: (frame: Written) => void,
    random = () => 0.5,
  ) {
    super(time);
    this.client.guest(Desk, (host) => new Desk(host, { clock: this.time, random }));
  }

  provider(name = 'plan', doc = new Y.Doc(), options: DocOptions = {}): DocProvider {
    const provider = new DocProvider(this.client, name, doc, options);
    this.#providers.push(provider);
    return provider;
  }

  /** Ends the timers of awareness. */
  destroy(): void {
    for (const provider of this.#providers) provider.destroy();
  }

  /** The server sends a frame of documents; its request counts from 1. */
  tell<Kind extends DocumentFrame['kind']>(kind: Kind, body: Partial<DocumentServerBodies[Kind]>): void {
    const numbered = 'request' in body ? { ...body, request: FROM + (body.request as number) } : body;
    const frame = { kind, body: numbered } as unknown as DocumentFrame;
    this.receive(encode<DocumentServerBodies>(DOCUMENT_SERVER, frame));
  }

  /** The server has opened what was asked for by this request. */
  opened(request: number, documentId = 7, mayWrite = true, mayShow = true): void {
    this.tell('documentOpened', { request, documentId, mayWrite, mayShow });
  }

  /** The server says something of a document. */
  part(piece: number, data: Uint8Array, more = false, documentId = 7): void {
    this.tell('documentPart', { documentId, piece, data, more });
  }

  /** The server opens the document, has nothing, and says so. */
  level(request: number, documentId = 7): void {
    this.opened(request, documentId);
    this.part(STATE_VECTOR, NOTHING, false, documentId);
    this.part(MISSING, NO_UPDATE, false, documentId);
  }

  saved(upTo: number, documentId = 7): void {
    this.tell('documentSaved', { documentId, upTo });
  }

  refuse(request: number, code: number, retryAfterMs = 0): void {
    this.server('error', { request: FROM + request, code, message: 'no', retryAfterMs });
  }

  /** What was sent once the turns that are due are over. */
  async turn(ms = 20): Promise<string[]> {
    await this.time.pass(ms);
    return this.taken();
  }

  protected wrote(body: Uint8Array<ArrayBuffer>): string {
    const frame = decode<DocumentClientBodies>(DOCUMENT_CLIENT, body);
    if (frame.kind === 'foreign') throw new Error('a frame that is none of documents');
    checkClient(frame);
    if (this.out) this.out(frame);
    else this.frames.push({ frame, bytes: body.length });
    return short(frame);
  }
}

function short(frame: Written): string {
  switch (frame.kind) {
    case 'openDocument':
      return `open ${frame.body.request - FROM} ${frame.body.document}`;
    case 'closeDocument':
      return `close ${frame.body.documentId}`;
    case 'documentPart': {
      const { documentId, piece, edit, more } = frame.body;
      return `${PIECES[piece as 1]}${edit ? ` ${edit}` : ''} to ${documentId}${more ? ' ..' : ''}`;
    }
  }
}

/** The pieces of one kind that were sent, put together. */
export function pieces(bench: DocumentBench, kind: number): Uint8Array[] {
  const whole: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (const { frame } of bench.frames) {
    if (frame.kind !== 'documentPart' || frame.body.piece !== kind) continue;
    parts.push(frame.body.data);
    if (frame.body.more) continue;
    whole.push(Uint8Array.from(Buffer.concat(parts)));
    parts = [];
  }
  return whole;
}
