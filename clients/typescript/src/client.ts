/** A client: one connection for all channels of a page, which it makes, keeps and makes again. */

import type { Command, Foreign, Measures, Notice, PageEvent } from './bridge.ts';
import { browserOf } from './browser.ts';
import { Channel, type ChannelOptions } from './channel.ts';
import { keptClientId } from './client-id.ts';
import { closeName } from './codes.ts';
import { type Link, link } from './connect.ts';
import { noCounts } from './counts.ts';
import { Emitter, guarded } from './emitter.ts';
import { DeniedError, invalid, type StarlingError, toError } from './errors.ts';
import type { Guest, Host } from './guest.ts';
import type { History, HistoryOptions } from './history.ts';
import { CLIENT_BYTES } from './limits.ts';
import { recall, remember } from './losers.ts';
import { Pace } from './pace.ts';
import type { RawState } from './session/message.ts';
import type { Published, State, TokenRequest, Transport } from './types.ts';

/** What {@link Client} is made from. */
export interface ClientOptions {
  /**
   * HTTP base of a node, as `https://example.org`, or several: tried in this order until one is reached. Whoever loses its node
   * turns to any of the others. A page's own origin by default.
   */
  url?: string | readonly string[];
  /** Proof of who is calling. */
  token?: string;
  /** Gets a token, at first and before one expires. To say that there will be none, throw {@link DeniedError}. */
  getToken?: (context: { why: TokenRequest }) => Promise<string> | string;
  /** Which transports may be used; both by default, and the first to connect is. */
  transports?: readonly Transport[];
  /** Where the engine runs: `true` for a worker, where there are workers (the default); `false` beside the page. */
  worker?: boolean | (() => Worker);
  /** A WebSocket class, where the environment has none. Runs the engine beside the page. */
  WebSocket?: new (
    url: string,
  ) => WebSocket;
  /** Name and version of the application, for operators; 100 bytes at most. */
  agent?: string;
  /**
   * By what it is the same client in presence: 16 random bytes, to be kept secret. A page keeps its own over reloads, in
   * `sessionStorage`; elsewhere each client draws new ones.
   */
  clientId?: Uint8Array;
}

/** What a client tells. */
export interface ClientEvents {
  /** Every change of {@link Client.state}. */
  state: State;
  /** There has been no connection for five seconds: time to tell a person. */
  lost: undefined;
  /** There is a connection again, after `lost`. */
  restored: undefined;
}

/** What a client counted and measured. */
export type ClientStats = Readonly<Measures>;

/** What a promise waits for at most. */
export interface WaitOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** How long there is no connection before `lost`. */
const LOST_MS = 5_000;

/** How long the session beside is kept after a reading: as long as a person may look at a page before the next. */
const BESIDE_MS = 10_000;

/** Publishes and readings without a result. Beyond it something is wrong, and another is refused. */
const WAITING_MAX = 4_096;

interface Waiting {
  resolve(outcome: Published): void;
  reject(error: unknown): void;
}

const NOTHING: Measures = { ...noCounts(), rttMs: null, packetsLost: null, bytesSent: 0, bytesReceived: 0 };

/** A client. It connects when {@link connect} is called, or when something first needs a connection. */
export class Client {
  readonly #options: ClientOptions;
  readonly #emitter = new Emitter<ClientEvents>();
  readonly #channels = new Map<string, Channel>();
  /** The channels that are subscribed, by the engine's number for it. */
  readonly #subscribed = new Map<number, Channel>();
  readonly #waiting = new Map<number, Waiting>();
  #numbers = 0;
  #link: Link | undefined;
  #state: State = { kind: 'idle' };
  #stats: Measures = NOTHING;
  #lostTimer: ReturnType<typeof setTimeout> | undefined;
  #isLost = false;
  #batch: [number, PageEvent][] = [];
  #at = 0;
  /** Events off the queues since the engine was told. */
  readonly #taken = new Map<number, number>();
  /** The node that was reached last. */
  #reached = '';
  /** The number of the session that is open, 0 for none, and the bytes of a frame that it takes. */
  #session = 0;
  #frameBytes = 0;
  readonly #guests = new Map<unknown, Guest>();
  /** A client that reads history beside this one, while it does and for a little longer. */
  #beside: Client | undefined;
  #besideReadings = 0;
  #besideTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #pace = new Pace(
    () => this.#deliverOne(),
    () => this.#delivered(),
  );

  constructor(options: ClientOptions = {}) {
    this.#options = options;
    if (options.clientId && options.clientId.length !== CLIENT_BYTES) {
      throw invalid(`a client id has ${CLIENT_BYTES} random bytes, this one ${options.clientId.length}`);
    }
    for (const url of this.#urls()) {
      if (!/^https?:\/\/[^/]/.test(url)) {
        throw invalid(`"${url}" is not the address of a node; write it as http://host:port or https://host:port`);
      }
    }
  }

  /** How it is doing. */
  get state(): State {
    return this.#state;
  }

  /** What it counted and measured; renewed once a second. */
  get stats(): ClientStats {
    return this.#stats;
  }

  /** Calls `listener` at each event; gives the way to stop that. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Connects, and stays connected. Safe to call again. */
  connect(): void {
    if (this.#link || this.#state.kind === 'closed') return;
    const { worker = true, WebSocket, token = '', getToken, transports, agent, clientId } = this.#options;
    this.#link = link({ worker, WebSocket }, (notice) => this.#hear(notice));
    this.#link.send({
      on: 'start',
      options: {
        urls: this.#urls(),
        token,
        hasProvider: !!getToken,
        transports: [...(transports ?? (['webtransport', 'websocket'] as const))],
        losers: recall(),
        client: clientId ?? keptClientId(),
        publisher: crypto.getRandomValues(new Uint8Array(16)),
        agent: `starling-ts/0.1.0 ${agent ?? ''}`.trim().slice(0, 128),
        browser: browserOf(globalThis.navigator?.userAgent),
      },
    });
    this.#watch(true);
  }

  /** Waits until it is connected. */
  async ready({ timeoutMs = 30_000, signal }: WaitOptions = {}): Promise<void> {
    this.connect();
    await new Promise<void>((resolve, reject) => {
      const stop = () => {
        off();
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
      };
      const aborted = () => {
        stop();
        reject(signal?.reason);
      };
      const look = () => {
        const { state } = this;
        if (state.kind === 'connected') resolve();
        else if (state.kind === 'closed') reject(this.#closedError());
        else return;
        stop();
      };
      const off = this.on('state', look);
      const timer = setTimeout(() => {
        stop();
        const cause = this.#state.kind === 'reconnecting' ? this.#state.error : '';
        reject(toError({ kind: 'timed_out', number: 0, message: cause }));
      }, timeoutMs);
      signal?.addEventListener('abort', aborted);
      if (signal?.aborted) aborted();
      else look();
    });
  }

  /**
   * Closes for good, after publishes on their way have their result, or five seconds. Safe to call again.
   */
  async close(): Promise<void> {
    if (!this.#link) {
      this.#changed({ kind: 'closed', reason: { code: 1000, reason: 'closed by the application' } });
      return;
    }
    if (this.#state.kind === 'closed') return;
    const closed = new Promise<void>((resolve) => {
      const off = this.on('state', ({ kind }) => {
        if (kind !== 'closed') return;
        off();
        resolve();
      });
    });
    this.#link.send({ on: 'close' });
    await closed;
  }

  /** A channel: the same object for the same name. The options of the first call hold. */
  channel<T = unknown>(name: string, options?: ChannelOptions): Channel<T> {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel(name, options ?? {}, {
        send: (command) => this.#send(command),
        request: (make, signal) => this.#request(make, signal),
        subscribe: (subscriber) => {
          this.connect();
          this.#subscribed.set(++this.#numbers, subscriber);
          return this.#numbers;
        },
        unsubscribe: (id) => {
          this.#subscribed.delete(id);
          this.#send({ on: 'unsubscribe', id });
        },
        taken: (id, events) => this.#taken.set(id, (this.#taken.get(id) ?? 0) + events),
        tellTaken: () => this.#tellTaken(),
        closed: () => this.#whyClosed(),
        beside: (channel, rest, history) => this.#readBeside(channel, rest, history),
      });
      this.#channels.set(name, channel);
    }
    return channel as Channel<T>;
  }

  /** @internal The one guest of a class, which is made when it is first asked for. */
  guest<Own extends Guest>(of: unknown, make: (host: Host) => Own): Own {
    const guest = this.#guests.get(of) ?? make(this.#host);
    this.#guests.set(of, guest);
    return guest as Own;
  }

  get #host(): Host {
    return {
      connect: () => this.connect(),
      isConnected: () => this.#session > 0,
      session: () => this.#session,
      frameBytes: () => this.#frameBytes,
      hasDatagrams: () => this.#state.kind === 'connected' && this.#state.transport === 'webtransport',
      pass: (slot, body, session) => this.#send({ on: 'pass', slot, body, ...(session && { session }) }),
      broken: (reason) => this.#send({ on: 'badFrame', reason }),
      closed: () => this.#whyClosed(),
    };
  }

  /** Reads history where the session has its one place in the channel for somebody else, and keeps what it takes to. */
  async #readBeside<T>(name: string, options: ChannelOptions, history: HistoryOptions): Promise<History<T>> {
    if (!this.#beside || this.#beside.state.kind === 'closed') {
      this.#beside = new Client({ ...this.#options, url: this.#nearest() });
    }
    const beside = this.#beside;
    clearTimeout(this.#besideTimer);
    this.#besideReadings++;
    try {
      return await beside.channel<T>(name, options).history(history);
    } finally {
      this.#besideReadings--;
      if (this.#beside && !this.#besideReadings) this.#besideTimer = setTimeout(() => this.#endBeside(), BESIDE_MS);
    }
  }

  #endBeside(): void {
    clearTimeout(this.#besideTimer);
    void this.#beside?.close();
    this.#beside = undefined;
  }

  /** Nodes for another client of this page: the one given may be gone, and this one have found another. */
  #nearest(): string[] {
    return [...(this.#reached && [this.#reached]), ...this.#urls()];
  }

  #urls(): string[] {
    const { url = globalThis.location?.origin } = this.#options;
    if (!url?.length) throw invalid('no node is named; give the option url');
    return typeof url === 'string' ? [url] : [...url];
  }

  #send(command: Command): void {
    this.#link?.send(command);
  }

  #request(make: (ticket: number) => Command, signal?: AbortSignal): Promise<Published> {
    this.connect();
    return new Promise((resolve, reject) => {
      if (this.#state.kind === 'closed') return reject(this.#closedError());
      if (signal?.aborted) return reject(signal.reason);
      if (this.#waiting.size >= WAITING_MAX) {
        const message = `${WAITING_MAX} publishes wait for their result; wait for some before publishing more`;
        return reject(toError({ kind: 'refused', number: 100, message }));
      }
      const ticket = ++this.#numbers;
      const aborted = () => {
        this.#waiting.delete(ticket);
        this.#send({ on: 'giveUp', ticket });
        reject(signal?.reason);
      };
      const settled = () => signal?.removeEventListener('abort', aborted);
      signal?.addEventListener('abort', aborted, { once: true });
      this.#waiting.set(ticket, {
        resolve: (outcome) => {
          settled();
          resolve(outcome);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#send(make(ticket));
    });
  }

  #hear(notice: Notice): void {
    switch (notice.do) {
      case 'events':
        this.#batch = notice.events;
        this.#at = 0;
        this.#pace.wake();
        break;
      case 'answer': {
        const waiting = this.#waiting.get(notice.ticket);
        this.#waiting.delete(notice.ticket);
        const { outcome } = notice;
        if ('kind' in outcome) waiting?.reject(toError(outcome));
        else waiting?.resolve(outcome);
        break;
      }
      case 'state':
        this.#stats = notice.measures;
        this.#reached = notice.url;
        this.#session = notice.state.kind === 'connected' ? notice.measures.sessions : 0;
        this.#changed(notice.state);
        break;
      case 'measures':
        this.#stats = notice.measures;
        break;
      case 'foreign':
        for (const frame of notice.given) guarded(() => this.#judge(frame));
        this.#send({ on: 'judged' });
        break;
      case 'lost':
        remember(notice.losers);
        break;
      case 'askToken':
        void this.#answerToken(notice.why);
    }
  }

  #judge(frame: Foreign): void {
    if ([...this.#guests.values()].some((guest) => guest.frame(frame))) return;
    // A fault of a channel that was left meanwhile answers no request, and is none of the session.
    if (frame.kind === 'foreign' || frame.body.request) {
      this.#send({ on: 'badFrame', reason: `${frame.kind}, in answer to nothing` });
    }
  }

  async #answerToken(why: TokenRequest): Promise<void> {
    try {
      const token = await this.#options.getToken?.({ why });
      this.#send({ on: 'token', token: token ?? '' });
    } catch (error) {
      const { message = String(error) } = error as Error;
      this.#send({ on: 'noToken', denied: error instanceof DeniedError, reason: message });
    }
  }

  /** Handles one event of the batch: whether there is more. */
  #deliverOne(): boolean {
    const next = this.#batch[this.#at];
    if (!next) return false;
    this.#at++;
    this.#subscribed.get(next[0])?.handle(next[1]);
    return this.#at < this.#batch.length;
  }

  /** A slice of the batch is handled. */
  #delivered(): void {
    for (const channel of this.#subscribed.values()) channel.handled();
    this.#tellTaken();
    if (this.#at < this.#batch.length) return;
    this.#batch = [];
    this.#send({ on: 'flushed' });
  }

  #tellTaken(): void {
    for (const [id, events] of this.#taken) this.#send({ on: 'taken', id, events });
    this.#taken.clear();
  }

  #changed(raw: RawState): void {
    if (this.#state.kind === 'closed') return;
    const state = this.#toState(raw);
    this.#state = state;
    for (const guest of this.#guests.values()) guest.changed();
    if (state.kind === 'connected' || state.kind === 'closed') {
      clearTimeout(this.#lostTimer);
      this.#lostTimer = undefined;
    } else {
      this.#lostTimer ??= setTimeout(() => {
        this.#isLost = true;
        this.#emitter.emit('lost', undefined);
      }, LOST_MS);
    }
    this.#emitter.emit('state', state);
    if (state.kind === 'connected' && this.#isLost) {
      this.#isLost = false;
      this.#emitter.emit('restored', undefined);
    }
    if (state.kind !== 'closed') return;
    this.#watch(false);
    this.#endBeside();
    for (const waiting of this.#waiting.values()) waiting.reject(this.#closedError());
    this.#waiting.clear();
    // A worker that is ended takes with it what it has not said: the Goodbye is given a moment.
    const last = this.#link;
    setTimeout(() => last?.end(), 250);
  }

  #toState(raw: RawState): State {
    if (raw.kind === 'closed') return { ...raw, reason: { ...raw.reason, name: closeName(raw.reason.code) } };
    if (raw.kind !== 'connected') return raw;
    const { frameBytes, ...state } = raw;
    this.#frameBytes = frameBytes;
    return state;
  }

  #whyClosed(): StarlingError | undefined {
    return this.#state.kind === 'closed' ? this.#closedError() : undefined;
  }

  #closedError(): StarlingError {
    const { code, reason } = (this.#state as Extract<State, { kind: 'closed' }>).reason;
    return toError({ kind: 'closed', number: code, message: reason });
  }

  /** A page that is looked at again, or a network that is back, is worth a try at once. */
  #watch(on: boolean): void {
    if (typeof window === 'undefined') return;
    const method = on ? 'addEventListener' : 'removeEventListener';
    window[method]('online', this.#nudge);
    document[method]('visibilitychange', this.#nudge);
  }

  readonly #nudge = (): void => {
    if (document.visibilityState === 'visible') this.#send({ on: 'nudge' });
  };
}
