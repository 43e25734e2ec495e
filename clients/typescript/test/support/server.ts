/** A node that keeps the protocol's rules in memory, for the session under simulated time. */

import { decode, encode } from '../../src/wire/frame.ts';
import {
  CLIENT,
  type ClientBodies,
  type ClientFrame,
  SERVER,
  type ServerBodies,
  type ServerFrame,
} from '../../src/wire/frames.ts';
import { checkClient } from './client-check.ts';

interface Kept {
  seq: number;
  key: string;
  deleted: boolean;
  payload: Uint8Array;
}

interface Log {
  epoch: string;
  messages: Kept[];
  /** Messages before this seq are forgotten. */
  from: number;
  /** Results of the one publisher, by serial; 0 for one that was skipped. */
  results: Map<number, number>;
  /** The highest serial with a result. */
  highest: number;
}

/** Bytes of a page at most; small, so that paging shows. */
const PAGE_MESSAGES_MAX = 7;

/** What of a reader's messages is on its way to it, before the server calls it slow. */
const LAG_MAX = 40;

/** All channels, which outlive connections. */
export class Server {
  readonly logs = new Map<string, Log>();
  /** The share of live messages that are lost inside. */
  losses = 0.01;
  #ids = 0;
  readonly #channelIds = new Map<string, number>();
  #generation = 1;

  /** How the dice of this server fall. */
  constructor(readonly random: () => number) {}

  log(name: string): Log {
    let log = this.logs.get(name);
    if (!log) {
      log = { epoch: `0-${this.#generation}`, messages: [], from: 1, results: new Map(), highest: 0 };
      this.logs.set(name, log);
    }
    return log;
  }

  channelId(name: string): number {
    const id = this.#channelIds.get(name) ?? ++this.#ids;
    this.#channelIds.set(name, id);
    return id;
  }

  /** Appends: where it stands. */
  append(name: string, key: string, deleted: boolean, payload: Uint8Array): number {
    const { messages } = this.log(name);
    const seq = messages.length + 1;
    messages.push({ seq, key, deleted, payload });
    return seq;
  }
}

interface Reader {
  name: string;
  sent: number;
  /** Pages still go out; live messages do not. */
  paging: boolean;
  lagged: boolean;
  keyed: boolean;
}

/** One connection to the server, by bodies. */
export class Served {
  isClosed = false;
  readonly #readers = new Map<number, Reader>();
  #credit = 0;
  #open = false;

  constructor(
    private readonly server: Server,
    private readonly out: (body: Uint8Array<ArrayBuffer>) => void,
  ) {}

  /** The client sent a body. */
  receive(body: Uint8Array<ArrayBuffer>, nowMs: number): void {
    if (this.isClosed) return;
    const frame = decode<ClientBodies>(CLIENT, body);
    if (frame.kind === 'foreign') throw new Error('a frame of presence, which this server does not have');
    // A client that breaks the rules is the failure that these tests look for.
    checkClient(frame);
    if ((frame.kind === 'hello') === this.#open) throw new Error(`${frame.kind} out of place`);
    this.#take(frame, nowMs);
    this.tick();
  }

  /** Sends readers what there is for them. */
  tick(): void {
    for (const [channelId, reader] of this.#readers) this.#serve(channelId, reader);
  }

  #take(frame: ClientFrame, nowMs: number): void {
    const timeMs = 1_700_000_000_000 + Math.floor(nowMs);
    switch (frame.kind) {
      case 'hello':
        this.#open = true;
        this.#credit = frame.body.pageCredit;
        this.#send('welcome', {
          version: 1,
          session: 's',
          node: 'n',
          generation: 1,
          heartbeatMs: 10_000,
          timeMs,
          window: { messages: 1_000_000, bytes: 1, ageMs: 1 },
          limits: { frameBytes: 66_560, channels: 100, publishesInFlight: 64 },
          expiresMs: 0,
        });
        break;
      case 'ping':
        this.#send('pong', { nonce: frame.body.nonce, timeMs });
        break;
      case 'credit':
        this.#credit += frame.body.bytes;
        break;
      case 'attach':
        this.#attach(frame.body);
        break;
      case 'detach':
        this.#readers.delete(frame.body.channelId);
        this.#send('detached', frame.body);
        break;
      case 'pull': {
        const reader = this.#readers.get(frame.body.channelId);
        if (!reader) break;
        if (frame.body.seq > reader.sent) throw new Error('a pull from ahead of what was sent');
        Object.assign(reader, { sent: frame.body.seq, paging: true, lagged: false });
        break;
      }
      case 'publish':
      case 'skip':
        this.#publish(frame, timeMs);
        break;
      case 'goodbye':
        this.isClosed = true;
    }
  }

  #publish(frame: Extract<ClientFrame, { kind: 'publish' | 'skip' }>, timeMs: number): void {
    const { request, channel, serial, base } = frame.body;
    const log = this.server.log(channel);
    const known = log.results.get(serial);
    const position = (seq: number) => ({ epoch: log.epoch, seq, term: 1 });
    const ack = (seq: number, duplicate: boolean) =>
      this.#send('ack', {
        request,
        serial,
        ...(seq && { position: position(seq) }),
        copies: 1,
        skipped: seq === 0,
        duplicate,
        timeMs,
      });
    const refuse = (code: number, expectedSerial = 0) =>
      this.#send('error', { request, channelId: 0, code, message: 'no', retryAfterMs: 0, expectedSerial });
    if (known !== undefined) {
      if (known === 0 && frame.kind === 'publish') refuse(13);
      else ack(known, true);
      return;
    }
    const expected = log.highest ? log.highest + 1 : base;
    if (serial !== expected) {
      refuse(serial < expected ? 8 : 7, expected);
      return;
    }
    // A queue on the way is full, now and then.
    if (this.server.random() < 0.05) {
      refuse(100);
      return;
    }
    log.highest = serial;
    const isSkip = frame.kind === 'skip';
    const seq = isSkip ? 0 : this.server.append(channel, frame.body.key, frame.body.delete, frame.body.payload);
    log.results.set(serial, seq);
    ack(seq, false);
  }

  #attach({ request, channel, position, rewind }: ClientBodies['attach']): void {
    const log = this.server.log(channel);
    const head = log.messages.length;
    const keyed = channel.startsWith('keyed');
    const lost = position && (position.epoch !== log.epoch || position.seq + 1 < log.from || position.seq > head);
    const start = lost || !position ? (keyed ? head : Math.max(head - (rewind ?? 0), log.from - 1)) : position.seq;
    const at = keyed ? head : start;
    const channelId = this.server.channelId(channel);
    this.#send('attached', {
      request,
      channelId,
      channel,
      position: { epoch: log.epoch, seq: at, term: at ? 1 : 0 },
      head,
      window: { messages: 1, bytes: 1, ageMs: 1 },
      policy: 1,
      keyed,
      ...(lost ? { discontinuity: { reason: 2 } } : position ? { resumed: {} } : { rewound: { count: head - start } }),
    });
    this.#readers.set(channelId, { name: channel, sent: at, paging: true, lagged: false, keyed });
    if (!keyed || head === 0 || (!lost && position?.seq === head)) return;
    this.#snapshot(channelId, log, lost || !position ? undefined : position.seq);
  }

  /** The state in parts of three keys, or what changed since a seq. */
  #snapshot(channelId: number, log: Log, since: number | undefined): void {
    const newest = new Map<string, Kept>();
    for (const kept of log.messages) if (kept.seq > (since ?? 0)) newest.set(kept.key, kept);
    const entries = [...newest.values()].filter(({ deleted }) => since !== undefined || !deleted);
    const at = { epoch: log.epoch, seq: log.messages.length, term: 1 };
    for (let from = 0; from === 0 || from < entries.length; from += 3) {
      const part = entries.slice(from, from + 3).map((kept) => ({ ...kept, timeMs: 1 }));
      const last = from + 3 >= entries.length;
      this.#send('snapshot', { channelId, replace: since === undefined, at, entries: part, last });
    }
  }

  #serve(channelId: number, reader: Reader): void {
    const { messages } = this.server.log(reader.name);
    while (!reader.lagged && reader.sent < messages.length) {
      const behind = messages.length - reader.sent;
      if (!reader.paging && behind > LAG_MAX) {
        reader.lagged = true;
        this.#send('lagged', { channelId, seq: reader.sent });
        return;
      }
      if (!reader.paging || (behind === 1 && this.server.random() < 0.5)) {
        reader.paging = false;
        const next = messages[reader.sent] as Kept;
        // One is lost inside the server, now and then: the reader has to notice when the next comes.
        if (this.server.random() >= this.server.losses)
          this.#send('publication', { channelId, ...next, term: 1, timeMs: 1 });
        reader.sent++;
        continue;
      }
      const entries = messages.slice(reader.sent, reader.sent + PAGE_MESSAGES_MAX);
      const body = encode<ServerBodies>(SERVER, {
        kind: 'page',
        body: { channelId, after: reader.sent, entries: entries.map((kept) => ({ ...kept, term: 1, timeMs: 1 })) },
      });
      if (body.length > this.#credit) return;
      this.#credit -= body.length;
      this.out(body);
      reader.sent += entries.length;
    }
    if (reader.sent === messages.length) reader.paging = false;
  }

  #send<Kind extends ServerFrame['kind']>(kind: Kind, body: Partial<ServerBodies[Kind]>): void {
    if (!this.isClosed) this.out(encode<ServerBodies>(SERVER, { kind, body } as unknown as ServerFrame));
  }
}
