/** Operands that find mistakes: boundaries, denormals, NaNs, unnormals, carries, near neighbours; from a seed. */

/** A small generator of 32-bit numbers (xorshift128, Marsaglia 2003). */
export class Words {
  #a: number;
  #b = 362436069;
  #c = 521288629;
  #d = 88675123;

  constructor(seed: number) {
    this.#a = (seed ^ 0x9e3779b9) >>> 0;
    for (let i = 0; i < 16; i++) this.next();
  }

  /** The next 32 bits. */
  next(): number {
    const t = this.#a ^ (this.#a << 11);
    this.#a = this.#b;
    this.#b = this.#c;
    this.#c = this.#d;
    this.#d = (this.#d ^ (this.#d >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    return this.#d;
  }

  /** A number below `limit`. */
  below(limit: number): number {
    return this.next() % limit;
  }
}

/** What an operand is in memory. */
export type OperandKind =
  | 'ext'
  | 'f32'
  | 'f64'
  | 'integer'
  | 'decimal'
  | 'angle'
  | 'small'
  | 'tiny'
  | 'positive'
  | 'scale';

/** A fraction of 64 bits as two words: all zeros, all ones, one bit, few bits, ends of words, random. */
function fraction(random: Words): [number, number] {
  const bit = random.below(64);
  const low = bit < 32 ? (1 << bit) >>> 0 : 0;
  const high = bit < 32 ? 0 : (1 << (bit - 32)) >>> 0;
  switch (random.below(12)) {
    case 0:
      return [0, 0];
    case 1:
      return [0xffff_ffff, 0xffff_ffff];
    case 2:
      return [low, high];
    case 3:
      return [~low >>> 0, ~high >>> 0];
    case 4:
      return [0, random.next()];
    case 5:
      return [(random.next() & 0xfff) << 8, random.next()];
    case 6:
      // Around the last bits of 24 and 53 bits of precision.
      return [random.below(5) * 0x400 + random.below(3) - 1, random.below(2) * 0xffff_ffff + random.below(5) * 0x80];
    case 7:
      return [0xffff_ffff - random.below(4), 0xffff_ffff];
    default:
      return [random.next(), random.next()];
  }
}

/** A biased exponent of a format with `bits` bits of exponent. */
function exponent(random: Words, bits: number): number {
  const top = 2 ** bits - 1;
  const bias = top >> 1;
  const near = bias + random.below(140) - 70;
  switch (random.below(14)) {
    case 0:
      return 0;
    case 1:
      return top;
    case 2:
      return 1;
    case 3:
      return top - 1;
    case 4:
      return random.below(80);
    case 5:
      return top - random.below(80);
    case 6:
      // What meets the limits of f32 and f64.
      return bias + ([127, 128, 1023, 1024, -126, -127, -149, -150, -1022, -1023, -1074, -1075][random.below(12)] ?? 0);
    case 7:
      return random.next();
    default:
      return near;
  }
}

function clampExponent(value: number, bits: number): number {
  return value & (2 ** bits - 1);
}

function writeExtended(view: DataView, at: number, random: Words): void {
  const [low, high] = fraction(random);
  view.setUint32(at, low, true);
  // Seldom without the integer bit: unnormals, denormals, pseudo-infinities.
  const exp = clampExponent(exponent(random, 15), 15);
  const integer = exp === 0 ? random.below(2) : random.below(24) === 0 ? 0 : 1;
  view.setUint32(at + 4, integer ? high | 0x8000_0000 : high & 0x7fff_ffff, true);
  view.setUint16(at + 8, exp | (random.next() & 0x8000), true);
}

/** A number with an exponent in a range, normal. */
function writeNormal(view: DataView, at: number, random: Words, from: number, to: number, sign: number): void {
  const [low, high] = fraction(random);
  view.setUint32(at, low, true);
  view.setUint32(at + 4, high | 0x8000_0000, true);
  view.setUint16(at + 8, (16383 + from + random.below(to - from + 1)) | sign, true);
}

function writeDecimal(view: DataView, at: number, random: Words): void {
  for (let i = 0; i < 9; i++) view.setUint8(at + i, random.below(10) | (random.below(10) << 4));
  if (random.below(8) === 0) for (let i = 0; i < 9; i++) view.setUint8(at + i, 0);
  view.setUint8(at + 9, random.below(2) * 0x80);
}

/** Writes an operand of ten bytes or fewer. */
export function writeOperand(view: DataView, at: number, kind: OperandKind, random: Words): void {
  const sign = random.next() & 0x8000;
  switch (kind) {
    case 'ext':
      writeExtended(view, at, random);
      break;
    case 'f32': {
      const [, high] = fraction(random);
      const bits = (high & 0x7f_ffff) | (clampExponent(exponent(random, 8), 8) << 23) | (sign << 16);
      view.setUint32(at, bits >>> 0, true);
      break;
    }
    case 'f64': {
      const [low, high] = fraction(random);
      view.setUint32(at, low, true);
      view.setUint32(
        at + 4,
        ((high & 0xf_ffff) | (clampExponent(exponent(random, 11), 11) << 20) | (sign << 16)) >>> 0,
        true,
      );
      break;
    }
    case 'integer': {
      const [low, high] = fraction(random);
      view.setUint32(at, low, true);
      view.setUint32(at + 4, random.below(3) === 0 ? 0 : high, true);
      break;
    }
    case 'decimal':
      writeDecimal(view, at, random);
      break;
    case 'angle':
      writeNormal(view, at, random, -70, 64, sign);
      break;
    case 'small':
      writeNormal(view, at, random, -70, -1, sign);
      break;
    case 'tiny':
      writeNormal(view, at, random, -70, -3, sign);
      break;
    case 'positive':
      writeNormal(view, at, random, -70, 70, 0);
      break;
    case 'scale':
      writeNormal(view, at, random, -2, 15, sign);
      break;
  }
}
