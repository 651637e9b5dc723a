/**
 * A fast hash of bytes for telling states apart: 64 bits, well mixed, the same on every host. It does not withstand an
 * adversary who wants a collision. Two lanes of 32 bits, each a multiply-rotate round per four bytes with the finaliser
 * of MurmurHash3 (Austin Appleby, public domain).
 */

/** Reused by {@link hash64}: read it at once. */
export interface Hash64 {
  low: number;
  high: number;
}

const result: Hash64 = { low: 0, high: 0 };

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function finish(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85eb_ca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** The hash of `bytes` as two u32. The object is reused by the next call: nothing is allocated. */
export function hash64(bytes: Uint8Array): Readonly<Hash64> {
  const length = bytes.length;
  const words = length & ~3;
  let first = 0x9e37_79b9 ^ length;
  let second = 0x7f4a_7c15 ^ Math.imul(length, 31);
  for (let at = 0; at < words; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    first = Math.imul(rotate(first ^ Math.imul(word, 0xcc9e_2d51), 15), 5) + 0xe654_6b64;
    second = Math.imul(rotate(second ^ Math.imul(word, 0x1b87_3593), 13), 9) + 0x3ad8_025f;
  }
  for (let at = words; at < length; at++) {
    first = Math.imul(rotate(first ^ (bytes[at] as number), 15), 0x85eb_ca77);
    second = Math.imul(rotate(second ^ (bytes[at] as number), 13), 0xc2b2_ae3d);
  }
  result.low = finish(first ^ rotate(second, 16));
  result.high = finish(second + Math.imul(first, 5));
  return result;
}

/** The hash of `bytes` as 16 hexadecimal digits. */
export function hashHex(bytes: Uint8Array): string {
  const { low, high } = hash64(bytes);
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
