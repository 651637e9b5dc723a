/**
 * msgpack (the specification of 2021 at github.com/msgpack/msgpack) by msgpackr, with untrusted input checked before it
 * is decoded: lengths against the bytes there are, depth against a bound, and none but the plain types.
 */
import { Packr, Unpackr } from 'msgpackr';
import { ColumnError } from './columns.js';

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });
const DEPTH_MAX = 32;

/** Encodes plain data: no bigint, no class but Uint8Array. Equal data in equal order gives equal bytes. */
export function packMessage(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** Decodes what {@link packMessage} wrote. Throws {@link ColumnError} for anything else. */
export function unpackMessage(bytes: Uint8Array): unknown {
  const end = checkValue(bytes, 0, 0);
  if (end !== bytes.length) throw new ColumnError(`has ${bytes.length - end} bytes behind its msgpack value`);
  try {
    return unpackr.unpack(bytes);
  } catch (error) {
    throw new ColumnError(`is not msgpack: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function checkValue(bytes: Uint8Array, start: number, depth: number): number {
  if (depth > DEPTH_MAX) throw new ColumnError(`has msgpack nested deeper than ${DEPTH_MAX}`);
  const type = byteAt(bytes, start);
  const at = start + 1;
  if (type <= 0x7f || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) return at;
  if (type <= 0x8f) return checkMany(bytes, at, (type & 0xf) * 2, depth);
  if (type <= 0x9f) return checkMany(bytes, at, type & 0xf, depth);
  if (type <= 0xbf) return skip(bytes, at, type & 0x1f);
  const lengthBytes = lengthSizes.get(type);
  if (lengthBytes !== undefined) {
    const length = numberAt(bytes, at, lengthBytes);
    const body = at + lengthBytes;
    if (type >= 0xdc) return checkMany(bytes, body, type >= 0xde ? length * 2 : length, depth);
    return skip(bytes, body, length);
  }
  const size = fixedSizes.get(type);
  if (size === undefined) throw new ColumnError(`has the msgpack type 0x${type.toString(16)}, which no trace has`);
  return skip(bytes, at, size);
}

/** bin, str, array and map: bytes of their length. */
const lengthSizes = new Map([
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
  [0xdc, 2],
  [0xdd, 4],
  [0xde, 2],
  [0xdf, 4],
]);
/** Floats and integers: bytes of their value. */
const fixedSizes = new Map([
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
]);

function checkMany(bytes: Uint8Array, start: number, count: number, depth: number): number {
  // Each value has at least one byte.
  if (count > bytes.length - start)
    throw new ColumnError(`has msgpack that claims ${count} values where there are fewer`);
  let at = start;
  for (let index = 0; index < count; index++) at = checkValue(bytes, at, depth + 1);
  return at;
}

function skip(bytes: Uint8Array, at: number, count: number): number {
  if (count > bytes.length - at) throw new ColumnError(`has msgpack that claims ${count} bytes where there are fewer`);
  return at + count;
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new ColumnError('has msgpack that ends too early');
  return byte;
}

function numberAt(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let index = 0; index < size; index++) value = value * 256 + byteAt(bytes, at + index);
  return value;
}
