/** Protobuf messages by a description of their fields, in both directions. */

import { FrameFault } from './fault.ts';
import { malformed, Reader, text, type U64 } from './reader.ts';
import { encodeText, Writer } from './writer.ts';

/**
 * What a field holds: a number stands for a text of so many bytes at most; `u64` is counted with, `wide` is not. A list of one
 * kind is a repeated field, and a text in it is not empty.
 */
export type Kind = number | 'bytes' | 'u64' | 'wide' | 'u32' | 'bool' | Schema | [Schema] | [number];

/** A field: its name, what it holds, and the group of which at most one is set. */
export type Field = [name: string, kind: Kind, oneof?: string];

/** A message. */
export interface Schema {
  readonly fields: ReadonlyMap<number, Field>;
  /** What a field that is not on the wire holds; what may be absent is absent. */
  readonly defaults: Value;
  /** The repeated fields: each message needs lists of its own. */
  readonly lists: readonly string[];
  /** Fields that must be set. */
  readonly required: readonly string[];
}

type Value = Record<string, unknown>;

const DEFAULTS = { bytes: new Uint8Array(), u64: 0, wide: 0, u32: 0, bool: false };

const NUMBERS = ['u64', 'wide', 'u32', 'bool'];

/** Describes a message: its fields by number, in order. */
export function message(fields: Record<number, Field>, required: readonly string[] = []): Schema {
  const defaults: Value = {};
  const lists: string[] = [];
  for (const [name, kind, oneof] of Object.values(fields)) {
    if (Array.isArray(kind)) lists.push(name);
    else if (typeof kind !== 'object' && !oneof) defaults[name] = typeof kind === 'number' ? '' : DEFAULTS[kind];
  }
  const byNumber = new Map(Object.entries(fields).map(([number, field]) => [Number(number), field]));
  return { fields: byNumber, defaults, lists, required };
}

/**
 * Reads a message, which faults call by its `path`. A `u64` above 2^53 - 1 is refused, since whoever counts with it would
 * count wrong, unless `exact` asks for it as a bigint.
 */
export function read(schema: Schema, bytes: Uint8Array, exact: boolean, path: string, into?: unknown): Value {
  const value = (into as Value) ?? { ...schema.defaults };
  if (!into) for (const name of schema.lists) value[name] = [];
  const reader = new Reader(bytes);
  while (!reader.done) {
    const [number, wire] = reader.tag();
    const field = schema.fields.get(number);
    if (field) readField(reader, wire, schema, field, value, exact, path);
    else reader.skip(number, wire);
  }
  for (const name of schema.required) if (!value[name]) throw missing(`${path}.${name}`);
  return value;
}

function readField(
  reader: Reader,
  wire: number,
  schema: Schema,
  [name, kind, oneof]: Field,
  value: Value,
  exact: boolean,
  path: string,
): void {
  const isNumber = NUMBERS.includes(kind as string);
  if (wire !== (isNumber ? 0 : 2)) throw malformed();
  if (oneof) {
    for (const [other, , group] of schema.fields.values()) if (group === oneof && other !== name) delete value[other];
  }
  if (isNumber) {
    const number = reader.u64();
    if (kind === 'u64' && typeof number === 'bigint' && !exact) throw malformed();
    if (kind === 'u64' || kind === 'wide') value[name] = number;
    else if (kind === 'bool') value[name] = number > 0;
    else value[name] = typeof number === 'number' ? number >>> 0 : Number(BigInt.asUintN(32, number));
    return;
  }
  const inner = `${path}.${name}`;
  if (Array.isArray(kind)) {
    const item = readItem(kind[0], reader.bytes(), exact, inner);
    if (!item) throw missing(inner);
    (value[name] as unknown[]).push(item);
    // A message that comes twice is merged, as protobuf has it.
  } else value[name] = readItem(kind, reader.bytes(), exact, inner, value[name]);
}

function readItem(kind: Kind, bytes: Uint8Array, exact: boolean, path: string, into?: unknown): unknown {
  if (typeof kind === 'object') return read(kind as Schema, bytes, exact, path, into);
  if (kind === 'bytes') return bytes;
  if (bytes.length > (kind as number)) throw new FrameFault('field_too_long', path);
  const decoded = text(bytes);
  if (decoded === undefined) throw malformed();
  return decoded;
}

const missing = (path: string): FrameFault => new FrameFault('field_missing', path);

/** Writes a message: fields in order of their numbers, defaults left out. */
export function write(schema: Schema, value: object): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  for (const [number, [name, kind, oneof]] of schema.fields) {
    const field = (value as Value)[name];
    if (field === undefined) continue;
    if (NUMBERS.includes(kind as string)) {
      if (field || oneof) writer.u64(number * 8).u64(kind === 'bool' ? 1 : (field as U64));
      continue;
    }
    const repeated = Array.isArray(kind);
    const of = repeated ? kind[0] : kind;
    for (const item of repeated ? (field as unknown[]) : [field]) {
      const bytes =
        typeof of === 'object' ? write(of, item as Value) : typeof item === 'string' ? encodeText(item) : item;
      const { length } = bytes as Uint8Array;
      if (length > 0 || typeof of === 'object' || repeated) writer.u64(number * 8 + 2).bytes(bytes as Uint8Array);
    }
  }
  return writer.finish();
}
