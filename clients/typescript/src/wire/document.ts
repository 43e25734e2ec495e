/** The frames of documents, as `document.proto` has them: like those of presence, a page that edits none loads nothing of them. */

import { CHANNEL_BYTES_MAX, TEXT_BYTES_MAX } from '../limits.ts';
import { FrameFault } from './fault.ts';
import { fields } from './fields.ts';
import { decode } from './frame.ts';
import type { ForeignFrame, FrameOf } from './frames.ts';
import { message } from './message.ts';

// What the bytes of a piece are.
export const UPDATE = 1;
export const STATE_VECTOR = 2;
export const MISSING = 3;
export const AWARENESS = 4;

/** Some bytes that are said of a document, by either side. */
export interface WirePart {
  documentId: number;
  piece: number;
  edit: number;
  data: Uint8Array;
  more: boolean;
}

/** Bodies of a server, by kind. */
export interface DocumentServerBodies {
  documentPart: WirePart;
  documentSaved: { documentId: number; upTo: number };
  documentOpened: { request: number; documentId: number; mayWrite: boolean; mayShow: boolean };
  documentRefused: {
    documentId: number;
    piece: number;
    edit: number;
    code: number;
    message: string;
    retryAfterMs: number;
  };
}

/** Bodies of a client, by kind. */
export interface DocumentClientBodies {
  documentPart: WirePart;
  openDocument: { request: number; document: string };
  closeDocument: { documentId: number };
}

/** What a server sends about documents. */
export type DocumentFrame = FrameOf<DocumentServerBodies>;

const part = fields(['documentId!', 'u32'], ['piece!', 'u32'], 'edit', ['data', 'bytes'], ['more', 'bool']);

/** What a server sends, by number. */
export const DOCUMENT_SERVER = message({
  24: ['documentPart', part],
  25: ['documentSaved', fields(['documentId!', 'u32'], 'upTo!')],
  26: ['documentOpened', fields('request', ['documentId!', 'u32'], ['mayWrite', 'bool'], ['mayShow', 'bool'])],
  27: [
    'documentRefused',
    fields(['documentId!', 'u32'], ['piece', 'u32'], 'edit code!', ['message', TEXT_BYTES_MAX], 'retryAfterMs'),
  ],
});

/** What a client sends, by number. */
export const DOCUMENT_CLIENT = message({
  13: ['documentPart', part],
  19: ['openDocument', fields('request', ['document', CHANNEL_BYTES_MAX])],
  20: ['closeDocument', fields(['documentId', 'u32'])],
});

/** The frame that a body is which the session does not know; foreign if it is none of documents. */
export function decodeDocument(bytes: Uint8Array<ArrayBuffer>, exact = false): DocumentFrame | ForeignFrame {
  const frame = decode<DocumentServerBodies>(DOCUMENT_SERVER, bytes, exact);
  // What is refused may be of a kind that only a newer server knows; what is told may not.
  if (frame.kind === 'documentPart' && frame.body.piece > AWARENESS) {
    throw new FrameFault('field_unknown_value', 'documentPart.piece');
  }
  return frame;
}
