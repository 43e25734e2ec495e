/**
 * Who is in a channel: clients, and the members they are clients of. What the server tells becomes changes here; a roster
 * that comes after another one is the difference to it, since a watcher that lost its way has missed that and no more.
 */

import type { PresenceServerBodies, WirePresent } from '../wire/presence.ts';

/** One client that is there: a tab, over its reloads and reconnects. */
export interface PresentClient<State = unknown> {
  /** Names it to others: the same over its reconnects and reloads. The server makes it. */
  readonly id: string;
  /** Whom its token names; `undefined` for one that is nobody. */
  readonly subject: string | undefined;
  /** The node it is attached to. */
  readonly node: string;
  /** What it says of itself. */
  readonly state: State;
}

/** Everybody who is there as one subject. A client that is nobody is a member by itself. */
export interface Member<State = unknown> {
  /** Names it in {@link Presence.members}. */
  readonly id: string;
  /** Whom the tokens of its clients name; `undefined` for nobody. */
  readonly subject: string | undefined;
  /** The one that changed last is at the end. */
  readonly clients: readonly PresentClient<State>[];
  /** What the client said that changed last. */
  readonly state: State;
}

/** One client came, changed or went. */
export type Change<State> =
  | { kind: 'join'; client: PresentClient<State>; member: Member<State>; isFirst: boolean }
  | { kind: 'update'; client: PresentClient<State>; member: Member<State>; previous: PresentClient<State> }
  | { kind: 'leave'; client: PresentClient<State>; member: Member<State>; isLast: boolean };

/** The hexadecimal digits of a client's number. */
export const toId = (client: Uint8Array): string =>
  [...client].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** Everybody in one channel. */
export class Roster<State> {
  readonly clients = new Map<string, PresentClient<State>>();
  readonly members = new Map<string, Member<State>>();
  /** It is known who is there. */
  isComplete = false;
  /** The states as they came, to see whether another is the same. */
  readonly #raw = new Map<string, Uint8Array>();
  /** The roster that comes in parts. */
  #parts: WirePresent[] | undefined;

  constructor(private readonly read: (state: Uint8Array) => State) {}

  /** A part of a roster came: the changes, with the last. The first roster of all is no change. */
  part({ first, last, clients }: PresenceServerBodies['roster']): Change<State>[] | undefined {
    if (first) this.#parts = [];
    this.#parts?.push(...clients);
    if (!last || !this.#parts) return undefined;
    const parts = this.#parts;
    this.#parts = undefined;
    const wasComplete = this.isComplete;
    this.isComplete = true;
    const there = new Set<string>();
    const changes: Change<State>[] = [];
    for (const present of parts) {
      const id = toId(present.client);
      there.add(id);
      this.#put(id, present, changes);
    }
    for (const id of [...this.clients.keys()]) if (!there.has(id)) this.#remove(id, changes);
    return wasComplete ? changes : [];
  }

  /** Some changed. Who comes goes before who leaves: a member that changes tabs is there all the time. */
  change({ joined, updated, left }: PresenceServerBodies['presenceChanges']): Change<State>[] {
    const changes: Change<State>[] = [];
    if (!this.isComplete) return changes;
    for (const present of [...joined, ...updated]) this.#put(toId(present.client), present, changes);
    for (const { client } of left) this.#remove(toId(client), changes);
    return changes;
  }

  /** It is not known any more who is there. */
  clear(): void {
    this.clients.clear();
    this.members.clear();
    this.#raw.clear();
    this.isComplete = false;
    this.#parts = undefined;
  }

  #put(id: string, { member: subject, node, state }: WirePresent, changes: Change<State>[]): void {
    const previous = this.clients.get(id);
    const raw = this.#raw.get(id);
    const isSame = raw !== undefined && equal(raw, state);
    if (previous && isSame && previous.node === node) return;
    const client: PresentClient<State> = {
      id,
      subject: subject || undefined,
      node,
      state: previous && isSame ? previous.state : this.read(state),
    };
    this.clients.set(id, client);
    // A copy: the state is a view of a frame with everybody in it.
    if (!isSame) this.#raw.set(id, state.slice());
    const others = this.#others(client);
    const member = this.#member(client, [...others, client]);
    if (previous) changes.push({ kind: 'update', client, member, previous });
    else changes.push({ kind: 'join', client, member, isFirst: others.length === 0 });
  }

  #remove(id: string, changes: Change<State>[]): void {
    const client = this.clients.get(id);
    if (!client) return;
    this.clients.delete(id);
    this.#raw.delete(id);
    const others = this.#others(client);
    const before = this.members.get(memberId(client)) as Member<State>;
    const isLast = others.length === 0;
    if (isLast) this.members.delete(before.id);
    changes.push({ kind: 'leave', client, member: isLast ? before : this.#member(client, others), isLast });
  }

  #others(client: PresentClient<State>): PresentClient<State>[] {
    return (this.members.get(memberId(client))?.clients ?? []).filter(({ id }) => id !== client.id);
  }

  /** Members are not changed but replaced: who keeps one sees whether it is another. */
  #member({ subject, ...rest }: PresentClient<State>, clients: PresentClient<State>[]): Member<State> {
    const id = memberId({ subject, ...rest });
    const member = { id, subject, clients, state: (clients.at(-1) as PresentClient<State>).state };
    this.members.set(id, member);
    return member;
  }
}

/** No subject begins with what names a member that is nobody: two that are different never have one name. */
const memberId = ({ subject, id }: PresentClient): string => (subject === undefined ? `#${id}` : `@${subject}`);

const equal = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);
