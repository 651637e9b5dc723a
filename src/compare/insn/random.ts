/** Chance with a taste: the values at which instructions go wrong. Everything is a function of the seed and of the case's number. */
import { Prng } from '../../base/prng.js';

const BOUNDARIES: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 7n, 8n, 15n, 16n, 31n, 32n, 63n, 64n, 0x55n, 0x7fn, 0x80n, 0xffn, 0x100n],
  ...[0x7fffn, 0x8000n, 0xffffn, 0x1_0000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n],
  ...[0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_fffen],
  ...[0xffff_ffff_8000_0000n, 0xffff_ffff_ffff_ff80n, 0x0123_4567_89ab_cdefn, 0xaaaa_aaaa_aaaa_aaaan],
];

/** Binary32: zeros, denormals, least and greatest normal, one and its neighbours, halves, infinities, NaNs, limits of integers. */
const SINGLES: readonly number[] = [
  ...[0, 1, 2, 0x7f_ffff, 0x80_0000, 0x80_0001, 0x0100_0000, 0x3f80_0000, 0x3f7f_ffff, 0x3f80_0001, 0x3f00_0000],
  ...[0x3fc0_0000, 0x4000_0000, 0x4020_0000, 0x4060_0000, 0x4f00_0000, 0x4eff_ffff, 0x5f00_0000, 0x4b00_0001],
  ...[0x7f7f_ffff, 0x7f80_0000, 0x7f80_0001, 0x7fbf_ffff, 0x7fc0_0000, 0x7fff_ffff, 0x2000_0000, 0x1f80_0000],
];

/** The upper half of binary64 likewise; lower halves are zeros, ones or random. */
const DOUBLES: readonly number[] = [
  ...[0, 1, 0xf_ffff, 0x10_0000, 0x10_0001, 0x20_0000, 0x3ff0_0000, 0x3fef_ffff, 0x3fe0_0000, 0x3ff8_0000],
  ...[0x4000_0000, 0x4004_0000, 0x400c_0000, 0x41e0_0000, 0x41df_ffff, 0x43e0_0000, 0x4330_0000, 0x47ef_ffff],
  ...[0x36a0_0000, 0x3810_0000, 0x380f_ffff, 0x7fef_ffff, 0x7ff0_0000, 0x7ff4_0000, 0x7ff8_0000, 0x7fff_ffff],
];

/** Sign and exponent of 80-bit values: zeros and denormals, around one, integers, range ends, infinities and NaNs. */
const EXPONENTS: readonly number[] = [
  ...[0, 0, 1, 2, 0x3ffe, 0x3fff, 0x3fff, 0x4000, 0x4001, 0x401d, 0x401e, 0x403c, 0x403d, 0x403e, 0x4040],
  ...[0x3f80, 0x3f81, 0x407e, 0x407f, 0x3c00, 0x3c01, 0x43fe, 0x43ff, 0x3fbf, 0x7ffe, 0x7fff, 0x7fff, 0x7fff],
];

/** The random source of one case. */
export class CaseRandom {
  readonly #prng: Prng;

  constructor(seed: number, number: number) {
    this.#prng = new Prng((Math.imul(seed, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b)) >>> 0);
  }

  u32(): number {
    return this.#prng.u32();
  }

  below(limit: number): number {
    return this.#prng.u32() % limit;
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.#prng.u32() % 100 < percent;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** A biased integer. */
  integer(): bigint {
    const choice = this.below(8);
    if (choice < 3) return this.pick(BOUNDARIES);
    if (choice === 3) return BigInt(this.below(256));
    if (choice === 4) return BigInt.asUintN(64, BigInt(-this.below(70)));
    if (choice === 5) return 1n << BigInt(this.below(64));
    if (choice === 6) return BigInt(this.u32());
    return this.u64();
  }

  /** 16 bytes for a vector register or memory: integers, singles, doubles, an 80-bit value, text. */
  vector(view: DataView, offset: number): void {
    const choice = this.below(10);
    if (choice < 2) {
      view.setBigUint64(offset, this.integer(), true);
      view.setBigUint64(offset + 8, this.integer(), true);
    } else if (choice < 5) for (let i = 0; i < 4; i++) view.setUint32(offset + i * 4, this.single(), true);
    else if (choice < 7) for (let i = 0; i < 2; i++) view.setBigUint64(offset + i * 8, this.double(), true);
    else if (choice === 7) this.extended(view, offset);
    else if (choice === 8)
      for (let i = 0; i < 16; i++) view.setUint8(offset + i, this.chance(15) ? 0 : 0x61 + this.below(4));
    else for (let i = 0; i < 4; i++) view.setUint32(offset + i * 4, this.u32(), true);
  }

  single(): number {
    const sign = this.below(2) * 0x8000_0000;
    if (this.chance(60)) return (this.pick(SINGLES) | sign) >>> 0;
    // Exponents near one, so that sums and products do not always overflow.
    if (this.chance(60)) return ((sign | ((0x70 + this.below(0x20)) << 23)) >>> 0) + (this.u32() & 0x7f_ffff);
    return this.u32();
  }

  double(): bigint {
    const sign = BigInt(this.below(2)) << 63n;
    const low = this.chance(50) ? 0n : this.chance(30) ? 0xffff_ffffn : BigInt(this.u32());
    if (this.chance(60)) return sign | (BigInt(this.pick(DOUBLES)) << 32n) | low;
    if (this.chance(60))
      return sign | (BigInt((0x3f0 + this.below(0x20)) << 20) << 32n) | (this.u64() & 0xf_ffff_ffff_ffffn);
    return this.u64();
  }

  /** 10 bytes; also pseudo-denormals, unnormals, pseudo-infinities and pseudo-NaNs. The other 6 become zero. */
  extended(view: DataView, offset: number): void {
    const exponent = this.chance(75)
      ? this.pick(EXPONENTS)
      : this.chance(60)
        ? 0x3fe0 + this.below(0x40)
        : this.below(0x8000);
    let significand = this.chance(40) ? 0n : this.chance(40) ? this.integer() : this.u64();
    if (this.chance(20)) significand = 1n << BigInt(this.below(64));
    if (exponent !== 0 && this.chance(92)) significand |= 1n << 63n;
    view.setBigUint64(offset, significand, true);
    view.setUint16(offset + 8, exponent | (this.below(2) << 15), true);
    view.setUint32(offset + 10, 0, true);
    view.setUint16(offset + 14, 0, true);
  }
}
