/**
 * Numbers with 128 bits of significand, for the transcendental functions: records in memory (32 bytes: u64 high and u64 low half of the
 * significand, i32 exponent, u32 sign), of the value `hi:lo * 2^(exp - 127)` with the top bit set; hi = 0 is zero. Operations are
 * right to a few units of the last of the 128 bits.
 */
import { divideWide, multiplyWide, resultHi, resultLo, shiftRightSticky } from './common';

/** Bytes of a record. */
export const WIDE: usize = 32;

// @ts-ignore: decorator
@inline
export function wideHi(a: usize): u64 {
  return load<u64>(a);
}

// @ts-ignore: decorator
@inline
export function wideLo(a: usize): u64 {
  return load<u64>(a, 8);
}

// @ts-ignore: decorator
@inline
export function wideExp(a: usize): i32 {
  return load<i32>(a, 16);
}

// @ts-ignore: decorator
@inline
export function wideSign(a: usize): bool {
  return load<u32>(a, 20) != 0;
}

export function wideSet(to: usize, sign: bool, exp: i32, hi: u64, lo: u64): void {
  store<u64>(to, hi);
  store<u64>(to, lo, 8);
  store<i32>(to, exp, 16);
  store<u32>(to, u32(sign), 20);
}

// @ts-ignore: decorator
@inline
export function wideCopy(to: usize, from: usize): void {
  wideSet(to, wideSign(from), wideExp(from), wideHi(from), wideLo(from));
}

export function wideInteger(to: usize, value: i32): void {
  if (value == 0) {
    wideSet(to, false, 0, 0, 0);
    return;
  }
  const bits = <u64>(value < 0 ? -(<i64>value) : <i64>value);
  const shift = clz<u64>(bits);
  wideSet(to, value < 0, 63 - <i32>shift, bits << shift, 0);
}

export function wideNegate(a: usize): void {
  store<u32>(a, load<u32>(a, 20) ^ 1, 20);
}

/** a * 2^by. */
export function wideScale(a: usize, by: i32): void {
  store<i32>(a, load<i32>(a, 16) + by, 16);
}

/** to = a + b, with b's sign turned if `subtract`. */
export function wideAdd(to: usize, a: usize, b: usize, subtract: bool = false): void {
  const bSign = wideSign(b) != subtract;
  if (wideHi(b) == 0) {
    wideCopy(to, a);
    return;
  }
  if (wideHi(a) == 0) {
    wideSet(to, bSign, wideExp(b), wideHi(b), wideLo(b));
    return;
  }
  let large = a;
  let small = b;
  let sign = wideSign(a);
  const other = bSign != sign;
  if (
    wideExp(a) < wideExp(b) ||
    (wideExp(a) == wideExp(b) && (wideHi(a) < wideHi(b) || (wideHi(a) == wideHi(b) && wideLo(a) < wideLo(b))))
  ) {
    large = b;
    small = a;
    sign = bSign;
  }
  const exp = wideExp(large);
  shiftRightSticky(wideHi(small), wideLo(small), <u32>min(exp - wideExp(small), 200));
  const hi = resultHi;
  const lo = resultLo;
  if (!other) {
    const sumLo = wideLo(large) + lo;
    const carry = u64(sumLo < lo);
    const sumHi = wideHi(large) + hi + carry;
    if (sumHi < hi || (carry != 0 && sumHi == hi)) {
      wideSet(to, sign, exp + 1, (sumHi >> 1) | 0x8000000000000000, (sumHi << 63) | (sumLo >> 1) | (sumLo & 1));
    } else wideSet(to, sign, exp, sumHi, sumLo);
    return;
  }
  wideNormalized(to, sign, exp, wideHi(large) - hi - u64(wideLo(large) < lo), wideLo(large) - lo);
}

function wideNormalized(to: usize, sign: bool, exp: i32, hi: u64, lo: u64): void {
  if (hi == 0) {
    hi = lo;
    lo = 0;
    exp -= 64;
  }
  if (hi == 0) {
    wideSet(to, false, 0, 0, 0);
    return;
  }
  const shift = clz<u64>(hi);
  if (shift != 0) {
    hi = (hi << shift) | (lo >> (64 - shift));
    lo <<= shift;
  }
  wideSet(to, sign, exp - <i32>shift, hi, lo);
}

/** to = a * b. */
export function wideMultiply(to: usize, a: usize, b: usize): void {
  const sign = wideSign(a) != wideSign(b);
  if (wideHi(a) == 0 || wideHi(b) == 0) {
    wideSet(to, sign, 0, 0, 0);
    return;
  }
  let hi = multiplyWide(wideHi(a), wideHi(b));
  let lo = resultLo;
  const first = multiplyWide(wideHi(a), wideLo(b));
  lo += first;
  hi += u64(lo < first);
  const second = multiplyWide(wideLo(a), wideHi(b));
  lo += second;
  hi += u64(lo < second);
  wideNormalized(to, sign, wideExp(a) + wideExp(b) + 1, hi, lo);
}

/** to = a / b for significands of 64 bits, the last bit of 128 sticky: an exact quotient is exact. */
function divideSingle(to: usize, sign: bool, exp: i32, a: u64, b: u64): void {
  const below = a < b;
  const hi = below ? divideWide(a, 0, b) : divideWide(a >> 1, a << 63, b);
  const lo = divideWide(resultLo, 0, b);
  wideSet(to, sign, exp - i32(below), hi, lo | u64(resultLo != 0));
}

/** to = a / b; b is not zero. */
export function wideDivide(to: usize, a: usize, b: usize): void {
  const sign = wideSign(a) != wideSign(b);
  if (wideHi(a) == 0) {
    wideSet(to, sign, 0, 0, 0);
    return;
  }
  if ((wideLo(a) | wideLo(b)) == 0) {
    divideSingle(to, sign, wideExp(a) - wideExp(b), wideHi(a), wideHi(b));
    return;
  }
  // By Newton's method from a reciprocal of 63 bits: 1/b = r (2 - b r), and once more.
  const d = wideHi(b);
  wideSet(reciprocal, false, -1, d == 0x8000000000000000 ? u64.MAX_VALUE : divideWide(0x8000000000000000, 0, d), 0);
  wideSet(divisor, false, 0, d, wideLo(b));
  const exp = wideExp(a) - wideExp(b);
  const top = wideHi(a);
  const low = wideLo(a);
  if (wideHi(reciprocal) >> 63 == 0) wideNormalized(reciprocal, false, -1, wideHi(reciprocal), 0);
  for (let i = 0; i < 2; i++) {
    wideMultiply(correction, divisor, reciprocal);
    wideInteger(two, 2);
    wideAdd(correction, two, correction, true);
    wideMultiply(reciprocal, reciprocal, correction);
  }
  wideSet(two, false, exp, top, low);
  wideMultiply(to, two, reciprocal);
  store<u32>(to, u32(sign), 20);
}

const reciprocal: usize = memory.data(32, 8);
const divisor: usize = memory.data(32, 8);
const correction: usize = memory.data(32, 8);
const two: usize = memory.data(32, 8);
