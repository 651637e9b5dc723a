/**
 * The operations of f32.ts and f64.ts, generic over the bits: T = u32 or u64. Operands and results are bit patterns; the environment
 * and the flags are those of common.ts. NaN rule of SSE (SDM vol. 1, table 4-7): the first operand if it is a NaN, else the second, made quiet.
 */
import {
  FLAG_DENORMAL, FLAG_INEXACT, FLAG_INVALID, FLAG_ZERO_DIVIDE, ROUND_DOWN, SIG_TOP, addMagnitudes, denormalsAreZero,
  divideMagnitudes, multiplyMagnitudes, raiseFlags, resultExp, resultHi, resultLo, roundTo, roundingMode, roundsAway,
  setRoundedUp, shiftRightSticky, squareRoot, subtractMagnitudes,
} from './common';

/** Results of {@link compareFloat}. */
export const LESS: i32 = -1;
export const EQUAL: i32 = 0;
export const GREATER: i32 = 1;
export const UNORDERED: i32 = 2;

// @ts-ignore: decorator
@inline
function fractionBits<T>(): i32 {
  return sizeof<T>() == 4 ? 23 : 52;
}

// @ts-ignore: decorator
@inline
function bias<T>(): i32 {
  return sizeof<T>() == 4 ? 127 : 1023;
}

// @ts-ignore: decorator
@inline
function signMask<T>(): T {
  return <T>1 << <T>(sizeof<T>() * 8 - 1);
}

// @ts-ignore: decorator
@inline
function infinity<T>(): T {
  return <T>(sizeof<T>() == 4 ? 0x7f800000 : 0x7ff0000000000000);
}

// @ts-ignore: decorator
@inline
function quietBit<T>(): T {
  return <T>1 << <T>(fractionBits<T>() - 1);
}

/** The quiet NaN that answers an invalid operation. */
// @ts-ignore: decorator
@inline
function indefinite<T>(): T {
  return signMask<T>() | infinity<T>() | quietBit<T>();
}

// @ts-ignore: decorator
@inline
function magnitude<T>(a: T): T {
  return a & ~signMask<T>();
}

// @ts-ignore: decorator
@inline
function negative<T>(a: T): bool {
  return (a & signMask<T>()) != 0;
}

// @ts-ignore: decorator
@inline
export function isNaNBits<T>(a: T): bool {
  return magnitude<T>(a) > infinity<T>();
}

// @ts-ignore: decorator
@inline
export function isSignalling<T>(a: T): bool {
  return isNaNBits<T>(a) && (a & quietBit<T>()) == 0;
}

// @ts-ignore: decorator
@inline
function isInfinite<T>(a: T): bool {
  return magnitude<T>(a) == infinity<T>();
}

// @ts-ignore: decorator
@inline
function isDenormal<T>(a: T): bool {
  return magnitude<T>(a) != 0 && (a & infinity<T>()) == 0;
}

/** Raises the denormal exception if it is one and DAZ does not make it a zero. */
function noteDenormal<T>(a: T): void {
  if (isDenormal<T>(a) && !denormalsAreZero) raiseFlags(FLAG_DENORMAL);
}

/** Answers an operation that has a NaN among its operands. */
export function propagate<T>(a: T, b: T): T {
  if (isSignalling<T>(a) || isSignalling<T>(b)) raiseFlags(FLAG_INVALID);
  return (isNaNBits<T>(a) ? a : b) | quietBit<T>();
}

function invalid<T>(): T {
  raiseFlags(FLAG_INVALID);
  return indefinite<T>();
}

/** Exponent of the number last unpacked. */
let unpackedExp: i32 = 0;

/** Significand of a finite number, normalised; 0 for zero. Notes denormals. */
function unpack<T>(a: T): u64 {
  const exp = <i32>((a & infinity<T>()) >> <T>fractionBits<T>());
  const fraction = (<u64>magnitude<T>(a)) << (63 - fractionBits<T>());
  if (exp != 0) {
    unpackedExp = exp - bias<T>();
    return fraction | SIG_TOP;
  }
  if (magnitude<T>(a) == 0 || denormalsAreZero) return 0;
  raiseFlags(FLAG_DENORMAL);
  const shift = <i32>clz<u64>(fraction);
  unpackedExp = 1 - bias<T>() - shift;
  return fraction << shift;
}

/** Rounds and packs an unrounded number. */
export function roundFloat<T>(sign: bool, exp: i32, hi: u64, lo: u64): T {
  roundTo(sign, exp, hi, lo, fractionBits<T>() + 1, 1 - bias<T>(), bias<T>());
  const top = sign ? signMask<T>() : 0;
  const fraction = <T>((resultHi << 1) >> (64 - fractionBits<T>()));
  if (resultHi >> 63 == 0) return top | fraction;
  return top | ((<T>(resultExp + bias<T>())) << <T>fractionBits<T>()) | fraction;
}

// @ts-ignore: decorator
@inline
function signed<T>(sign: bool, value: T): T {
  return sign ? value | signMask<T>() : value;
}

/** a + b, or a - b with `subtract`. */
export function addFloat<T>(a: T, b: T, subtract: bool): T {
  if (isNaNBits<T>(a) || isNaNBits<T>(b)) return propagate<T>(a, b);
  const aSign = negative<T>(a);
  const bSign = negative<T>(b) != subtract;
  if (isInfinite<T>(a)) {
    if (isInfinite<T>(b) && aSign != bSign) return invalid<T>();
    noteDenormal<T>(b);
    return a;
  }
  if (isInfinite<T>(b)) {
    noteDenormal<T>(a);
    return signed<T>(bSign, infinity<T>());
  }
  const aSig = unpack<T>(a);
  const aExp = unpackedExp;
  const bSig = unpack<T>(b);
  const bExp = unpackedExp;
  if (aSig == 0 && bSig == 0) return signed<T>(aSign == bSign ? aSign : roundingMode == ROUND_DOWN, 0);
  if (aSig == 0) return roundFloat<T>(bSign, bExp, bSig, 0);
  if (bSig == 0) return roundFloat<T>(aSign, aExp, aSig, 0);
  if (aSign == bSign) {
    addMagnitudes(aExp, aSig, bExp, bSig);
    return roundFloat<T>(aSign, resultExp, resultHi, resultLo);
  }
  const larger = subtractMagnitudes(aExp, aSig, bExp, bSig);
  if (resultHi == 0) return signed<T>(roundingMode == ROUND_DOWN, 0);
  return roundFloat<T>(aSign != larger, resultExp, resultHi, resultLo);
}

export function multiplyFloat<T>(a: T, b: T): T {
  if (isNaNBits<T>(a) || isNaNBits<T>(b)) return propagate<T>(a, b);
  const sign = negative<T>(a) != negative<T>(b);
  if (isInfinite<T>(a) || isInfinite<T>(b)) {
    const other = isInfinite<T>(a) ? b : a;
    if (magnitude<T>(other) == 0 || (denormalsAreZero && isDenormal<T>(other))) return invalid<T>();
    noteDenormal<T>(other);
    return signed<T>(sign, infinity<T>());
  }
  const aSig = unpack<T>(a);
  const aExp = unpackedExp;
  const bSig = unpack<T>(b);
  if (aSig == 0 || bSig == 0) return signed<T>(sign, 0);
  multiplyMagnitudes(aExp, aSig, unpackedExp, bSig);
  return roundFloat<T>(sign, resultExp, resultHi, resultLo);
}

export function divideFloat<T>(a: T, b: T): T {
  if (isNaNBits<T>(a) || isNaNBits<T>(b)) return propagate<T>(a, b);
  const sign = negative<T>(a) != negative<T>(b);
  if (isInfinite<T>(a)) {
    if (isInfinite<T>(b)) return invalid<T>();
    noteDenormal<T>(b);
    return signed<T>(sign, infinity<T>());
  }
  if (isInfinite<T>(b)) {
    noteDenormal<T>(a);
    return signed<T>(sign, 0);
  }
  if (magnitude<T>(b) == 0 || (denormalsAreZero && isDenormal<T>(b))) {
    if (magnitude<T>(a) == 0 || (denormalsAreZero && isDenormal<T>(a))) return invalid<T>();
    raiseFlags(FLAG_ZERO_DIVIDE);
    return signed<T>(sign, infinity<T>());
  }
  const aSig = unpack<T>(a);
  const aExp = unpackedExp;
  const bSig = unpack<T>(b);
  if (aSig == 0) return signed<T>(sign, 0);
  divideMagnitudes(aExp, aSig, unpackedExp, bSig);
  return roundFloat<T>(sign, resultExp, resultHi, resultLo);
}

export function squareRootFloat<T>(a: T): T {
  if (isNaNBits<T>(a)) return propagate<T>(a, a);
  if (magnitude<T>(a) == 0 || (denormalsAreZero && isDenormal<T>(a))) return a & signMask<T>();
  if (negative<T>(a)) return invalid<T>();
  if (isInfinite<T>(a)) return a;
  const sig = unpack<T>(a);
  squareRoot(unpackedExp, sig);
  return roundFloat<T>(false, resultExp, resultHi, resultLo);
}

/** LESS, EQUAL, GREATER or UNORDERED. With `signalling`, a quiet NaN is invalid too (COMISD, CMPLT); else only a signalling one. */
export function compareFloat<T>(a: T, b: T, signalling: bool): i32 {
  if (isNaNBits<T>(a) || isNaNBits<T>(b)) {
    if (signalling || isSignalling<T>(a) || isSignalling<T>(b)) raiseFlags(FLAG_INVALID);
    return UNORDERED;
  }
  noteDenormal<T>(a);
  noteDenormal<T>(b);
  const x = denormalsAreZero && isDenormal<T>(a) ? <T>0 : a;
  const y = denormalsAreZero && isDenormal<T>(b) ? <T>0 : b;
  if ((magnitude<T>(x) | magnitude<T>(y)) == 0) return EQUAL;
  if (negative<T>(x) != negative<T>(y)) return negative<T>(x) ? LESS : GREATER;
  if (x == y) return EQUAL;
  return x < y != negative<T>(x) ? LESS : GREATER;
}

/** To an integer of I = i32 or i64 by the rounding mode. What does not fit is invalid and gives the smallest integer. */
export function floatToInteger<T, I>(a: T): I {
  const indefiniteInteger = <I>1 << <I>(sizeof<I>() * 8 - 1);
  const top: i32 = sizeof<I>() * 8 - 1;
  if ((a & infinity<T>()) == infinity<T>()) {
    raiseFlags(FLAG_INVALID);
    return indefiniteInteger;
  }
  // Conversions to integers do not signal denormal operands (SDM vol. 1, 4.9.1.2).
  const exp = <i32>((a & infinity<T>()) >> <T>fractionBits<T>()) - bias<T>();
  if (magnitude<T>(a) == 0 || (denormalsAreZero && isDenormal<T>(a))) return 0;
  if (exp > 63) {
    raiseFlags(FLAG_INVALID);
    return indefiniteInteger;
  }
  const fraction = (<u64>magnitude<T>(a)) << (63 - fractionBits<T>());
  const sign = negative<T>(a);
  shiftRightSticky((a & infinity<T>()) == 0 ? fraction & ~SIG_TOP : fraction | SIG_TOP, 0, <u32>(63 - exp));
  let value = resultHi;
  const half = resultLo >> 63 != 0;
  const rest = resultLo << 1 != 0;
  const away = roundsAway(sign, (value & 1) != 0, half, rest);
  value += u64(away);
  const limit = <u64>1 << top;
  // A carry out of 64 bits leaves 0; then the exponent was 63, and it does not fit.
  if ((away && value == 0) || value > limit || (value == limit && !sign)) {
    raiseFlags(FLAG_INVALID);
    return indefiniteInteger;
  }
  if (half || rest) raiseFlags(FLAG_INEXACT);
  return sign ? <I>-(<i64>value) : <I>value;
}

/** From a signed 64-bit integer (of any smaller size too). */
export function integerToFloat<T>(value: i64): T {
  if (value == 0) return 0;
  const sign = value < 0;
  const bits = <u64>(sign ? -value : value);
  const shift = clz<u64>(bits);
  return roundFloat<T>(sign, 63 - <i32>shift, bits << shift, 0);
}

/** To an integral value of the same format by `mode` (ROUND_…). `quiet`: inexact is not signalled (ROUNDSD). */
export function roundToIntegral<T>(a: T, quiet: bool): T {
  if (isNaNBits<T>(a)) return propagate<T>(a, a);
  if (magnitude<T>(a) == 0 || (denormalsAreZero && isDenormal<T>(a))) return a & signMask<T>();
  const exp = <i32>((a & infinity<T>()) >> <T>fractionBits<T>()) - bias<T>();
  if (exp >= fractionBits<T>()) return a;
  const sign = negative<T>(a);
  if (exp < -1) {
    if (!quiet) raiseFlags(FLAG_INEXACT);
    const one = <T>bias<T>() << <T>fractionBits<T>();
    return signed<T>(sign, roundsAway(sign, false, false, true) ? one : 0);
  }
  const shift = <u32>(fractionBits<T>() - exp);
  const unit = <u64>1 << shift;
  const all = <u64>magnitude<T>(a);
  const half = exp == -1 || (all & (unit >> 1)) != 0;
  const below = exp == -1 ? all & ((<u64>1 << fractionBits<T>()) - 1) : all & ((unit >> 1) - 1);
  if (!half && below == 0) return a;
  if (!quiet) raiseFlags(FLAG_INEXACT);
  if (exp == -1) {
    const one = <T>bias<T>() << <T>fractionBits<T>();
    return signed<T>(sign, roundsAway(sign, false, true, below != 0) ? one : 0);
  }
  // The bit of weight one is the implicit one if the exponent is 0.
  const odd = exp == 0 || (all & unit) != 0;
  let value = all & ~(unit - 1);
  const away = roundsAway(sign, odd, half, below != 0);
  setRoundedUp(away);
  if (away) value += unit;
  return signed<T>(sign, <T>value);
}

/** From one format to another: T the source, R the result. */
export function convertFloat<T, R>(a: T): R {
  if (isNaNBits<T>(a)) {
    if (isSignalling<T>(a)) raiseFlags(FLAG_INVALID);
    const payload = (<u64>a) << (63 - fractionBits<T>());
    const fraction = <R>((payload << 1) >> (64 - fractionBits<R>()));
    return signed<R>(negative<T>(a), infinity<R>() | quietBit<R>() | fraction);
  }
  const sign = negative<T>(a);
  if (isInfinite<T>(a)) return signed<R>(sign, infinity<R>());
  const sig = unpack<T>(a);
  if (sig == 0) return signed<R>(sign, 0);
  return roundFloat<R>(sign, unpackedExp, sig, 0);
}
