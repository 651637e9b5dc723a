/**
 * SHA-256 (FIPS 180-4) whose state can be saved between two bytes, which Node's cannot: so that a replay from a checkpoint
 * ends with the digest of all console bytes. For small amounts; for whole files there is node:crypto.
 */

const BLOCK = 64;
/** Words of the state. */
export const SHA256_WORDS = 8;

/** The first 32 bits of the fraction of a root of each of the first 64 primes. */
function fractions(count: number, root: (prime: number) => number): Int32Array {
  const words: number[] = [];
  for (let number = 2; words.length < count; number++) {
    let isPrime = true;
    for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) isPrime = false;
    if (isPrime) words.push(fraction32(root(number)));
  }
  return Int32Array.from(words);
}

/** A root below 8 has 50 bits of its fraction in a double: more than the 32 wanted. */
function fraction32(value: number): number {
  return Math.floor((value - Math.floor(value)) * 0x1_0000_0000) | 0;
}

const START = fractions(SHA256_WORDS, Math.sqrt);
const ROUNDS = fractions(64, Math.cbrt);

/** What {@link Sha256.save} gives. */
export interface Sha256State {
  /** Bytes hashed. */
  readonly count: number;
  /** {@link SHA256_WORDS} words of 32 bits. */
  readonly words: readonly number[];
  /** The bytes behind the last whole block: fewer than 64. */
  readonly rest: Uint8Array;
}

/** See the head of the file. */
export class Sha256 {
  readonly #words = Int32Array.from(START);
  readonly #block = new Uint8Array(BLOCK);
  readonly #schedule = new Int32Array(BLOCK);
  #count = 0;

  /** Hashes one more byte. */
  byte(value: number): void {
    const at = this.#count % BLOCK;
    this.#block[at] = value;
    this.#count++;
    if (at === BLOCK - 1) this.#round();
  }

  /** Hashes more bytes. */
  update(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index++) this.byte(bytes[index] as number);
  }

  /** The digest of all bytes so far, in hex; more may follow. */
  digest(): string {
    const end = new Sha256();
    end.load(this.save());
    end.byte(0x80);
    while (end.#count % BLOCK !== BLOCK - 8) end.byte(0);
    const bits = this.#count * 8;
    const length = new DataView(new ArrayBuffer(8));
    length.setUint32(0, Math.floor(bits / 0x1_0000_0000));
    length.setUint32(4, bits >>> 0);
    for (let index = 0; index < 8; index++) end.byte(length.getUint8(index));
    return Array.from(end.#words, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  save(): Sha256State {
    const rest = this.#block.slice(0, this.#count % BLOCK);
    return { count: this.#count, words: Array.from(this.#words, (word) => word >>> 0), rest };
  }

  /** Goes on where {@link save} was. */
  load({ count, words, rest }: Sha256State): void {
    this.#count = count;
    this.#words.set(words);
    this.#block.set(rest);
  }

  /** Section 6.2.2. */
  #round(): void {
    const w = this.#schedule;
    const block = this.#block;
    for (let t = 0; t < 16; t++) {
      const at = t * 4;
      w[t] =
        ((block[at] as number) << 24) |
        ((block[at + 1] as number) << 16) |
        ((block[at + 2] as number) << 8) |
        (block[at + 3] as number);
    }
    for (let t = 16; t < 64; t++) {
      const x = w[t - 2] as number;
      const y = w[t - 15] as number;
      const s1 = rotate(x, 17) ^ rotate(x, 19) ^ (x >>> 10);
      const s0 = rotate(y, 7) ^ rotate(y, 18) ^ (y >>> 3);
      w[t] = (s1 + (w[t - 7] as number) + s0 + (w[t - 16] as number)) | 0;
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = this.#words;
    for (let t = 0; t < 64; t++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (ROUNDS[t] as number) + (w[t] as number)) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    for (const [index, value] of [a, b, c, d, e, f, g, h].entries()) {
      this.#words[index] = ((this.#words[index] as number) + value) | 0;
    }
  }
}

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}
