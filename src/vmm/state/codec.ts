/**
 * A state as bytes. All numbers are little-endian.
 *
 *     u8 length of the name, the name in ASCII, u16 version, then the fields of that version in the order of the table:
 *     uint        1, 2 or 4 bytes           bool   1 byte, 0 or 1          enum  1 byte, the position in the list
 *     u64, i64    8 bytes                   time   8 bytes, all ones = never
 *     bytes       exact length: the bytes; otherwise u32 length, the bytes
 *     array       exact length: the elements; otherwise u32 length, the elements
 *     struct      its fields
 *
 * There is one encoding for each state, so equal bytes are equal states. Decoding trusts nothing: lengths are checked
 * against the table and against what is left before anything is allocated.
 */
import { assert } from '../../base/assert.js';
import { hashHex } from '../../base/hash.js';
import { checkField, checkState, stateError } from './check.js';
import { type Field, type Fields, initialValue, type StateOf, type StateTable, TIME_MAX } from './fields.js';

const NEVER = 0xffff_ffff_ffff_ffffn;

/** Encodes a state, checking it first. `version` below the table's writes what an older vmtape would have written. */
export function encodeState<T extends StateTable>(
  table: T,
  state: Readonly<Record<string, unknown>>,
  version: number = table.version,
): Uint8Array {
  assert(version >= 1 && version <= table.version, 'the version to encode is one that the table knows');
  checkState(table, state);
  const writer = new Writer();
  writer.u8(table.name.length);
  for (let index = 0; index < table.name.length; index++) writer.u8(table.name.charCodeAt(index));
  writer.number(version, 2);
  writeFields(writer, table.fields, state as Record<string, unknown>, version);
  return writer.finish();
}

/** Decodes a state. Throws VMTAPE_STATE, naming the field, for anything that {@link encodeState} could not have written. */
export function decodeState<T extends StateTable>(table: T, encoded: Uint8Array): StateOf<T> {
  const reader = new Reader(encoded);
  const length = reader.number(1, table.name);
  const name = String.fromCharCode(...reader.bytes(length, table.name));
  if (name !== table.name)
    throw stateError(table.name, `belongs to another part of the machine: ${JSON.stringify(name)}`);
  const version = reader.number(2, `${table.name} (version)`);
  if (version < 1 || version > table.version) {
    throw stateError(table.name, `has version ${version}; this vmtape knows 1 to ${table.version}`);
  }
  const state = readFields(reader, table.fields, table.name, version);
  if (reader.left > 0) throw stateError(table.name, `is followed by ${reader.left} bytes too many`);
  return state as StateOf<T>;
}

/** A fingerprint of a state: 16 hexadecimal digits, equal for equal states. Not against an adversary. */
export function hashState(table: StateTable, state: Readonly<Record<string, unknown>>): string {
  return hashHex(encodeState(table, state));
}

class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  #room(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
  u8(value: number): void {
    const at = this.#room(1);
    this.#bytes[at] = value;
  }
  number(value: number, size: number): void {
    const at = this.#room(size);
    for (let index = 0; index < size; index++) this.#bytes[at + index] = value >>> (8 * index);
  }
  u64(value: bigint): void {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }
  bytes(value: Uint8Array): void {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
  }
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

class Reader {
  #at = 0;
  constructor(readonly source: Uint8Array) {}

  get left(): number {
    return this.source.length - this.#at;
  }
  bytes(count: number, path: string): Uint8Array {
    if (count > this.left) throw stateError(path, `needs ${count} bytes where ${this.left} are left`);
    const start = this.#at;
    this.#at += count;
    return this.source.slice(start, this.#at);
  }
  number(size: number, path: string): number {
    const bytes = this.bytes(size, path);
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = value * 256 + (bytes[index] as number);
    return value;
  }
  u64(path: string): bigint {
    return new DataView(this.bytes(8, path).buffer).getBigUint64(0, true);
  }
}

function writeFields(writer: Writer, fields: Fields, values: Record<string, unknown>, version: number): void {
  for (const [name, field] of Object.entries(fields)) {
    if (field.since <= version) writeField(writer, field, values[name], version);
  }
}

function writeField(writer: Writer, field: Field, value: unknown, version: number): void {
  switch (field.kind) {
    case 'uint':
      writer.number(value as number, field.bits / 8);
      return;
    case 'u64':
    case 'i64':
      writer.u64(value as bigint);
      return;
    case 'bool':
      writer.u8(value ? 1 : 0);
      return;
    case 'time':
      writer.u64(value === Number.POSITIVE_INFINITY ? NEVER : BigInt(value as number));
      return;
    case 'enum':
      writer.u8(field.values.indexOf(value as string));
      return;
    case 'bytes':
      if (field.minLength !== field.maxLength) writer.number((value as Uint8Array).length, 4);
      writer.bytes(value as Uint8Array);
      return;
    case 'array':
      if (field.minLength !== field.maxLength) writer.number((value as unknown[]).length, 4);
      for (const element of value as unknown[]) writeField(writer, field.element, element, version);
      return;
    case 'struct':
      writeFields(writer, field.fields, value as Record<string, unknown>, version);
      return;
  }
}

function readFields(reader: Reader, fields: Fields, path: string, version: number): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    values[name] = field.since <= version ? readField(reader, field, `${path}.${name}`, version) : initialValue(field);
  }
  return values;
}

function readField(reader: Reader, field: Field, path: string, version: number): unknown {
  const value = readValue(reader, field, path, version);
  // The elements of arrays and structs were checked one by one when they were read.
  if (field.kind !== 'array' && field.kind !== 'struct') checkField(field, value, path);
  return value;
}

function readValue(reader: Reader, field: Field, path: string, version: number): unknown {
  switch (field.kind) {
    case 'uint':
      return reader.number(field.bits / 8, path);
    case 'u64':
      return reader.u64(path);
    case 'i64':
      return BigInt.asIntN(64, reader.u64(path));
    case 'bool': {
      const value = reader.number(1, path);
      if (value > 1) throw stateError(path, `must be 0 or 1, not ${value}`);
      return value === 1;
    }
    case 'time': {
      const value = reader.u64(path);
      if (field.never && value === NEVER) return Number.POSITIVE_INFINITY;
      if (value > BigInt(TIME_MAX)) throw stateError(path, 'is later than the last time there is');
      return Number(value);
    }
    case 'enum': {
      const position = reader.number(1, path);
      const value = field.values[position];
      if (value === undefined) throw stateError(path, `must be below ${field.values.length}, not ${position}`);
      return value;
    }
    case 'bytes':
      return reader.bytes(readLength(reader, field, path), path);
    case 'array': {
      const length = readLength(reader, field, path);
      const values: unknown[] = [];
      for (let index = 0; index < length; index++) {
        values.push(readField(reader, field.element, `${path}[${index}]`, version));
      }
      return values;
    }
    case 'struct':
      return readFields(reader, field.fields, path, version);
  }
}

function readLength(reader: Reader, field: { minLength: number; maxLength: number }, path: string): number {
  if (field.minLength === field.maxLength) return field.minLength;
  const length = reader.number(4, path);
  if (length < field.minLength || length > field.maxLength) {
    throw stateError(path, `must have ${field.minLength} to ${field.maxLength} elements, not ${length}`);
  }
  return length;
}
