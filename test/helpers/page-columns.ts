/** What the reader of test/helpers/page-reader.ts is made of: columns, checksums and msgpack, as docs/trace-format.md names them. */
import { crc32 as zlibCrc32 } from 'node:zlib';

/** A value of msgpack. */
export type Value =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | { readonly [name: string]: Value };

/** Throws where the page says otherwise. */
export function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not as the page says: ${what}`);
}

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  return crc;
});
/** The CRC-32 of IEEE 802.3. */
export function crcOf(...parts: readonly Uint8Array[]): number {
  if (zlibCrc32 !== undefined) return parts.reduce((crc, part) => zlibCrc32(part, crc), 0);
  let crc = 0xffff_ffff;
  for (const part of parts) for (const byte of part) crc = (crcTable[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffff_ffff) >>> 0;
}

/** Bytes, from the first to the last. */
export class Column {
  at = 0;
  readonly view: DataView;
  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  get isEmpty(): boolean {
    return this.at === this.bytes.length;
  }
  take(length: number): Uint8Array {
    must(this.at + length <= this.bytes.length, 'a column is long enough');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  u8 = (): number => this.take(1)[0] as number;
  u32 = (): number => this.next(4).getUint32(0, true);
  /** So many bytes, to be looked at. */
  next(length: number): DataView {
    const bytes = this.take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      must(value <= Number.MAX_SAFE_INTEGER, 'a varint is below 2^53');
      if (byte < 0x80) return value;
    }
  }
  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

/** The one value of a payload. */
export function unpack(bytes: Uint8Array): Value {
  const column = new Column(bytes);
  const value = unpackValue(column, 0);
  must(column.isEmpty, 'a payload is one value');
  return value;
}

function unpackValue(column: Column, depth: number): Value {
  must(depth <= 32, 'nested at most 32 deep');
  const big = (length: number): number => column.take(length).reduce((value, byte) => value * 256 + byte, 0);
  const text = (length: number) => Buffer.from(column.take(length)).toString('utf8');
  const list = (length: number) => Array.from({ length }, () => unpackValue(column, depth + 1));
  const map = (length: number) =>
    Object.fromEntries(
      Array.from({ length }, () => [unpackValue(column, depth + 1) as string, unpackValue(column, depth + 1)]),
    );
  const type = column.u8();
  if (type < 0x80) return type;
  if (type < 0x90) return map(type - 0x80);
  if (type < 0xa0) return list(type - 0x90);
  if (type < 0xc0) return text(type - 0xa0);
  if (type >= 0xe0) return type - 0x100;
  switch (type) {
    case 0xc0:
      return null;
    case 0xc2:
    case 0xc3:
      return type === 0xc3;
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return column.take(big(1 << (type - 0xc4)));
    case 0xca:
      return column.next(4).getFloat32(0);
    case 0xcb:
      return column.next(8).getFloat64(0);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      return big(1 << (type - 0xcc));
    case 0xd0:
      return column.next(1).getInt8(0);
    case 0xd1:
      return column.next(2).getInt16(0);
    case 0xd2:
      return column.next(4).getInt32(0);
    case 0xd3:
      return Number(column.next(8).getBigInt64(0));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return text(big(1 << (type - 0xd9)));
    case 0xdc:
    case 0xdd:
      return list(big(2 << (type - 0xdc)));
    case 0xde:
    case 0xdf:
      return map(big(2 << (type - 0xde)));
    default:
      throw new Error(`not as the page says: the type ${type} is plain`);
  }
}
