/**
 * Who is in a channel, and what they say of themselves: `presence(client, name)`.
 *
 * An entry of the package of its own: a page that does not use it loads nothing of it. The parts: `presence/desk.ts` writes
 * and reads frames, `entry.ts` keeps this client entered, `watching.ts` watches, `roster.ts` knows who is there.
 */

import { Emitter } from './emitter.ts';
import { invalid, type StarlingError } from './errors.ts';
import type { Client } from './index.ts';
import { EPHEMERAL_BYTES_MAX, STATE_BYTES_MAX } from './limits.ts';
import { type Encoding, fromPayload, toPayload } from './payload.ts';
import { Desk, type Told } from './presence/desk.ts';
import { Entry, type EntryOptions } from './presence/entry.ts';
import { type Member, type PresentClient, Roster, toId } from './presence/roster.ts';
import { Watching } from './presence/watching.ts';
import { text } from './wire/reader.ts';
import { encodeText } from './wire/writer.ts';

export type { EntryOptions, Member, PresentClient };

/** What {@link presence} takes. */
export interface PresenceOptions {
  /** How states are read and written: as the payloads of a channel are. `json` by default. */
  encoding?: Encoding;
}

/** How many are there. */
export interface Count {
  readonly members: number;
  readonly clients: number;
}

/** A client came. */
export interface Join<State> {
  readonly client: PresentClient<State>;
  readonly member: Member<State>;
  /** It is the first client of its member. */
  readonly isFirst: boolean;
}

/** A client says something else of itself, or is attached to another node. */
export interface Update<State> {
  readonly client: PresentClient<State>;
  readonly member: Member<State>;
  readonly previous: PresentClient<State>;
}

/** A client went. */
export interface Leave<State> {
  readonly client: PresentClient<State>;
  /** As it is now, or as it was with its last client. */
  readonly member: Member<State>;
  /** It was the last client of its member. */
  readonly isLast: boolean;
}

/** What a client said for the moment. */
export interface Said<State, Moment> {
  readonly client: PresentClient<State>;
  readonly data: Moment;
}

/** What {@link Presence} tells. */
export interface PresenceEvents<State, Moment> {
  join: Join<State>;
  update: Update<State>;
  leave: Leave<State>;
  /** What a client said for the moment, of those who are there. */
  ephemeral: Said<State, Moment>;
  /** Who is there, how many, or how sure that is, has changed: once for all that came together, after its events. */
  change: undefined;
  /** Being there, or watching, cannot go on. */
  error: StarlingError;
}

/** Watching. */
export interface Watch {
  /** Safe to call again. */
  close(): void;
}

/** Between two ephemeral states of a channel: a server passes on no more, and screens draw little more. */
const EPHEMERAL_MS = 33;

/**
 * How long what went in a datagram stays the newest before it is said again, by the stream: the datagram may be lost, and where
 * a cursor stops is worth something. Three that move on without a rest.
 */
const REST_MS = 100;

const NOBODY: ReadonlySet<string> = new Set();

/** Presence in a channel: the same object for the same client and name. The options of the first call hold. */
export function presence<State = unknown, Moment = unknown>(
  client: Client,
  name: string,
  options: PresenceOptions = {},
): Presence<State, Moment> {
  const desk = client.guest(Desk, (host) => new Desk(host));
  if (!desk.presences.has(name)) desk.presences.set(name, new Presence(name, options, desk));
  return desk.presences.get(name) as Presence<State, Moment>;
}

/** Who is in one channel. To be there, {@link enter}; to see who is, {@link watch}; neither asks for the other. */
export class Presence<State = unknown, Moment = unknown> {
  /** The channel's whole name. */
  readonly channel: string;
  readonly #options: PresenceOptions;
  readonly #desk: Desk;
  readonly #emitter = new Emitter<PresenceEvents<State, Moment>>();
  readonly #entry: Entry;
  readonly #watching: Watching;
  readonly #roster: Roster<State>;
  /** Who watches, and whether a count is enough for them. */
  readonly #watches = new Set<{ count: boolean }>();
  #isReleasing = false;
  /** The number, where the server tells no more. */
  #occupancy: Count | undefined;
  /** What is known is of this session. */
  #isCurrent = false;
  /** The channel's owner is not heard. */
  #isDoubted = false;
  #uncertain = NOBODY;
  readonly #moments = new Map<string, { number: number; data: Moment }>();
  /** The same with their clients, until something of it changes. */
  #said: ReadonlyMap<string, Said<State, Moment>> | undefined;
  /** The ephemeral state that waits for its time, and the number of the last. */
  #next: Uint8Array | undefined;
  #isPaced = false;
  #number = 0;
  /** Something newer is said than what would be said again. */
  #moveOn = () => {};

  /** @internal Use {@link presence}. */
  constructor(channel: string, options: PresenceOptions, desk: Desk) {
    this.channel = channel;
    this.#options = options;
    this.#desk = desk;
    this.#roster = new Roster((state) => this.#read(state) as State);
    const failed = (error: StarlingError) => this.#emitter.emit('error', error);
    const changed = () => this.#emitter.emit('change', undefined);
    this.#entry = new Entry(channel, desk, failed, changed);
    this.#watching = new Watching(channel, desk, {
      watched: () => {
        this.#isDoubted = false;
        this.#uncertain = NOBODY;
      },
      unsure: () => {
        this.#isCurrent = false;
        changed();
      },
      told: (frame) => this.#told(frame),
      failed: (error) => {
        this.#watches.clear();
        failed(error);
      },
    });
  }

  /** Calls `listener` at each event; gives the way to stop that. Does not watch by itself. */
  on<Name extends keyof PresenceEvents<State, Moment>>(
    name: Name,
    listener: (event: PresenceEvents<State, Moment>[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Is there from now on, and says this of itself: over reconnects, until {@link leave}. Resolves once a node answers for
   * it. Entering again changes what is said; of several changes that wait, the newest is sent. Rejects with
   * `RefusedError` if it may not be there or the state is too large, and with `TimedOutError` after `timeoutMs`, when it
   * goes on trying.
   */
  async enter(state?: State, options: EntryOptions = {}): Promise<void> {
    return this.#entry.enter(this.#write(state, STATE_BYTES_MAX), options);
  }

  /** Says something else of itself, in place of what it said. */
  async update(state: State, options: EntryOptions = {}): Promise<void> {
    if (!this.#entry.isWanted) throw invalid(`this client is not in the presence of ${this.channel}; enter it first`);
    return this.enter(state, options);
  }

  /** Is there no more. Resolves once the node has said so; without a connection at once. */
  async leave(): Promise<void> {
    return this.#entry.leave();
  }

  /**
   * Says something that is worth nothing when the next has come, such as where a cursor is: to those who watch at that
   * moment. At most one is sent in 33 ms, the newest; the last one arrives, others may be lost. It needs to be entered.
   */
  broadcast(data: Moment): void {
    this.#next = this.#write(data, EPHEMERAL_BYTES_MAX);
    if (!this.#isPaced) this.#sendNext();
  }

  /** Watches: who is there, or, with `count`, how many, which costs a large channel less. Several watches are one. */
  watch({ count = false }: { count?: boolean } = {}): Watch {
    const watch = { count };
    const closed = this.#desk.host.closed();
    if (closed) {
      this.#emitter.emit('error', closed);
      return { close: () => {} };
    }
    this.#watches.add(watch);
    this.#want();
    return {
      close: () => {
        // Deferred: a component that is mounted twice, or replaced by another, keeps the watch.
        if (!this.#watches.delete(watch) || this.#isReleasing) return;
        this.#isReleasing = true;
        queueMicrotask(() => {
          this.#isReleasing = false;
          this.#want();
        });
      },
    };
  }

  /** This client is there, as its node has said in this session. */
  get isEntered(): boolean {
    return this.#entry.isEntered;
  }

  /** This client's own id among {@link clients}, once it has entered: to leave oneself out of what is drawn. */
  get self(): string | undefined {
    return this.#entry.id;
  }

  /** Members by their id, while everybody is told. It changes as they do: copy it to keep it, or to compare. */
  get members(): ReadonlyMap<string, Member<State>> {
    return this.#roster.members;
  }

  /** Their clients by their id. It changes as they do, too. */
  get clients(): ReadonlyMap<string, PresentClient<State>> {
    return this.#roster.clients;
  }

  /** How many are there, also where the server names nobody. */
  get count(): Count {
    return this.#occupancy ?? { members: this.#roster.members.size, clients: this.#roster.clients.size };
  }

  /** It is known who is there, or was: before, `members` is empty, and where only a count is told. */
  get isComplete(): boolean {
    return this.#roster.isComplete;
  }

  /**
   * What is shown may be old: nothing is watched or has come in this session, or the channel's owner is not heard. A dot
   * that turns grey is enough.
   */
  get isStale(): boolean {
    return !this.#isCurrent || this.#isDoubted;
  }

  /** Nodes that may be dead, and their clients with them: `uncertain.has(client.node)`. */
  get uncertain(): ReadonlySet<string> {
    return this.#uncertain;
  }

  /** What clients said last for the moment, by the client's id. */
  get ephemerals(): ReadonlyMap<string, Said<State, Moment>> {
    if (this.#said) return this.#said;
    const said = new Map<string, Said<State, Moment>>();
    for (const [id, { data }] of this.#moments) {
      const client = this.#roster.clients.get(id);
      if (client) said.set(id, { client, data });
    }
    this.#said = said;
    return said;
  }

  #want(): void {
    const watches = [...this.#watches];
    const mode = watches.some(({ count }) => !count) ? 'roster' : watches.length > 0 ? 'count' : undefined;
    if (!mode) {
      // Who looks again later is told anew: what happened meanwhile is nobody's news.
      this.#forget();
      this.#isCurrent = false;
    }
    this.#watching.want(mode);
  }

  #told(frame: Told): void {
    switch (frame.kind) {
      case 'roster': {
        const changes = this.#roster.part(frame.body);
        if (!changes) return;
        this.#occupancy = undefined;
        this.#isCurrent = true;
        this.#emit(changes);
        break;
      }
      case 'presenceChanges':
        this.#emit(this.#roster.change(frame.body));
        break;
      case 'occupancy': {
        // Nobody has left: they are not named any more.
        this.#forget();
        const { members, clients } = frame.body;
        this.#occupancy = { members, clients };
        this.#isCurrent = true;
        break;
      }
      case 'certainty':
        this.#isDoubted = frame.body.stale;
        this.#uncertain = new Set(frame.body.uncertain);
        break;
      case 'ephemerals':
        for (const { client, number, state } of frame.body.states) this.#moment(toId(client), number, state);
        return;
    }
    this.#emitter.emit('change', undefined);
  }

  #emit(changes: ReturnType<Roster<State>['change']>): void {
    for (const { kind, ...event } of changes) {
      if (this.#moments.has(event.client.id)) this.#said = undefined;
      if (kind === 'leave') this.#moments.delete(event.client.id);
      this.#emitter.emit(kind, event as never);
    }
  }

  #moment(id: string, number: number, state: Uint8Array): void {
    const client = this.#roster.clients.get(id);
    if (!client || number <= (this.#moments.get(id)?.number ?? 0)) return;
    const data = this.#read(state) as Moment;
    this.#moments.set(id, { number, data });
    this.#said = undefined;
    this.#emitter.emit('ephemeral', { client, data });
  }

  #sendNext(): void {
    const state = this.#next;
    this.#next = undefined;
    this.#isPaced = state !== undefined;
    if (!state) return;
    const { clock, wallMs } = this.#desk.means;
    // By the clock, so that it rises over a reload too: those who watch drop what is older than what they have.
    this.#number = Math.max(this.#number + 1, wallMs());
    const body = { channel: this.channel, number: this.#number, state };
    const send = (slot: number) => {
      // Without effect where the client is not there, and old when it is.
      if (this.isEntered) this.#desk.send(slot, 'ephemeral', body);
    };
    const isLossy = this.#desk.host.hasDatagrams();
    send(isLossy ? -1 : 0);
    this.#moveOn();
    this.#moveOn = isLossy ? clock.at(clock.now() + REST_MS, () => send(0)) : () => {};
    clock.at(clock.now() + EPHEMERAL_MS, () => this.#sendNext());
  }

  #forget(): void {
    this.#roster.clear();
    this.#moments.clear();
    this.#said = undefined;
    this.#occupancy = undefined;
  }

  #write(data: unknown, max: number): Uint8Array {
    const payload = data === undefined ? '' : toPayload(data, this.#options.encoding);
    const bytes = typeof payload === 'string' ? encodeText(payload) : payload;
    if (bytes.length > max) throw invalid(`it has ${bytes.length} bytes, presence takes ${max}`);
    return bytes;
  }

  #read(bytes: Uint8Array): unknown {
    const { encoding } = this.#options;
    if (bytes.length === 0 && encoding !== 'bytes') return encoding === 'text' ? '' : undefined;
    return fromPayload((encoding === 'bytes' ? undefined : text(bytes)) ?? bytes.slice(), encoding).data;
  }
}
