/** CRC-32 as of IEEE 802.3 and RFC 1952 (gzip): polynomial 0xedb88320 reflected, initial value and result inverted. */
import * as zlib from 'node:zlib';

const table = new Uint32Array(256);
for (let index = 0; index < 256; index++) {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  table[index] = value;
}

/** The same without zlib.crc32, which Node has from 20.15 and 22.2 on. */
export function crc32ByTable(bytes: Uint8Array, start = 0): number {
  let value = ~start >>> 0;
  for (let index = 0; index < bytes.length; index++) {
    value = (table[(value ^ (bytes[index] as number)) & 0xff] as number) ^ (value >>> 8);
  }
  return ~value >>> 0;
}

const native = (zlib as { crc32?: (bytes: Uint8Array, start?: number) => number }).crc32;

/** The CRC-32 of `bytes`; `start` is the CRC-32 of what came before them. */
export const crc32: (bytes: Uint8Array, start?: number) => number = native ?? crc32ByTable;
