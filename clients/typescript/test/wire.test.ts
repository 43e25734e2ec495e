/** The codec on every golden vector of the protocol. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../src/wire/check.ts';
import { DOCUMENT_CLIENT, DOCUMENT_SERVER, type DocumentClientBodies, decodeDocument } from '../src/wire/document.ts';
import { FrameFault } from '../src/wire/fault.ts';
import { Cutter, decode, delimited, encode } from '../src/wire/frame.ts';
import { CLIENT, type ClientBodies, type FrameOf, SERVER, type ServerBodies } from '../src/wire/frames.ts';
import { type Field, type Kind, message, type Schema } from '../src/wire/message.ts';
import { decodePresence, PRESENCE_CLIENT, PRESENCE_SERVER, type PresenceClientBodies } from '../src/wire/presence.ts';
import { checkClient } from './support/client-check.ts';
import { expand, hex, type Notation, proto, unhex, vectors } from './support/vectors.ts';

type Side = 'client' | 'server';
type Any = FrameOf<Record<string, Record<string, unknown>>>;

/** What a session knows, and what a page that uses presence or documents does. */
const tables = {
  client: [CLIENT, PRESENCE_CLIENT, DOCUMENT_CLIENT],
  server: [SERVER, PRESENCE_SERVER, DOCUMENT_SERVER],
};

const schemas = Object.fromEntries(
  Object.entries(tables).map(([side, all]) => [
    side,
    message(Object.fromEntries(all.flatMap(({ fields }) => [...fields])) as Record<number, Field>),
  ]),
) as Record<Side, Schema>;

function decodeChecked(side: Side, body: Uint8Array<ArrayBuffer>): Any {
  if (side === 'client') {
    const frame = [
      decode<ClientBodies>(CLIENT, body, true),
      decode<PresenceClientBodies>(PRESENCE_CLIENT, body, true),
      decode<DocumentClientBodies>(DOCUMENT_CLIENT, body, true),
    ].find(({ kind }) => kind !== 'foreign');
    if (!frame || frame.kind === 'foreign') throw new FrameFault('unknown_body');
    checkClient(frame);
    return frame as unknown as Any;
  }
  const frame = decode<ServerBodies>(SERVER, body, true);
  check(frame);
  if (frame.kind !== 'foreign') return frame as unknown as Any;
  const [own] = [decodePresence(body, true), decodeDocument(body, true)].filter(({ kind }) => kind !== 'foreign');
  if (!own) throw new FrameFault('unknown_body');
  return own as unknown as Any;
}

/** Protobuf's JSON of a message, as the vectors write it, to the values that the codec reads. */
function fromJson(schema: Schema, json: Record<string, unknown>): Record<string, unknown> {
  const value: Record<string, unknown> = { ...schema.defaults };
  for (const [name, kind, oneof] of schema.fields.values()) {
    const field = json[name];
    if (field === undefined) {
      if (Array.isArray(kind)) value[name] = [];
      continue;
    }
    assert.ok(oneof === undefined || oneof);
    value[name] = Array.isArray(kind)
      ? (field as unknown[]).map((item) => one(kind[0], item))
      : one(kind as Exclude<Kind, unknown[]>, field);
  }
  for (const name of Object.keys(json)) assert.ok(name in value, `the schema has no ${name}`);
  return value;
}

function one(kind: Exclude<Kind, unknown[]>, json: unknown): unknown {
  if (typeof kind === 'object') return fromJson(kind, json as Record<string, unknown>);
  if (kind === 'bytes') return unhex(json as Notation);
  if (typeof kind === 'number') return expand(json as Notation);
  if (kind === 'u64' || kind === 'wide') {
    const exact = BigInt(json as string);
    return exact <= Number.MAX_SAFE_INTEGER ? Number(exact) : exact;
  }
  if (kind === 'u32' && typeof json === 'string') return enumNumber(json);
  return json;
}

/** The numbers of the enums, from the schema's own words. */
function enumNumber(name: string): number {
  const all = enums();
  const number = all.get(name);
  assert.notEqual(number, undefined, `the schema has no ${name}`);
  return number as number;
}

function enums(): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const file of ['common', 'channel', 'session', 'document']) {
    const text = proto(file);
    for (const [, name, number] of text.matchAll(/^ {2}([A-Z][A-Z_0-9]+) = (\d+);/gm)) {
      numbers.set(name as string, Number(number));
    }
  }
  return numbers;
}

for (const side of ['client', 'server'] as const) {
  test(`every frame of a ${side} is read and written as the vectors have it`, () => {
    const { vectors: cases } = vectors<{ vectors: { name: string; body: Notation; frame: Record<string, object> }[] }>(
      side,
    );
    assert.ok(cases.length > 20);
    const kinds = new Set<string>();
    for (const { name, body, frame } of cases) {
      const bytes = unhex(body);
      const decoded = decodeChecked(side, bytes);
      const [kind, json] = Object.entries(frame)[0] as [string, Record<string, unknown>];
      const expected = fromJson(schemas[side], { [kind]: json })[kind];
      assert.deepEqual(plain(decoded), plain({ kind, body: expected }), name);
      assert.equal(hex(encode(schemas[side], decoded)), hex(bytes), name);
      kinds.add(kind);
    }
    assert.equal(kinds.size, schemas[side].fields.size, 'every kind is shown');
  });
}

test('every frame of a peer of the future is taken as what it means', () => {
  const { vectors: cases } = vectors<{ vectors: { name: string; from: Side; body: Notation; means?: Notation }[] }>(
    'tolerated',
  );
  for (const { name, from, body, means } of cases) {
    const decoded = decodeChecked(from, unhex(body));
    if (means) assert.equal(hex(encode(schemas[from], decoded)), expand(means), name);
  }
});

test('every frame that must be refused is, as the vectors name it', () => {
  const { vectors: cases } = vectors<{
    vectors: { name: string; from: Side; body: Notation; error: string; field?: string }[];
  }>('refused');
  assert.ok(cases.length > 60);
  for (const { name, from, body, error, field } of cases) {
    assert.throws(
      () => decodeChecked(from, unhex(body)),
      (thrown) => {
        assert.ok(thrown instanceof FrameFault, `${name}: ${thrown}`);
        // The schema's names here, protobuf's JSON names there.
        const snake = thrown.field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
        assert.deepEqual([thrown.fault, snake], [error, field ?? ''], name);
        return true;
      },
      name,
    );
  }
});

test('streams are cut as the vectors have it', () => {
  type Case = { name: string; bodyBytesMax: number; reads: Notation[]; bodies: Notation[]; error?: string };
  const { vectors: cases } = vectors<{ vectors: Case[] }>('stream');
  for (const { name, bodyBytesMax, reads, bodies, error } of cases) {
    const cutter = new Cutter(bodyBytesMax);
    const cut: string[] = [];
    const run = () => {
      for (const read of reads) for (const body of cutter.cut(unhex(read))) cut.push(hex(body));
      if (cutter.rest.length > 0) throw new FrameFault('truncated');
    };
    if (error) assert.throws(run, (thrown) => thrown instanceof FrameFault && thrown.fault === error, name);
    else run();
    assert.deepEqual(cut, bodies.map(expand), name);
    const whole = Buffer.concat(bodies.map((body) => delimited(unhex(body))));
    if (!error) assert.equal(hex(whole), reads.map(expand).join(''), name);
  }
});

test('texts of a server are judged where they stand, by their bytes', () => {
  const position = { epoch: 'e', seq: 1, term: 1 };
  const entry = { seq: 1, term: 1, timeMs: 1, key: '', deleted: false, payload: new Uint8Array() };
  const goodbye = { code: 4501, reason: '', retryAfterMs: 0, alternates: ['http://a'] };
  const page = { channelId: 1, after: 0, entries: [entry] };
  const discontinuity = { channelId: 1, reason: 1, position };
  const refused: [frame: FrameOf<ServerBodies>, fault: string][] = [
    [
      { kind: 'page', body: { ...page, entries: [{ ...entry, key: 'é'.repeat(65) }] } },
      'field_too_long page.entries.key',
    ],
    [
      { kind: 'discontinuity', body: { ...discontinuity, position: { ...position, epoch: 'e'.repeat(65) } } },
      'field_too_long discontinuity.position.epoch',
    ],
    [
      { kind: 'discontinuity', body: { ...discontinuity, position: { ...position, epoch: '' } } },
      'field_missing discontinuity.position.epoch',
    ],
    [{ kind: 'goodbye', body: { ...goodbye, reason: 'x'.repeat(1_025) } }, 'field_too_long goodbye.reason'],
    [{ kind: 'goodbye', body: { ...goodbye, alternates: ['x'.repeat(513)] } }, 'field_too_long goodbye.alternates'],
    [{ kind: 'goodbye', body: { ...goodbye, alternates: [''] } }, 'field_missing goodbye.alternates'],
    [
      { kind: 'goodbye', body: { ...goodbye, alternates: Array(9).fill('http://a') } },
      'field_too_many goodbye.alternates',
    ],
  ];
  const taken: FrameOf<ServerBodies>[] = [
    { kind: 'page', body: { ...page, entries: [{ ...entry, key: 'é'.repeat(64) }] } },
    { kind: 'discontinuity', body: discontinuity },
    { kind: 'goodbye', body: { ...goodbye, reason: 'x'.repeat(1_024), alternates: Array(8).fill('x'.repeat(512)) } },
  ];
  for (const [frame, message] of refused) {
    assert.throws(() => decodeChecked('server', encode<ServerBodies>(SERVER, frame)), { message });
  }
  for (const frame of taken) decodeChecked('server', encode<ServerBodies>(SERVER, frame));
});

test('a number that a session would miscount is refused, not rounded', () => {
  const lagged = unhex('42' + '0d' + '0805' + '10' + 'ffffffffffffffffff01');
  assert.equal(decode<ServerBodies>(SERVER, lagged, true).kind, 'lagged');
  assert.throws(() => decode(SERVER, lagged), FrameFault);
});

test('a frame of nested groups does not take the stack', () => {
  const groups = new Uint8Array(200_000).fill(0x0b);
  assert.throws(() => decode(SERVER, groups), FrameFault);
});

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}
