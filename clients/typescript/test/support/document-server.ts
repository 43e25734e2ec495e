/** A node that keeps the protocol's rules for documents in memory, with a store that lags behind it, under simulated time. */

import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { AWARENESS, type DocumentServerBodies, MISSING, STATE_VECTOR, UPDATE } from '../../src/wire/document.ts';
import type { Written } from './documents.ts';
import type { Time } from './time.ts';

/** Tells a client. */
type Tell = <Kind extends keyof DocumentServerBodies>(kind: Kind, body: Partial<DocumentServerBodies[Kind]>) => void;

/** Bytes of a part; small, so that pieces travel in several. */
const PART_BYTES_MAX = 60;

/** An edit that was sent: what became of it. */
interface Edit {
  number: number;
  /** `held` builds on one that has not come. */
  state: 'held' | 'applied' | 'stored' | 'refused';
}

/** One document in memory, and its rows. */
class Held {
  readonly doc = new Y.Doc();
  readonly awareness = new Awareness(this.doc);
  readonly seats = new Set<Seat>();
  isCommitting = false;

  constructor(
    readonly documentId: number,
    readonly stored: Y.Doc,
  ) {
    this.awareness.setLocalState(null);
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(stored));
  }
}

/** One session in one document. */
class Seat {
  readonly edits: Edit[] = [];
  readonly shown = new Set<number>();
  told = 0;

  constructor(
    readonly held: Held,
    readonly tell: Tell,
  ) {}

  say(piece: number, bytes: Uint8Array): void {
    const { documentId } = this.held;
    for (let at = 0; at === 0 || at < bytes.length; at += PART_BYTES_MAX) {
      const data = bytes.subarray(at, at + PART_BYTES_MAX);
      this.tell('documentPart', { documentId, piece, data, more: at + PART_BYTES_MAX < bytes.length });
    }
  }

  /** Names the last edit before which all are stored or refused, if that is another. */
  tellSaved(): void {
    let upTo = 0;
    for (const { number, state } of this.edits) {
      if (state === 'held' || state === 'applied') break;
      upTo = number;
    }
    if (upTo > this.told) this.tell('documentSaved', { documentId: this.held.documentId, upTo });
    this.told = upTo;
  }
}

/** All documents of a node. */
export class DocumentServer {
  /** What survives a crash. */
  readonly store = new Map<string, Y.Doc>();
  /** The share of edits that are refused for now, and of pieces after which a document is closed. */
  troubles = 0.02;
  /** The store answers. */
  isStoring = true;
  #held = new Map<string, Held>();
  #generation = 0;

  constructor(
    readonly time: Time,
    readonly random: () => number,
  ) {}

  stored(name: string): Y.Doc {
    const stored = this.store.get(name) ?? new Y.Doc();
    this.store.set(name, stored);
    return stored;
  }

  held(name: string): Held {
    let held = this.#held.get(name);
    if (!held) {
      // Numbers are used again: after a crash the same one may be another document.
      held = new Held(1 + this.#held.size, this.stored(name));
      this.#held.set(name, held);
    }
    return held;
  }

  /** All that is not stored is gone. */
  crash(): void {
    this.#generation++;
    this.stop();
    this.#held = new Map();
  }

  /** Ends the timers of awareness. */
  stop(): void {
    for (const { awareness } of this.#held.values()) awareness.destroy();
  }

  /** Writes what is not stored, a little later. */
  commit(held: Held): void {
    if (held.isCommitting) return;
    held.isCommitting = true;
    const generation = this.#generation;
    const seats = new Map<Seat, Edit[]>();
    let update: Uint8Array | undefined;
    const act = () => {
      if (generation !== this.#generation) return;
      if (!this.isStoring) return void this.time.at(this.time.now() + 100, act);
      if (!update) {
        // Taken now, stored when it is written: what comes meanwhile is in the next.
        update = Y.encodeStateAsUpdate(held.doc, Y.encodeStateVector(held.stored));
        for (const seat of held.seats)
          seats.set(
            seat,
            seat.edits.filter(({ state }) => state === 'applied'),
          );
        return void this.time.at(this.time.now() + this.random() * 100, act);
      }
      Y.applyUpdate(held.stored, update);
      held.isCommitting = false;
      for (const [seat, edits] of seats) {
        for (const edit of edits) edit.state = 'stored';
        if (held.seats.has(seat)) seat.tellSaved();
      }
      if ([...held.seats].some(({ edits }) => edits.some(({ state }) => state === 'applied'))) this.commit(held);
    };
    this.time.at(this.time.now() + this.random() * 50, act);
  }
}

/** One connection to the server. */
export class DocumentServed {
  readonly #seats = new Map<number, Seat>();
  readonly #parts = new Map<number, Uint8Array[]>();

  constructor(
    private readonly server: DocumentServer,
    private readonly tell: Tell,
  ) {}

  /** The client sent a frame. */
  receive(frame: Written): void {
    switch (frame.kind) {
      case 'openDocument': {
        const { request, document } = frame.body;
        const held = this.server.held(document);
        const { documentId } = held;
        if (this.#seats.has(documentId)) throw new Error(`${document} is open, and opened again`);
        const seat = new Seat(held, this.tell);
        this.#seats.set(documentId, seat);
        held.seats.add(seat);
        this.tell('documentOpened', { request, documentId, mayWrite: true, mayShow: true });
        seat.say(STATE_VECTOR, Y.encodeStateVector(held.doc));
        const there = [...held.awareness.getStates().keys()];
        if (there.length > 0) seat.say(AWARENESS, encodeAwarenessUpdate(held.awareness, there));
        break;
      }
      case 'closeDocument':
        this.#close(frame.body.documentId);
        break;
      case 'documentPart': {
        const { documentId, piece, edit, data, more } = frame.body;
        // What crosses the server's own closing is of no interest.
        const seat = this.#seats.get(documentId);
        if (!seat) return;
        const parts = this.#parts.get(documentId) ?? [];
        parts.push(data);
        this.#parts.set(documentId, more ? parts : []);
        if (!more) this.#take(seat, piece, edit, Uint8Array.from(Buffer.concat(parts)));
      }
    }
  }

  /** The connection is over. */
  end(): void {
    for (const documentId of [...this.#seats.keys()]) this.#close(documentId);
  }

  #close(documentId: number): void {
    const seat = this.#seats.get(documentId);
    this.#seats.delete(documentId);
    this.#parts.delete(documentId);
    if (!seat) return;
    const { awareness, seats } = seat.held;
    seats.delete(seat);
    const gone = [...seat.shown];
    if (gone.length === 0) return;
    removeAwarenessStates(awareness, gone, seat);
    for (const other of seats) other.say(AWARENESS, encodeAwarenessUpdate(awareness, gone));
  }

  #take(seat: Seat, piece: number, number: number, bytes: Uint8Array): void {
    const { held } = seat;
    const { documentId, doc } = held;
    const others = [...held.seats].filter((other) => other !== seat);
    if (piece === STATE_VECTOR) {
      seat.say(MISSING, Y.encodeStateAsUpdate(doc, bytes));
      return;
    }
    if (piece === AWARENESS) {
      this.#show(seat, bytes);
      for (const other of others) other.say(AWARENESS, bytes);
      return;
    }
    if (number <= (seat.edits.at(-1)?.number ?? 0)) throw new Error('the number of an edit did not rise');
    const edit: Edit = { number, state: 'applied' };
    seat.edits.push(edit);
    const { random, troubles } = this.server;
    if (random() < troubles) {
      edit.state = 'refused';
      this.tell('documentRefused', { documentId, piece, edit: number, code: 100, message: 'busy' });
    } else {
      Y.applyUpdate(doc, bytes, seat);
      for (const other of others) other.say(UPDATE, bytes);
      if (doc.store.pendingStructs || doc.store.pendingDs) {
        edit.state = 'held';
        seat.say(STATE_VECTOR, Y.encodeStateVector(doc));
      } else
        for (const { edits } of held.seats) for (const one of edits) if (one.state === 'held') one.state = 'applied';
      this.server.commit(held);
    }
    if (random() < troubles / 4) {
      this.tell('documentRefused', { documentId, code: 105, message: 'slow', retryAfterMs: 50 });
      this.#close(documentId);
    }
  }

  /** Takes the state of a client; one that comes with a clock of before is told that it went, and counts on from there. */
  #show(seat: Seat, bytes: Uint8Array): void {
    const { awareness } = seat.held;
    const said = new Awareness(new Y.Doc());
    said.setLocalState(null);
    applyAwarenessUpdate(said, bytes, seat);
    said.destroy();
    for (const [id, { clock }] of said.meta) {
      if (id === said.clientID) continue;
      seat.shown.add(id);
      const known = awareness.meta.get(id)?.clock ?? -1;
      if (clock <= known) seat.say(AWARENESS, encodeAwarenessUpdate(awareness, [id], new Map()));
    }
    applyAwarenessUpdate(awareness, bytes, seat);
  }
}
