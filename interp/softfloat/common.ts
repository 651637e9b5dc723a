/**
 * The integer core of all floating point: numbers as sign, exponent and a 64-bit significand, arithmetic on them, and rounding
 * to any precision and range (IEEE 754-2008; SDM vol. 1, 4.8 and 4.9). f32.ts and f64.ts (SSE) and extended.ts (x87) are built on it.
 *
 * An unpacked number is `sig * 2^(exp - 63)` with bit 63 of `sig` set. An unrounded result has 64 more bits behind `sig`, of which
 * the last is sticky. No WASM float operation makes a bit of a result, so that the same is computed everywhere.
 */

/** Exception flags, as MXCSR and the x87 status word have them. */
export const FLAG_INVALID: u32 = 1;
export const FLAG_DENORMAL: u32 = 2;
export const FLAG_ZERO_DIVIDE: u32 = 4;
export const FLAG_OVERFLOW: u32 = 8;
export const FLAG_UNDERFLOW: u32 = 16;
export const FLAG_INEXACT: u32 = 32;

/** Rounding modes, as RC of MXCSR and of the x87 control word. */
export const ROUND_NEAREST: u32 = 0;
export const ROUND_DOWN: u32 = 1;
export const ROUND_UP: u32 = 2;
export const ROUND_ZERO: u32 = 3;

export const SIG_TOP: u64 = 0x8000000000000000;

/** What x87 adds to, or takes from, the exponent of a result that underflows or overflows unmasked (SDM vol. 1, 8.5.4). */
export const BIAS_ADJUST: i32 = 24576;

/** The environment of the operations. */
export let roundingMode: u32 = 0;
export let denormalsAreZero: bool = false;
export let flushToZero: bool = false;
/** Unmasked underflow is also signalled for an exact tiny result. */
export let underflowUnmasked: bool = false;
export let overflowUnmasked: bool = false;
/** Unmasked overflow and underflow answer with a biased exponent (x87 registers). */
export let biasedAnswers: bool = false;
/** Nobody sees them (SSE), but whether they are inexact is decided without the limits of the exponent. */
let hiddenAnswers: bool = false;

/** Flags raised since they were cleared: OR of FLAG_…. */
export let exceptionFlags: u32 = 0;
/** The last rounding went away from zero (C1 of the x87). */
export let roundedUp: bool = false;

/** Results of the core. */
export let resultExp: i32 = 0;
export let resultHi: u64 = 0;
export let resultLo: u64 = 0;

// @ts-ignore: decorator
@inline
export function raiseFlags(flags: u32): void {
  exceptionFlags |= flags;
}

// @ts-ignore: decorator
@inline
export function setExceptionFlags(flags: u32): void {
  exceptionFlags = flags;
}

// @ts-ignore: decorator
@inline
export function setRoundingMode(mode: u32): void {
  roundingMode = mode;
}

// @ts-ignore: decorator
@inline
export function setRoundedUp(up: bool): void {
  roundedUp = up;
}

// @ts-ignore: decorator
@inline
export function setBiasedAnswers(biased: bool): void {
  biasedAnswers = biased;
}

// @ts-ignore: decorator
@inline
export function setResult(exp: i32, hi: u64, lo: u64): void {
  resultExp = exp;
  resultHi = hi;
  resultLo = lo;
}

/** Takes rounding, DAZ, FTZ and the underflow mask from MXCSR and clears the flags (SDM vol. 1, 10.2.3). */
export function beginSse(mxcsr: u32): void {
  exceptionFlags = 0;
  roundingMode = (mxcsr >> 13) & 3;
  denormalsAreZero = (mxcsr & 0x40) != 0;
  underflowUnmasked = (mxcsr & 0x800) == 0;
  overflowUnmasked = (mxcsr & 0x400) == 0;
  biasedAnswers = false;
  hiddenAnswers = true;
  // With underflow unmasked FTZ does nothing.
  flushToZero = (mxcsr & 0x8800) == 0x8800;
}

/** Takes rounding and masks from the x87 control word and clears the flags. */
export function beginX87(control: u32): void {
  exceptionFlags = 0;
  roundedUp = false;
  roundingMode = (control >> 10) & 3;
  denormalsAreZero = false;
  flushToZero = false;
  underflowUnmasked = (control & 16) == 0;
  overflowUnmasked = (control & 8) == 0;
  biasedAnswers = true;
  hiddenAnswers = false;
}

/** Does a rounding with this half bit, these bits below it and this last bit go away from zero? */
// @ts-ignore: decorator
@inline
export function roundsAway(sign: bool, odd: bool, half: bool, rest: bool): bool {
  if (roundingMode == ROUND_NEAREST) return half && (rest || odd);
  if (roundingMode == ROUND_ZERO) return false;
  return (half || rest) && sign == (roundingMode == ROUND_DOWN);
}

/** Shifts hi:lo right into resultHi and resultLo; what falls off stays as the sticky last bit. */
export function shiftRightSticky(hi: u64, lo: u64, count: u32): void {
  if (count == 0) {
    resultHi = hi;
    resultLo = lo;
  } else if (count < 64) {
    resultHi = hi >> count;
    resultLo = (hi << (64 - count)) | (lo >> count) | u64(lo << (64 - count) != 0);
  } else if (count == 64) {
    resultHi = 0;
    resultLo = hi | u64(lo != 0);
  } else if (count < 128) {
    resultHi = 0;
    resultLo = (hi >> (count - 64)) | u64(((hi << (128 - count)) | lo) != 0);
  } else {
    resultHi = 0;
    resultLo = u64((hi | lo) != 0);
  }
}

/**
 * Rounds to `precision` bits and to exponents of minExp to maxExp, into resultHi and resultExp, and raises overflow, underflow and
 * inexact. A denormal result has exponent minExp and a clear top bit; infinity has exponent maxExp + 1. Tininess is detected
 * after rounding (SDM vol. 1, 4.9.1.5).
 */
export function roundTo(sign: bool, exp: i32, hi: u64, lo: u64, precision: u32, minExp: i32, maxExp: i32): void {
  const unit = <u64>1 << (64 - precision);
  const mask = unit - 1;
  let tiny = false;
  if (exp < minExp) {
    tiny = true;
    if (exp == minExp - 1 && (hi | mask) == u64.MAX_VALUE) {
      const half = precision == 64 ? lo >> 63 != 0 : (hi & (unit >> 1)) != 0;
      const rest = precision == 64 ? lo << 1 != 0 : ((hi & (mask >> 1)) | lo) != 0;
      tiny = !roundsAway(sign, true, half, rest);
    }
    if (tiny && flushToZero) {
      exceptionFlags |= FLAG_UNDERFLOW | FLAG_INEXACT;
      setResult(minExp, 0, 0);
      return;
    }
    if (tiny && underflowUnmasked) {
      if (biasedAnswers) exp += BIAS_ADJUST;
      else if (hiddenAnswers) exp = minExp;
    }
    if (exp < minExp) {
      shiftRightSticky(hi, lo, <u32>(minExp - exp));
      hi = resultHi;
      lo = resultLo;
      exp = minExp;
    }
  }
  const half = precision == 64 ? lo >> 63 != 0 : (hi & (unit >> 1)) != 0;
  const rest = precision == 64 ? lo << 1 != 0 : ((hi & (mask >> 1)) | lo) != 0;
  hi &= ~mask;
  roundedUp = roundsAway(sign, (hi & unit) != 0, half, rest);
  if (roundedUp) {
    hi += unit;
    if (hi == 0) {
      hi = SIG_TOP;
      exp++;
    }
  }
  const inexact = half || rest;
  if (inexact) exceptionFlags |= FLAG_INEXACT;
  if (tiny && (inexact || underflowUnmasked)) exceptionFlags |= FLAG_UNDERFLOW;
  if (exp > maxExp) {
    exceptionFlags |= FLAG_OVERFLOW;
    if (biasedAnswers && overflowUnmasked) exp -= BIAS_ADJUST;
    else if (!hiddenAnswers || !overflowUnmasked) {
      exceptionFlags |= FLAG_INEXACT;
      roundedUp = roundingMode == ROUND_NEAREST || (roundingMode != ROUND_ZERO && sign == (roundingMode == ROUND_DOWN));
      exp = roundedUp ? maxExp + 1 : maxExp;
      hi = roundedUp ? SIG_TOP : ~mask;
    }
  }
  resultExp = exp;
  resultHi = hi;
}

/** The high half of a 128-bit product; the low half goes to resultLo. */
export function multiplyWide(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >> 32);
  const cross = a0 * b1 + (middle & 0xffffffff);
  resultLo = (cross << 32) | (low & 0xffffffff);
  return a1 * b1 + (middle >> 32) + (cross >> 32);
}

/** Quotient of hi:lo by a divisor with its top bit set and above hi; the remainder goes to resultLo (Knuth's algorithm D). */
export function divideWide(hi: u64, lo: u64, divisor: u64): u64 {
  const d1 = divisor >> 32;
  const d0 = divisor & 0xffffffff;
  let q1 = hi / d1;
  let rest = hi - q1 * d1;
  while (q1 >> 32 != 0 || q1 * d0 > ((rest << 32) | (lo >> 32))) {
    q1--;
    rest += d1;
    if (rest >> 32 != 0) break;
  }
  const middle = ((hi << 32) | (lo >> 32)) - q1 * divisor;
  let q0 = middle / d1;
  rest = middle - q0 * d1;
  while (q0 >> 32 != 0 || q0 * d0 > ((rest << 32) | (lo & 0xffffffff))) {
    q0--;
    rest += d1;
    if (rest >> 32 != 0) break;
  }
  resultLo = ((middle << 32) | (lo & 0xffffffff)) - q0 * divisor;
  return (q1 << 32) | q0;
}

/** |a| + |b|, unrounded, into the result. */
export function addMagnitudes(aExp: i32, aSig: u64, bExp: i32, bSig: u64): void {
  if (aExp < bExp) {
    addMagnitudes(bExp, bSig, aExp, aSig);
    return;
  }
  shiftRightSticky(bSig, 0, <u32>(aExp - bExp));
  const sum = aSig + resultHi;
  resultExp = aExp;
  if (sum < aSig) {
    resultLo = (sum << 63) | (resultLo >> 1) | (resultLo & 1);
    resultHi = SIG_TOP | (sum >> 1);
    resultExp = aExp + 1;
  } else resultHi = sum;
}

/** |a| - |b|, unrounded, into the result, which is zero (resultHi = 0) if they are equal. Returns whether |b| is the larger. */
export function subtractMagnitudes(aExp: i32, aSig: u64, bExp: i32, bSig: u64): bool {
  if (aExp < bExp || (aExp == bExp && aSig < bSig)) {
    subtractMagnitudes(bExp, bSig, aExp, aSig);
    return true;
  }
  shiftRightSticky(bSig, 0, <u32>(aExp - bExp));
  let lo = -resultLo;
  let hi = aSig - resultHi - u64(lo != 0);
  let exp = aExp;
  if (hi == 0) {
    hi = lo;
    lo = 0;
    exp -= 64;
  }
  if (hi != 0) {
    const shift = clz<u64>(hi);
    if (shift != 0) {
      hi = (hi << shift) | (lo >> (64 - shift));
      lo <<= shift;
      exp -= <i32>shift;
    }
  }
  setResult(exp, hi, lo);
  return false;
}

/** |a * b|, exact. */
export function multiplyMagnitudes(aExp: i32, aSig: u64, bExp: i32, bSig: u64): void {
  const hi = multiplyWide(aSig, bSig);
  if (hi >> 63 != 0) {
    resultHi = hi;
    resultExp = aExp + bExp + 1;
  } else {
    resultHi = (hi << 1) | (resultLo >> 63);
    resultLo <<= 1;
    resultExp = aExp + bExp;
  }
}

/** |a / b|, unrounded. */
export function divideMagnitudes(aExp: i32, aSig: u64, bExp: i32, bSig: u64): void {
  const large = aSig >= bSig;
  resultExp = aExp - bExp - i32(!large);
  resultHi = large ? divideWide(aSig >> 1, aSig << 63, bSig) : divideWide(aSig, 0, bSig);
  const rest = resultLo;
  const other = bSig - rest;
  if (rest >= other) resultLo = SIG_TOP | u64(rest != other);
  else resultLo = u64(rest != 0);
}

/** The square root, unrounded. */
export function squareRoot(exp: i32, sig: u64): void {
  // The radicand hi:lo has an even exponent; its root s has 64 bits.
  const odd = (exp & 1) != 0;
  const hi = odd ? sig : sig >> 1;
  const lo = odd ? 0 : sig << 63;
  // A first guess, good to about 50 bits, below or above; then a Newton step, then what is still missing.
  const guess = sqrt<f64>(<f64>hi) * 4294967296.0;
  let s: u64 = guess >= 18446744073709549568.0 ? u64.MAX_VALUE : <u64>guess;
  if (s < SIG_TOP) s = SIG_TOP;
  if (hi >= s) s = u64.MAX_VALUE;
  else {
    const quotient = divideWide(hi, lo, s);
    // The mean of s and N / s.
    s = (s >> 1) + (quotient >> 1) + (s & quotient & 1);
    if (s < SIG_TOP) s = SIG_TOP;
  }
  let square = multiplyWide(s, s);
  while (square > hi || (square == hi && resultLo > lo)) {
    s--;
    square = multiplyWide(s, s);
  }
  let restLo = lo - resultLo;
  let restHi = hi - square - u64(lo < resultLo);
  // rest <= 2s, else s is too small.
  while (restHi > s >> 63 || (restHi == s >> 63 && restLo > s << 1)) {
    const taken = (s << 1) + 1;
    const borrow = u64(restLo < taken);
    restLo -= taken;
    restHi -= (s >> 63) + borrow;
    s++;
  }
  resultExp = odd ? (exp - 1) >> 1 : exp >> 1;
  resultHi = s;
  // Above s + 1/2 if the rest is above s.
  resultLo = restHi != 0 || restLo > s ? SIG_TOP | 1 : u64(restLo != 0);
}
