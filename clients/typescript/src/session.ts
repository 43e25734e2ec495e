/**
 * The rules of a client: one life over many connections. No IO, no clock, no dice of its own.
 *
 *                ┌── asking ◀─── token needed ────┐
 *       token    │                                │
 *                ▼           dialed               │  back-off is over
 *     start ─▶ dialing ────────────▶ greeting ────┼──▶ waiting ◀── lost, refused, Goodbye 4500-4599
 *                                       │         │       ▲
 *                               Welcome ▼         └───────┤
 *                                      open ──────────────┘
 *                                       └──▶ closed ◀── closed by the application, Goodbye 4400-4499, token denied
 *
 * {@link Session.handle} takes one input and says what to do as effects; {@link Session.wakeAt} says when to call it
 * again with `wake`. `engine.ts` carries out the effects. The parts: `subscriptions.ts` and `reading.ts`,
 * `publishing.ts` and `line.ts`, `liveness.ts`, `credit.ts`, `targets.ts`.
 */

import { Backoff } from './backoff.ts';
import { NORMAL, PROTOCOL_ERROR, returns, SILENT, TOKEN_EXPIRED, UNAUTHORIZED } from './codes.ts';
import { HELLO_DEADLINE_MS, TEXT_BYTES_MAX, TOKEN_BYTES_MAX } from './limits.ts';
import { WINDOW_BYTES } from './session/credit.ts';
import { Liveness } from './session/liveness.ts';
import { type Effect, type Ending, type Input, Violation } from './session/message.ts';
import { Publishing } from './session/publishing.ts';
import { failure, Shared } from './session/shared.ts';
import { Subscriptions } from './session/subscriptions.ts';
import { Targets } from './session/targets.ts';
import type { Counts, TokenRequest, Transport } from './types.ts';
import type { ForeignFrame, ServerBodies, ServerFrame } from './wire/frames.ts';

/** The ceiling of the first wait before a reconnect, and the cap of all: as long as a person waits before looking. */
const RECONNECT_MS = [500, 30_000] as const;

/** A session that lasted so long was a success. One that is dropped soon is not, and must not be asked twice a second. */
const STEADY_MS = 60_000;

/** A shorter one makes up for a failure for each time that it lasted this long: nodes are replaced one after another. */
const MAKES_UP_MS = 5_000;

/** How long a client that closes waits for publishes without a result: longer than a change of owner. */
const CLOSE_PATIENCE_MS = 5_000;

/** Between a provider's "not now" and the next question, while the old token still holds. */
const REFRESH_RETRY_MS = 5_000;

/** A wake-up that comes so late means that the machine slept, and silence meanwhile proves nothing. */
const SLEPT_MS = 3_000;

/** Why a client closes that was not told to by the server. */
const DONE = 'closed by the application';

/** What a session says of itself. */
export interface Identity {
  /** 128 random bits, kept for the life of the client: they name its publishes. */
  publisher: Uint8Array;
  /** 128 random bits, which a page keeps over its reloads: by them it is the same client in presence. */
  client: Uint8Array;
  agent: string;
  /** Empty for none. */
  token: string;
  /** The application has a token provider. */
  hasProvider: boolean;
  /** HTTP bases of nodes, of which there is one at least. */
  urls: readonly string[];
}

type Phase =
  | { kind: 'new' }
  | { kind: 'asking' }
  | { kind: 'dialing' }
  | { kind: 'greeting'; transport: Transport; deadline: number }
  | { kind: 'open'; since: number; alive: Liveness; refreshAt: number; datagramBytes: number }
  | { kind: 'waiting'; until: number; notBefore: number }
  | { kind: 'closed' };

/** The rules of one client. */
export class Session {
  /** When to call with `wake`; never, if infinite. */
  wakeAt = Infinity;
  #phase: Phase = { kind: 'new' };
  readonly #identity: Identity;
  readonly #shared: Shared;
  readonly #targets: Targets;
  readonly #subscriptions: Subscriptions;
  readonly #publishing: Publishing;
  readonly #backoff = new Backoff(...RECONNECT_MS);
  /** What the page has each session begin with, by its slots. */
  readonly #standing = new Map<number, Uint8Array<ArrayBuffer> | undefined>();
  #token: string;
  /** Why the next token is asked for. */
  #why: TokenRequest = 'first';
  /** The server did not accept one since the last session. It is asked for another once. */
  #refused = false;
  /** The application closed the client: the end of waiting for results. */
  #closing = Infinity;

  constructor(identity: Identity, random: () => number) {
    this.#identity = identity;
    this.#token = identity.token;
    this.#shared = new Shared(random);
    this.#targets = new Targets(identity.urls);
    this.#subscriptions = new Subscriptions(this.#shared);
    this.#publishing = new Publishing(this.#shared);
  }

  /** Whether it stopped for good. */
  get isClosed(): boolean {
    return this.#phase.kind === 'closed';
  }

  get counts(): Readonly<Counts> {
    return this.#shared.counts;
  }

  /** Something happened: what to do about it. */
  handle(input: Input, now: number): Effect[] {
    const shared = this.#shared;
    shared.now = now;
    shared.out = [];
    // What comes after the end is answered by whoever carries out the effects.
    if (this.isClosed) return shared.out;
    try {
      this.#take(input, now);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#violated(error.message);
    }
    this.#settle();
    this.wakeAt = this.#nextAt();
    return shared.out;
  }

  #nextAt(): number {
    const phase = this.#phase;
    let at = Infinity;
    if (phase.kind === 'greeting') at = phase.deadline;
    else if (phase.kind === 'open') {
      at = Math.min(phase.alive.wakeAt(this.#publishing.unanswered()), phase.refreshAt);
    } else if (phase.kind === 'waiting') at = phase.until;
    else if (phase.kind === 'closed') return Infinity;
    return Math.min(at, this.#closing, this.#publishing.wakeAt(), this.#subscriptions.wakeAt(phase.kind === 'open'));
  }

  #take(input: Input, now: number): void {
    switch (input.on) {
      case 'start':
        if (this.#phase.kind === 'new') this.#connect();
        break;
      case 'close':
        this.#closing = Math.min(this.#closing, now + CLOSE_PATIENCE_MS);
        break;
      case 'subscribe':
        this.#subscriptions.subscribe(input.id, input.channel, input.options);
        break;
      case 'unsubscribe':
        this.#subscriptions.unsubscribe(input.id);
        break;
      case 'taken':
        this.#subscriptions.taken(input.id, input.costs);
        break;
      case 'publish':
        this.#publishing.enqueue(input.ticket, input.channel, input.body, input.timeoutMs);
        break;
      case 'giveUp':
        this.#publishing.giveUp(input.ticket);
        break;
      case 'token':
        this.#tokenCame(input.token);
        break;
      case 'noToken':
        if (input.denied) this.#close({ code: UNAUTHORIZED, reason: `no token: ${input.reason}` });
        else if (this.#phase.kind === 'asking') this.#retry(input.reason);
        else if (this.#phase.kind === 'open') this.#phase.refreshAt = now + REFRESH_RETRY_MS;
        break;
      case 'dialed':
        this.#dialed(input.url, input.transport, input.nodes);
        break;
      case 'dialFailed':
        if (this.#phase.kind !== 'dialing') break;
        this.#targets.missed();
        this.#retry(input.reason);
        break;
      case 'pass':
        if (input.slot > 0) this.#standing.set(input.slot, input.body);
        this.#pass(input.body, input.slot, input.session);
        break;
      case 'frame':
        this.#frame(input.frame, input.bytes);
        break;
      case 'badFrame':
        this.#violated(input.reason);
        break;
      case 'lost':
        this.#lost(input.ending);
        break;
      case 'wake':
        this.#wake();
        break;
      case 'nudge':
        if (this.#phase.kind === 'waiting') this.#phase.until = this.#phase.notBefore;
        if (this.#phase.kind === 'open') this.#phase.alive.suspect(now);
        this.#wake();
        break;
    }
  }

  #wake(): void {
    const { now } = this.#shared;
    this.#subscriptions.wake();
    this.#publishing.wake();
    const phase = this.#phase;
    if (phase.kind === 'greeting' && now >= phase.deadline) {
      this.#lost({ code: 0, reason: 'no answer to hello', stalled: true });
    } else if (phase.kind === 'waiting' && now >= phase.until) this.#connect();
    else if (phase.kind === 'open') {
      if (now > this.wakeAt + SLEPT_MS) phase.alive.suspect(now);
      this.#beat(phase);
    }
  }

  /** Looks after an open session: its token and its heartbeat. */
  #beat(phase: Extract<Phase, { kind: 'open' }>): void {
    const { now, out } = this.#shared;
    if (now >= phase.refreshAt) {
      phase.refreshAt = Infinity;
      out.push({ do: 'askToken', why: 'refresh' });
    }
    const verdict = phase.alive.judge(this.#publishing.unanswered(), now);
    if (!verdict) return;
    if ('ping' in verdict) {
      this.#shared.send('ping', { nonce: verdict.ping });
      return;
    }
    this.#shared.counts.silences++;
    this.#goodbye(SILENT, verdict.lost);
    this.#lost({ code: 0, reason: verdict.lost, stalled: true });
  }

  /** Takes the next step to a session. */
  #connect(): void {
    const { out } = this.#shared;
    if (this.#phase.kind === 'new') out.push({ do: 'state', state: { kind: 'connecting' } });
    if (this.#identity.hasProvider && !this.#token) {
      this.#phase = { kind: 'asking' };
      out.push({ do: 'askToken', why: this.#why });
      return;
    }
    this.#phase = { kind: 'dialing' };
    out.push({ do: 'dial', urls: this.#targets.next() });
  }

  #tokenCame(token: string): void {
    if (!token || token.length > TOKEN_BYTES_MAX) {
      const reason = token ? `it has more than ${TOKEN_BYTES_MAX} bytes` : 'the provider gave an empty one';
      this.#take({ on: 'noToken', denied: token !== '', reason }, this.#shared.now);
      return;
    }
    this.#token = token;
    if (this.#phase.kind === 'asking') this.#connect();
    else if (this.#phase.kind === 'open') {
      this.#shared.send('refresh', { request: this.#shared.ask({ kind: 'refresh' }), token });
    }
  }

  /** The token does not hold any more: whether there may be another. */
  #replaceToken(): boolean {
    if (!this.#identity.hasProvider) return false;
    this.#token = '';
    this.#why = 'replace';
    return true;
  }

  #dialed(url: string, transport: Transport, nodes: readonly string[]): void {
    if (this.#phase.kind !== 'dialing') return;
    this.#targets.reached(url);
    this.#targets.learn(nodes, this.#shared.random);
    this.#shared.send('hello', {
      ...this.#identity,
      versionMin: 1,
      versionMax: 1,
      token: this.#token,
      pageCredit: WINDOW_BYTES,
      datagrams: transport === 'webtransport',
    });
    this.#phase = { kind: 'greeting', transport, deadline: this.#shared.now + HELLO_DEADLINE_MS };
  }

  #frame(frame: ServerFrame | ForeignFrame, bytes: number): void {
    const phase = this.#phase;
    // Frames in other phases are of a connection that was given up.
    if (phase.kind !== 'greeting' && phase.kind !== 'open') return;
    if (frame.kind === 'goodbye') {
      this.#lost(frame.body);
    } else if (phase.kind === 'greeting') {
      if (frame.kind !== 'welcome') throw unasked(frame.kind);
      this.#welcomed(frame.body, phase.transport);
    } else {
      phase.alive.heard(this.#shared.now);
      if (frame.kind !== 'pong') phase.alive.flowed(this.#shared.now);
      this.#openFrame(frame, bytes, phase.alive);
    }
  }

  #welcomed(frame: ServerBodies['welcome'], transport: Transport): void {
    if (frame.version !== 1) throw unasked('a version');
    const shared = this.#shared;
    const limits = frame.limits as NonNullable<typeof frame.limits>;
    this.#publishing.connected(limits);
    shared.credit.connected();
    // Not the highest of two nodes' clocks: this one judges what this session publishes.
    shared.clockMs = frame.timeMs;
    shared.trouble = '';
    shared.counts.sessions++;
    this.#refused = false;
    const alive = new Liveness(frame.heartbeatMs, shared.now);
    const { node, session, datagramBytes } = frame;
    this.#phase = {
      kind: 'open',
      since: shared.now,
      alive,
      refreshAt: this.#refreshAt(frame.expiresMs),
      datagramBytes,
    };
    shared.out.push({
      do: 'state',
      state: { kind: 'connected', transport, node, session, frameBytes: limits.frameBytes },
    });
    for (const body of this.#standing.values()) this.#pass(body, 0);
  }

  /** A new token is asked for when four fifths of the old one's time are over. */
  #refreshAt(expiresMs: number): number {
    if (!this.#identity.hasProvider || !expiresMs) return Infinity;
    return this.#shared.now + Math.max(0, expiresMs - this.#shared.clockMs) * 0.8;
  }

  #openFrame(frame: Exclude<ServerFrame, { kind: 'goodbye' }> | ForeignFrame, bytes: number, alive: Liveness): void {
    const shared = this.#shared;
    const subscriptions = this.#subscriptions;
    if ('timeMs' in frame.body) shared.clock(frame.body.timeMs);
    switch (frame.kind) {
      case 'publication':
        subscriptions.route(frame.body.channelId)?.publication(frame.body);
        break;
      case 'page':
      case 'snapshot': {
        const credit = shared.credit.received(bytes);
        const reading = subscriptions.route(frame.body.channelId);
        if (!reading) shared.credit.giveBack(credit);
        else if (frame.kind === 'page') reading.page(frame.body, credit);
        else reading.snapshot(frame.body, credit);
        break;
      }
      case 'skipped':
        subscriptions.route(frame.body.channelId)?.skipped(frame.body);
        break;
      case 'lagged':
        subscriptions.route(frame.body.channelId)?.lagged(frame.body);
        break;
      case 'discontinuity':
        subscriptions.discontinued(frame.body);
        break;
      case 'attached': {
        const request = shared.answered(frame.body.request);
        if (request?.kind !== 'attach') throw unasked(frame.kind);
        subscriptions.attached(request.id, frame.body);
        break;
      }
      case 'detached': {
        subscriptions.departed(frame.body.channelId);
        if (shared.answered(frame.body.request)?.kind !== 'detach') shared.out.push({ do: 'foreign', given: frame });
        break;
      }
      case 'ack': {
        const request = shared.answered(frame.body.request);
        if (request?.kind !== 'publish' || request.serial !== frame.body.serial) throw unasked(frame.kind);
        request.line.ack(frame.body);
        break;
      }
      case 'error':
        this.#error(frame);
        break;
      case 'ping':
        shared.send('pong', { nonce: frame.body.nonce });
        break;
      case 'pong': {
        const ms = alive.pong(Number(frame.body.nonce), shared.now);
        if (ms !== undefined) shared.out.push({ do: 'roundTrip', ms });
        break;
      }
      case 'refreshed':
        if (shared.answered(frame.body.request)?.kind !== 'refresh') throw unasked(frame.kind);
        if (this.#phase.kind === 'open') this.#phase.refreshAt = this.#refreshAt(frame.body.expiresMs);
        break;
      case 'foreign':
        shared.out.push({ do: 'foreign', given: frame });
        break;
      case 'welcome':
        throw unasked(frame.kind);
    }
  }

  /** A request was refused, or a channel has a fault. */
  #error(frame: Extract<ServerFrame, { kind: 'error' }>): void {
    const error = frame.body;
    const request = this.#shared.answered(error.request);
    switch (request?.kind) {
      case 'publish':
        request.line.refused(request.serial, error);
        break;
      case 'attach':
        this.#subscriptions.refused(request.id, request.channel, error);
        break;
      case 'detach':
        // Not attached is what was wanted.
        this.#subscriptions.departed(request.channelId);
        break;
      case 'refresh':
        // The session goes on with the old one; when that expires, its end leads to the provider.
        this.#replaceToken();
        break;
      default:
        this.#subscriptions.faulted(error);
        this.#shared.out.push({ do: 'foreign', given: frame });
    }
  }

  /** What the server sent breaks the rules: goes on with a new connection, and what was missed is replayed. */
  #violated(what: string): void {
    if (this.#phase.kind !== 'greeting' && this.#phase.kind !== 'open') return;
    this.#shared.counts.violations++;
    const reason = `the server sent ${what}`.slice(0, TEXT_BYTES_MAX);
    this.#goodbye(PROTOCOL_ERROR, reason);
    this.#lost({ code: 0, reason });
  }

  /** The connection is over. */
  #lost({ code, reason, retryAfterMs, alternates, stalled = false }: Ending): void {
    const phase = this.#phase;
    const { now } = this.#shared;
    if (phase.kind !== 'open' && phase.kind !== 'greeting') return;
    if (phase.kind === 'open') {
      const lasted = now - phase.since;
      this.#backoff.forgive(lasted < STEADY_MS ? Math.floor(lasted / MAKES_UP_MS) : undefined);
    }
    this.#phase = { kind: 'waiting', until: now, notBefore: now };
    this.#shared.requests.clear();
    this.#subscriptions.disconnected();
    this.#publishing.disconnected();
    this.#shared.out.push({ do: 'hangup', stalled });
    if (!this.#mayReturn(code)) {
      this.#close({ code, reason });
      return;
    }
    this.#targets.hint(alternates ?? []);
    // A node that sends its clients to others does so to a few at a time: once, nobody has to wait by itself.
    const share = alternates?.length && !this.#backoff.failures ? 0 : 1;
    this.#retry(reason || `closed with code ${code}`, retryAfterMs, share);
  }

  /** Whether a session that ended with this code is followed by another. */
  #mayReturn(code: number): boolean {
    if (code === UNAUTHORIZED) {
      // With another token, once.
      const again = this.#replaceToken() && !this.#refused;
      this.#refused = true;
      return again;
    }
    if (code === TOKEN_EXPIRED) this.#replaceToken();
    return returns(code);
  }

  /** Waits before the next attempt: this share of what it waits by itself. */
  #retry(error: string, retryAfterMs = 0, share = 1): void {
    const shared = this.#shared;
    shared.counts.failures++;
    const wait = share * this.#backoff.next(shared.random, this.#targets.round);
    const notBefore = shared.now + retryAfterMs;
    this.#phase = { kind: 'waiting', until: notBefore + wait, notBefore };
    shared.trouble = error;
    shared.out.push({ do: 'state', state: { kind: 'reconnecting', attempt: this.#backoff.failures, error } });
  }

  /** Sends what may be sent now, and closes if nothing else is left to do. */
  #settle(): void {
    if (this.#phase.kind === 'open') {
      this.#subscriptions.attach();
      this.#publishing.send();
      const bytes = this.#shared.credit.grant();
      if (bytes) this.#shared.send('credit', { bytes });
    }
    if (this.#shared.now >= this.#closing || (this.#closing < Infinity && this.#publishing.isIdle)) {
      this.#close({ code: NORMAL, reason: DONE });
    }
  }

  /** Stops for good. */
  #close(reason: { code: number; reason: string }): void {
    if (this.isClosed) return;
    if (this.#phase.kind === 'open') this.#goodbye(NORMAL, DONE);
    const error = { ...failure('closed', reason.reason), number: reason.code };
    this.#publishing.close(error);
    this.#subscriptions.close(error);
    this.#phase = { kind: 'closed' };
    this.#shared.out.push({ do: 'hangup', stalled: false }, { do: 'state', state: { kind: 'closed', reason } });
  }

  /** Sends what the page wrote, if a session is open. */
  #pass(body: Uint8Array<ArrayBuffer> | undefined, slot: number, session = this.counts.sessions): void {
    const phase = this.#phase;
    if (!body || phase.kind !== 'open' || session !== this.counts.sessions) return;
    const isLossy = slot < 0 && body.length <= phase.datagramBytes;
    this.#shared.out.push({ do: 'send', frame: { kind: 'foreign', body }, isLossy });
  }

  /** The last frame of a session. */
  #goodbye(code: number, reason: string): void {
    this.#shared.send('goodbye', { code, reason });
  }
}

const unasked = (kind: string): Violation => new Violation(`${kind}, in answer to nothing`);
