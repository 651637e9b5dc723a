/**
 * Integer arithmetic, comparison and logic on packed bytes, words, doublewords and quadwords (SDM vol. 2: PADDB to PXOR, PMADDWD, PABSB,
 * PHADDW, PSIGNB, PMULHRSW, PMULDQ, PHMINPOSUW …). Each function is the whole of an instruction: `a` is the destination's old
 * value, `b` the source. MMX uses them on the low halves where the lanes do not meet.
 */

// @ts-ignore: decorator
@inline
export function paddb(a: v128, b: v128): v128 {
  return i8x16.add(a, b);
}

// @ts-ignore: decorator
@inline
export function paddw(a: v128, b: v128): v128 {
  return i16x8.add(a, b);
}

// @ts-ignore: decorator
@inline
export function paddd(a: v128, b: v128): v128 {
  return i32x4.add(a, b);
}

// @ts-ignore: decorator
@inline
export function paddq(a: v128, b: v128): v128 {
  return i64x2.add(a, b);
}

// @ts-ignore: decorator
@inline
export function psubb(a: v128, b: v128): v128 {
  return i8x16.sub(a, b);
}

// @ts-ignore: decorator
@inline
export function psubw(a: v128, b: v128): v128 {
  return i16x8.sub(a, b);
}

// @ts-ignore: decorator
@inline
export function psubd(a: v128, b: v128): v128 {
  return i32x4.sub(a, b);
}

// @ts-ignore: decorator
@inline
export function psubq(a: v128, b: v128): v128 {
  return i64x2.sub(a, b);
}

// @ts-ignore: decorator
@inline
export function paddsb(a: v128, b: v128): v128 {
  return i8x16.add_sat_s(a, b);
}

// @ts-ignore: decorator
@inline
export function paddsw(a: v128, b: v128): v128 {
  return i16x8.add_sat_s(a, b);
}

// @ts-ignore: decorator
@inline
export function paddusb(a: v128, b: v128): v128 {
  return i8x16.add_sat_u(a, b);
}

// @ts-ignore: decorator
@inline
export function paddusw(a: v128, b: v128): v128 {
  return i16x8.add_sat_u(a, b);
}

// @ts-ignore: decorator
@inline
export function psubsb(a: v128, b: v128): v128 {
  return i8x16.sub_sat_s(a, b);
}

// @ts-ignore: decorator
@inline
export function psubsw(a: v128, b: v128): v128 {
  return i16x8.sub_sat_s(a, b);
}

// @ts-ignore: decorator
@inline
export function psubusb(a: v128, b: v128): v128 {
  return i8x16.sub_sat_u(a, b);
}

// @ts-ignore: decorator
@inline
export function psubusw(a: v128, b: v128): v128 {
  return i16x8.sub_sat_u(a, b);
}

// @ts-ignore: decorator
@inline
export function pavgb(a: v128, b: v128): v128 {
  return i8x16.avgr_u(a, b);
}

// @ts-ignore: decorator
@inline
export function pavgw(a: v128, b: v128): v128 {
  return i16x8.avgr_u(a, b);
}

// @ts-ignore: decorator
@inline
export function pminub(a: v128, b: v128): v128 {
  return i8x16.min_u(a, b);
}

// @ts-ignore: decorator
@inline
export function pminsb(a: v128, b: v128): v128 {
  return i8x16.min_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pminuw(a: v128, b: v128): v128 {
  return i16x8.min_u(a, b);
}

// @ts-ignore: decorator
@inline
export function pminsw(a: v128, b: v128): v128 {
  return i16x8.min_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pminud(a: v128, b: v128): v128 {
  return i32x4.min_u(a, b);
}

// @ts-ignore: decorator
@inline
export function pminsd(a: v128, b: v128): v128 {
  return i32x4.min_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pmaxub(a: v128, b: v128): v128 {
  return i8x16.max_u(a, b);
}

// @ts-ignore: decorator
@inline
export function pmaxsb(a: v128, b: v128): v128 {
  return i8x16.max_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pmaxuw(a: v128, b: v128): v128 {
  return i16x8.max_u(a, b);
}

// @ts-ignore: decorator
@inline
export function pmaxsw(a: v128, b: v128): v128 {
  return i16x8.max_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pmaxud(a: v128, b: v128): v128 {
  return i32x4.max_u(a, b);
}

// @ts-ignore: decorator
@inline
export function pmaxsd(a: v128, b: v128): v128 {
  return i32x4.max_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pcmpeqb(a: v128, b: v128): v128 {
  return i8x16.eq(a, b);
}

// @ts-ignore: decorator
@inline
export function pcmpeqw(a: v128, b: v128): v128 {
  return i16x8.eq(a, b);
}

// @ts-ignore: decorator
@inline
export function pcmpeqd(a: v128, b: v128): v128 {
  return i32x4.eq(a, b);
}

// @ts-ignore: decorator
@inline
export function pcmpeqq(a: v128, b: v128): v128 {
  return i64x2.eq(a, b);
}

// @ts-ignore: decorator
@inline
export function pcmpgtb(a: v128, b: v128): v128 {
  return i8x16.gt_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pcmpgtw(a: v128, b: v128): v128 {
  return i16x8.gt_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pcmpgtd(a: v128, b: v128): v128 {
  return i32x4.gt_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pcmpgtq(a: v128, b: v128): v128 {
  return i64x2.gt_s(a, b);
}

// @ts-ignore: decorator
@inline
export function pand(a: v128, b: v128): v128 {
  return v128.and(a, b);
}

// @ts-ignore: decorator
@inline
export function pandn(a: v128, b: v128): v128 {
  return v128.andnot(b, a);
}

// @ts-ignore: decorator
@inline
export function por(a: v128, b: v128): v128 {
  return v128.or(a, b);
}

// @ts-ignore: decorator
@inline
export function pxor(a: v128, b: v128): v128 {
  return v128.xor(a, b);
}

// @ts-ignore: decorator
@inline
export function pmullw(a: v128, b: v128): v128 {
  return i16x8.mul(a, b);
}

// @ts-ignore: decorator
@inline
export function pmulld(a: v128, b: v128): v128 {
  return i32x4.mul(a, b);
}

// @ts-ignore: decorator
@inline
export function pmaddwd(a: v128, b: v128): v128 {
  return i32x4.dot_i16x8_s(a, b);
}

/** The high words of the products of signed words. */
export function pmulhw(a: v128, b: v128): v128 {
  const low = i32x4.extmul_low_i16x8_s(a, b);
  const high = i32x4.extmul_high_i16x8_s(a, b);
  return i8x16.shuffle(low, high, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
}

/** Of unsigned words. */
export function pmulhuw(a: v128, b: v128): v128 {
  const low = i32x4.extmul_low_i16x8_u(a, b);
  const high = i32x4.extmul_high_i16x8_u(a, b);
  return i8x16.shuffle(low, high, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
}

/** Bits 30:15 of the products, rounded: as WASM's, but -1 × -1 is -1. */
export function pmulhrsw(a: v128, b: v128): v128 {
  const least = i16x8.splat(-0x8000);
  const wraps = v128.and(i16x8.eq(a, least), i16x8.eq(b, least));
  return v128.xor(i16x8.q15mulr_sat_s(a, b), wraps);
}

/** Doublewords 0 and 2, unsigned. */
export function pmuludq(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_u(evenDoublewords(a), evenDoublewords(b));
}

/** Signed. */
export function pmuldq(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_s(evenDoublewords(a), evenDoublewords(b));
}

// @ts-ignore: decorator
@inline
function evenDoublewords(a: v128): v128 {
  return i8x16.shuffle(a, a, 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
}

/** Sums of absolute differences of bytes, one for each eight. */
export function psadbw(a: v128, b: v128): v128 {
  const difference = i8x16.sub(i8x16.max_u(a, b), i8x16.min_u(a, b));
  const quads = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(difference));
  const mask = i64x2.splat(0xffffffff);
  return i64x2.add(v128.and(quads, mask), i64x2.shr_u(quads, 32));
}

/** Unsigned bytes of `a` times signed bytes of `b`, neighbours added with saturation. */
export function pmaddubsw(a: v128, b: v128): v128 {
  const low = i16x8.mul(i16x8.extend_low_i8x16_u(a), i16x8.extend_low_i8x16_s(b));
  const high = i16x8.mul(i16x8.extend_high_i8x16_u(a), i16x8.extend_high_i8x16_s(b));
  return i16x8.add_sat_s(evenWords(low, high), oddWords(low, high));
}

// @ts-ignore: decorator
@inline
function evenWords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29);
}

// @ts-ignore: decorator
@inline
function oddWords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
}

// @ts-ignore: decorator
@inline
function evenPairs(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}

// @ts-ignore: decorator
@inline
function oddPairs(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

export function phaddw(a: v128, b: v128): v128 {
  return i16x8.add(evenWords(a, b), oddWords(a, b));
}

export function phaddd(a: v128, b: v128): v128 {
  return i32x4.add(evenPairs(a, b), oddPairs(a, b));
}

export function phaddsw(a: v128, b: v128): v128 {
  return i16x8.add_sat_s(evenWords(a, b), oddWords(a, b));
}

export function phsubw(a: v128, b: v128): v128 {
  return i16x8.sub(evenWords(a, b), oddWords(a, b));
}

export function phsubd(a: v128, b: v128): v128 {
  return i32x4.sub(evenPairs(a, b), oddPairs(a, b));
}

export function phsubsw(a: v128, b: v128): v128 {
  return i16x8.sub_sat_s(evenWords(a, b), oddWords(a, b));
}

export function pabsb(a: v128, b: v128): v128 {
  return i8x16.abs(b);
}

export function pabsw(a: v128, b: v128): v128 {
  return i16x8.abs(b);
}

export function pabsd(a: v128, b: v128): v128 {
  return i32x4.abs(b);
}

/** `a`, negated where `b` is negative, zero where it is zero. */
export function psignb(a: v128, b: v128): v128 {
  const zero = i8x16.splat(0);
  return v128.andnot(v128.bitselect(i8x16.neg(a), a, i8x16.lt_s(b, zero)), i8x16.eq(b, zero));
}

export function psignw(a: v128, b: v128): v128 {
  const zero = i16x8.splat(0);
  return v128.andnot(v128.bitselect(i16x8.neg(a), a, i16x8.lt_s(b, zero)), i16x8.eq(b, zero));
}

export function psignd(a: v128, b: v128): v128 {
  const zero = i32x4.splat(0);
  return v128.andnot(v128.bitselect(i32x4.neg(a), a, i32x4.lt_s(b, zero)), i32x4.eq(b, zero));
}

const WORDS: usize = memory.data(16, 16);

/** The smallest unsigned word of `b` and, in bits 18:16, its position: the first if there are several. */
export function phminposuw(a: v128, b: v128): v128 {
  v128.store(WORDS, b);
  let least: u32 = 0xffff;
  let place: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    const word = <u32>load<u16>(WORDS + <usize>i * 2);
    if (word < least) {
      least = word;
      place = i;
    }
  }
  return i64x2(<i64>(least | (place << 16)), 0);
}
