/**
 * The rules of one subscription: what reaches the application, in which order, and what is asked for when something is
 * missing.
 *
 *               Attach              Attached
 *     detached ────────▶ attaching ─────────▶ live ◀────────────────────┐
 *        ▲                  │                  │  no room, lagged, gap  │ the next seq, or word of a jump
 *        │ refused, lost    │                  ▼                        │
 *        └──────────────────┴──────────────── behind ── room again ──▶ pulling
 *                                                        Pull
 *
 * The *place* is the position of what was last handed on. Only four things move it: the message after it, Skipped, a
 * complete Snapshot, and a Discontinuity, which the application is told of. All else is either known already (not above
 * the place) or a gap (above it), and a gap is pulled.
 *
 * Of a keyed channel the application has nothing until the state is complete: until then a reconnect goes on from where
 * the state was asked for, not from the place.
 */

import type { Position } from '../types.ts';
import type { ClientBodies, ServerBodies, WireEntry } from '../wire/frames.ts';
import { type Cost, type Entry, type RawOutcome, type ReaderEvent, type ReadOptions, Violation } from './message.ts';
import { costOf, Room } from './room.ts';
import type { Shared } from './shared.ts';

type Flow = 'detached' | 'attaching' | 'live' | 'state' | 'behind' | 'pulling';

/** One subscription. */
export class Reading {
  readonly room = new Room();
  flow: Flow = 'detached';
  /** A refused attach is not tried again before. */
  notBefore = 0;
  /** Its messages carry keys: known once it was attached. */
  keyed = false;
  /** Since when the application has left what holds page credit. */
  movedAt: number;
  /** The id it is attached under. */
  channelId = 0;
  #place: Position | undefined;
  /** While a keyed channel's state is not complete: where to go on from instead of the place. */
  #incomplete: Position | undefined;
  /** The state under way. */
  #state: { at: Position; replace: boolean } | undefined;
  /** Seq of the newest message when it was attached: what is not above it is replayed. */
  #head = 0;

  constructor(
    readonly id: number,
    readonly channel: string,
    private readonly options: ReadOptions,
    private readonly shared: Shared,
  ) {
    this.movedAt = shared.now;
  }

  get isAttached(): boolean {
    return this.flow !== 'detached' && this.flow !== 'attaching';
  }

  /** Whether Attach is to be sent now. A queue that is still full waits: nothing could be delivered. */
  get wantsAttach(): boolean {
    return this.flow === 'detached' && this.notBefore <= this.shared.now && this.room.hasRoomAgain;
  }

  /** Whether the server owes it pages. */
  get expectsPages(): boolean {
    return this.flow === 'pulling' || (this.isAttached && (this.#place?.seq ?? 0) < this.#head);
  }

  /** Whether it sits on page credit. That of a state cannot be pulled in parts. */
  get hoards(): boolean {
    return this.room.credit > 0 && this.flow !== 'state';
  }

  /** The Attach to send, as this request. */
  attach(request: number): ClientBodies['attach'] {
    this.flow = 'attaching';
    const { since, policy } = this.options;
    const body: ClientBodies['attach'] = { request, channel: this.channel, policy };
    const position = this.#resume();
    if (position) body.position = position;
    else if (typeof since === 'object' && 'messages' in since) body.rewind = since.messages;
    return body;
  }

  /** The connection or the attachment is gone. */
  detached(notBefore = 0): void {
    this.flow = 'detached';
    this.notBefore = notBefore;
  }

  /** The server's answer to Attach. */
  attached(frame: ServerBodies['attached']): void {
    const asked = this.#resume();
    const outcome: RawOutcome = frame.discontinuity
      ? { kind: 'discontinuity', reason: frame.discontinuity.reason }
      : frame.rewound
        ? { kind: 'rewound', count: frame.rewound.count }
        : { kind: 'resumed' };
    const position = confirmed(asked, frame.position as Position, outcome, frame.keyed);
    if (asked && frame.keyed && outcome.kind === 'resumed') {
      // What changed between the two comes as a state.
      this.#incomplete = asked.seq === position.seq ? undefined : asked;
    } else this.#incomplete = frame.keyed && position.seq > 0 ? beforeAll(position) : undefined;
    this.#place = position;
    this.#head = frame.head;
    this.keyed = frame.keyed;
    this.channelId = frame.channelId;
    this.flow = 'live';
    const window = frame.window as { messages: number; bytes: number; ageMs: number };
    this.#deliver({
      type: 'attached',
      attached: { position, head: frame.head, outcome, window, keyed: frame.keyed, isWhole: !this.#incomplete },
    });
    if (outcome.kind === 'discontinuity') this.#lost(outcome.reason, position);
  }

  publication(frame: ServerBodies['publication']): void {
    const place = this.#flowing('a publication');
    if (!place) return;
    if (frame.seq <= place.seq) this.shared.counts.duplicates++;
    else if (frame.seq > place.seq + 1) this.#gap();
    else if (!this.room.hasRoom) this.#overflow();
    else this.#advance(frame, place.epoch, frame.seq <= this.#head, costOf(0));
  }

  /** A page is taken whole: the credit that it used bounds what may pile up. */
  page(frame: ServerBodies['page'], credit: Cost): void {
    const place = this.#flowing('a page');
    const fresh = place && frame.after <= place.seq ? frame.entries.filter(({ seq }) => seq > place.seq) : [];
    if (place && frame.after > place.seq) this.#gap();
    else if (place) this.shared.counts.duplicates += frame.entries.length - fresh.length;
    if (!place || this.flow === 'behind' || fresh.length === 0) {
      this.shared.credit.giveBack(credit);
      return;
    }
    fresh.forEach((entry, at) => {
      // The page's credit comes back with the last of its messages.
      const cost = at === fresh.length - 1 ? { ...credit, bytes: costOf(0).bytes } : costOf(0);
      this.#advance(entry, place.epoch, true, cost);
    });
  }

  /**
   * Parts are handed on as they come, because a state may be larger than any queue. The place moves only with the final
   * part. Once a state that replaces everything is under way, a reconnect goes on from before the first message: the
   * application has forgotten its keys by then, and has to get all of them.
   */
  snapshot(frame: ServerBodies['snapshot'], credit: Cost): void {
    const place = this.isAttached ? this.#place : undefined;
    // What the Pull asks for will come whole.
    if (!place || this.flow === 'behind') {
      this.shared.credit.giveBack(credit);
      return;
    }
    const { replace, last } = frame;
    const at = frame.at as Position;
    const first = this.flow !== 'state';
    const begun = this.#state;
    if (!first && begun && !(same(begun.at, at) && begun.replace === replace)) {
      throw new Violation('two snapshots, mixed');
    }
    if (at.epoch === place.epoch ? at.seq < place.seq : !replace) {
      throw new Violation('a snapshot of the past');
    }
    if (last) {
      this.#place = at;
      this.#incomplete = undefined;
      this.flow = 'live';
    } else {
      this.#incomplete = replace ? beforeAll(at) : (this.#incomplete ?? place);
      this.#state = { at, replace };
      this.flow = 'state';
    }
    const entries = frame.entries.map((entry) => toEntry({ ...entry, term: 0 }, at.epoch, true));
    this.shared.counts.messages += entries.length;
    const bytes = entries.reduce((sum, entry) => sum + costOf(entry.payload.length + entry.key.length).bytes, 0);
    this.#deliver({ type: 'state', state: { replace, first, last, at, entries } }, { ...credit, bytes });
  }

  skipped(frame: ServerBodies['skipped']): void {
    const place = this.#flowing('skipped');
    const { to, count, reason } = frame;
    if (!place || to <= place.seq || this.flow === 'behind') return;
    // After a Pull, a jump may belong to the stream before it: then what lies before the jump is missing here.
    if (this.flow === 'pulling' && to - count > place.seq) return;
    if (!this.room.hasRoom) {
      this.#overflow();
      return;
    }
    this.shared.counts.skipped += count;
    // The term of a message that was left out is not known.
    this.#place = { epoch: place.epoch, seq: to, term: 0 };
    this.flow = 'live';
    this.#deliver({ type: 'skipped', skipped: { to, count, reason } });
  }

  lagged(frame: ServerBodies['lagged']): void {
    const place = this.#flowing('lagged');
    if (!place) return;
    // Sent before the server read our Pull: it had sent more than we took. The Pull has ended that lag.
    if (this.flow === 'pulling' && frame.seq > place.seq) return;
    if (this.room.hasRoom) this.#deliver({ type: 'lagged', seq: frame.seq });
    this.flow = 'behind';
    this.#pullIfRoom();
  }

  /** Of a channel without keys: a keyed one is attached again, and gets its state. */
  discontinuity(frame: ServerBodies['discontinuity']): void {
    if (!this.isAttached) return;
    // Without room it is not told now, so the reader must not move: the Pull from where it stands asks again.
    if (this.flow === 'behind' || !this.room.hasRoom) {
      this.#overflow();
      return;
    }
    this.#lost(frame.reason, frame.position as Position);
  }

  /** The application took events. */
  taken(costs: readonly Cost[]): void {
    this.movedAt = this.shared.now;
    for (const cost of costs) this.shared.credit.giveBack(this.room.taken(cost));
    this.#pullIfRoom();
  }

  /** Lets others have the page credit that its queue holds: more pages are left with the server, and pulled later. */
  release(): void {
    this.shared.credit.giveBack(this.room.release());
    this.#overflow();
  }

  /** Where a reader that comes back goes on; nothing before it was attached, if it did not ask for a position. */
  #resume(): Position | undefined {
    const { since } = this.options;
    return this.#incomplete ?? this.#place ?? (typeof since === 'object' && 'epoch' in since ? since : undefined);
  }

  /** The place, if frames count. Those of a channel that is not attached are of an attachment that has ended. */
  #flowing(what: string): Position | undefined {
    if (this.flow === 'state') throw new Violation(`${what} inside a snapshot`);
    return this.isAttached ? this.#place : undefined;
  }

  /** Hands over the message after the place. */
  #advance(wire: WireEntry, epoch: string, replayed: boolean, cost: Cost): void {
    const message = toEntry(wire, epoch, replayed);
    this.#place = message.position;
    this.flow = 'live';
    this.shared.counts.messages++;
    cost.bytes += message.payload.length + message.key.length;
    this.#deliver({ type: 'message', message }, cost);
  }

  /** Messages are lost to this reader: it goes on after the position. */
  #lost(reason: number, position: Position): void {
    this.shared.counts.discontinuities++;
    this.#place = position;
    this.flow = 'live';
    this.#deliver({ type: 'discontinuity', discontinuity: { reason, position } });
  }

  /** Something between the place and what came is missing. */
  #gap(): void {
    // While pulling, what came was on its way before the server read our Pull; while behind, it will be pulled.
    if (this.flow !== 'live') return;
    this.shared.counts.gaps++;
    this.flow = 'behind';
    this.#pullIfRoom();
  }

  /** The application is slow: what comes is left with the server. */
  #overflow(): void {
    if (this.flow === 'behind' || !this.isAttached) return;
    this.shared.counts.overflows++;
    this.flow = 'behind';
  }

  /** Pulls what was left with the server, if the queue can take it now. */
  #pullIfRoom(): void {
    if (this.flow !== 'behind' || !this.room.hasRoomAgain) return;
    this.flow = 'pulling';
    this.shared.counts.pulls++;
    this.shared.send('pull', { channelId: this.channelId, seq: this.#place?.seq ?? 0 });
  }

  #deliver(event: ReaderEvent, cost: Cost = costOf(0)): void {
    if (this.room.credit === 0) this.movedAt = this.shared.now;
    this.room.queued(cost);
    this.shared.out.push({ do: 'deliver', id: this.id, event, cost });
  }
}

function toEntry({ seq, term, timeMs, key, deleted, payload }: WireEntry, epoch: string, replayed: boolean): Entry {
  return { position: { epoch, seq, term }, timeMs, key, deleted, payload, replayed };
}

const same = (one: Position, other: Position): boolean =>
  one.epoch === other.epoch && one.seq === other.seq && one.term === other.term;

/** The position before the first message of the same history. */
const beforeAll = ({ epoch }: Position): Position => ({ epoch, seq: 0, term: 0 });

/** The position as the server confirmed it. Going on from anywhere else without saying so would be a silent gap. */
function confirmed(asked: Position | undefined, told: Position, outcome: RawOutcome, keyed: boolean): Position {
  if (!asked || outcome.kind === 'discontinuity') return told;
  if (outcome.kind === 'rewound') throw new Violation('rewound, unasked');
  const goesOn = told.epoch === asked.epoch && (told.seq === asked.seq || (keyed && told.seq > asked.seq));
  if (!goesOn) throw new Violation('resumed at another position');
  // A server that does not know the term has not compared it: ours goes on being compared.
  return told.term === 0 && told.seq === asked.seq ? asked : told;
}
