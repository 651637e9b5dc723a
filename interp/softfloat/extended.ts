/**
 * The 80-bit extended format of the x87 (SDM vol. 1, 4.2.2, 4.8 and 8.5): arithmetic and comparison. A number is its upper 16 bits (sign and
 * exponent, as a u32) and its significand with the explicit integer bit. Results go to extHigh and extSig. The environment and the flags are those of
 * common.ts (`beginX87`).
 *
 * Unnormals, pseudo-infinities and pseudo-NaNs (exponent not 0, integer bit 0) are invalid operands; a pseudo-denormal (exponent 0,
 * integer bit 1) counts as a denormal.
 */
import {
  FLAG_DENORMAL, FLAG_INVALID, FLAG_ZERO_DIVIDE, ROUND_DOWN, SIG_TOP, addMagnitudes, divideMagnitudes,
  multiplyMagnitudes, raiseFlags, resultExp, resultHi, resultLo, roundTo, roundingMode, squareRoot, subtractMagnitudes,
} from './common';

export const EXT_BIAS: i32 = 16383;
export const EXT_MIN: i32 = -16382;
export const EXT_MAX: i32 = 16383;
const QUIET: u64 = 0x4000000000000000;

/** Results of {@link extCompare}. */
export const EXT_LESS: i32 = -1;
export const EXT_EQUAL: i32 = 0;
export const EXT_GREATER: i32 = 1;
export const EXT_UNORDERED: i32 = 2;

/** The last result. */
export let extHigh: u32 = 0;
export let extSig: u64 = 0;

// @ts-ignore: decorator
@inline
export function setExt(high: u32, sig: u64): void {
  extHigh = high;
  extSig = sig;
}

/** The answer to an invalid operation: the indefinite quiet NaN. */
export function setIndefinite(): void {
  extHigh = 0xffff;
  extSig = 0xc000000000000000;
}

export function extInvalid(): void {
  raiseFlags(FLAG_INVALID);
  setIndefinite();
}

// @ts-ignore: decorator
@inline
export function extExponent(high: u32): u32 {
  return high & 0x7fff;
}

// @ts-ignore: decorator
@inline
export function extNegative(high: u32): bool {
  return (high & 0x8000) != 0;
}

// @ts-ignore: decorator
@inline
export function extUnsupported(high: u32, sig: u64): bool {
  return extExponent(high) != 0 && sig >> 63 == 0;
}

/** A NaN that is not unsupported. */
// @ts-ignore: decorator
@inline
export function extNaN(high: u32, sig: u64): bool {
  return extExponent(high) == 0x7fff && sig > SIG_TOP;
}

// @ts-ignore: decorator
@inline
export function extSignalling(high: u32, sig: u64): bool {
  return extNaN(high, sig) && (sig & QUIET) == 0;
}

// @ts-ignore: decorator
@inline
export function extInfinite(high: u32, sig: u64): bool {
  return extExponent(high) == 0x7fff && sig == SIG_TOP;
}

// @ts-ignore: decorator
@inline
export function extZero(high: u32, sig: u64): bool {
  return sig == 0 && extExponent(high) == 0;
}

/** Denormal or pseudo-denormal. */
// @ts-ignore: decorator
@inline
export function extDenormal(high: u32, sig: u64): bool {
  return extExponent(high) == 0 && sig != 0;
}

// @ts-ignore: decorator
@inline
function noteDenormal(high: u32, sig: u64): void {
  if (extDenormal(high, sig)) raiseFlags(FLAG_DENORMAL);
}

/** Unsupported or a NaN: the operation is answered without computing. */
// @ts-ignore: decorator
@inline
export function extSpecial(high: u32, sig: u64): bool {
  return (extExponent(high) == 0x7fff && sig != SIG_TOP) || extUnsupported(high, sig);
}

/** Answers an operation of which an operand is a NaN or unsupported (SDM vol. 1, table 4-7, x87 column). */
export function extPropagate(aHigh: u32, aSig: u64, bHigh: u32, bSig: u64): void {
  if (extUnsupported(aHigh, aSig) || extUnsupported(bHigh, bSig)) {
    extInvalid();
    return;
  }
  const aSignals = extSignalling(aHigh, aSig);
  const bSignals = extSignalling(bHigh, bSig);
  if (aSignals || bSignals) raiseFlags(FLAG_INVALID);
  const aNaN = extNaN(aHigh, aSig);
  const bNaN = extNaN(bHigh, bSig);
  let first = aNaN;
  if (aNaN && bNaN) {
    // Of a signalling and a quiet one the quiet one; else the larger significand; of equal ones the positive.
    if (aSignals != bSignals) first = bSignals;
    else if (aSig != bSig) first = aSig > bSig;
    else first = aHigh < bHigh;
  }
  if (first) setExt(aHigh, aSig | QUIET);
  else setExt(bHigh, bSig | QUIET);
}

/** Exponent of the number last unpacked. */
export let extExp: i32 = 0;

/** Normalised significand of a finite number, 0 for zero; the exponent goes to extExp. Does not note denormals. */
// @ts-ignore: decorator
@inline
export function extNormalize(high: u32, sig: u64): u64 {
  const exp = extExponent(high);
  if (exp != 0 || sig >> 63 != 0) {
    extExp = <i32>(exp != 0 ? exp : 1) - EXT_BIAS;
    return sig;
  }
  if (sig == 0) return 0;
  const shift = clz<u64>(sig);
  extExp = EXT_MIN - <i32>shift;
  return sig << shift;
}

/** The same, and a denormal raises its exception. */
export function extUnpack(high: u32, sig: u64): u64 {
  noteDenormal(high, sig);
  return extNormalize(high, sig);
}

/** Rounds to `precision` bits and packs. */
export function extRound(sign: bool, exp: i32, hi: u64, lo: u64, precision: u32): void {
  roundTo(sign, exp, hi, lo, precision, EXT_MIN, EXT_MAX);
  extSig = resultHi;
  extHigh = (sign ? 0x8000 : 0) | (resultHi >> 63 != 0 ? <u32>(resultExp + EXT_BIAS) : 0);
}

// @ts-ignore: decorator
@inline
export function setExtZero(sign: bool): void {
  extHigh = sign ? 0x8000 : 0;
  extSig = 0;
}

// @ts-ignore: decorator
@inline
export function setExtInfinity(sign: bool): void {
  extHigh = sign ? 0xffff : 0x7fff;
  extSig = SIG_TOP;
}

/** a + b, or a - b with `subtract`. */
export function extAdd(aHigh: u32, aSig: u64, bHigh: u32, bSig: u64, subtract: bool, precision: u32): void {
  if (extSpecial(aHigh, aSig) || extSpecial(bHigh, bSig)) {
    extPropagate(aHigh, aSig, bHigh, bSig);
    return;
  }
  const aSign = extNegative(aHigh);
  const bSign = extNegative(bHigh) != subtract;
  if (extExponent(aHigh) == 0x7fff) {
    if (extExponent(bHigh) == 0x7fff && aSign != bSign) extInvalid();
    else {
      noteDenormal(bHigh, bSig);
      setExtInfinity(aSign);
    }
    return;
  }
  if (extExponent(bHigh) == 0x7fff) {
    noteDenormal(aHigh, aSig);
    setExtInfinity(bSign);
    return;
  }
  const a = extUnpack(aHigh, aSig);
  const aExp = extExp;
  const b = extUnpack(bHigh, bSig);
  const bExp = extExp;
  if (a == 0 && b == 0) setExtZero(aSign == bSign ? aSign : roundingMode == ROUND_DOWN);
  else if (a == 0) extRound(bSign, bExp, b, 0, precision);
  else if (b == 0) extRound(aSign, aExp, a, 0, precision);
  else if (aSign == bSign) {
    addMagnitudes(aExp, a, bExp, b);
    extRound(aSign, resultExp, resultHi, resultLo, precision);
  } else {
    const larger = subtractMagnitudes(aExp, a, bExp, b);
    if (resultHi == 0) setExtZero(roundingMode == ROUND_DOWN);
    else extRound(aSign != larger, resultExp, resultHi, resultLo, precision);
  }
}

export function extMultiply(aHigh: u32, aSig: u64, bHigh: u32, bSig: u64, precision: u32): void {
  if (extSpecial(aHigh, aSig) || extSpecial(bHigh, bSig)) {
    extPropagate(aHigh, aSig, bHigh, bSig);
    return;
  }
  const sign = extNegative(aHigh) != extNegative(bHigh);
  if (extExponent(aHigh) == 0x7fff || extExponent(bHigh) == 0x7fff) {
    if (extZero(aHigh, aSig) || extZero(bHigh, bSig)) extInvalid();
    else {
      noteDenormal(aHigh, aSig);
      noteDenormal(bHigh, bSig);
      setExtInfinity(sign);
    }
    return;
  }
  const a = extUnpack(aHigh, aSig);
  const aExp = extExp;
  const b = extUnpack(bHigh, bSig);
  if (a == 0 || b == 0) {
    setExtZero(sign);
    return;
  }
  multiplyMagnitudes(aExp, a, extExp, b);
  extRound(sign, resultExp, resultHi, resultLo, precision);
}

export function extDivide(aHigh: u32, aSig: u64, bHigh: u32, bSig: u64, precision: u32): void {
  if (extSpecial(aHigh, aSig) || extSpecial(bHigh, bSig)) {
    extPropagate(aHigh, aSig, bHigh, bSig);
    return;
  }
  const sign = extNegative(aHigh) != extNegative(bHigh);
  if (extExponent(aHigh) == 0x7fff) {
    if (extExponent(bHigh) == 0x7fff) extInvalid();
    else {
      noteDenormal(bHigh, bSig);
      setExtInfinity(sign);
    }
    return;
  }
  if (extExponent(bHigh) == 0x7fff) {
    noteDenormal(aHigh, aSig);
    setExtZero(sign);
    return;
  }
  if (extZero(bHigh, bSig)) {
    if (extZero(aHigh, aSig)) extInvalid();
    else {
      raiseFlags(FLAG_ZERO_DIVIDE);
      setExtInfinity(sign);
    }
    return;
  }
  const a = extUnpack(aHigh, aSig);
  const aExp = extExp;
  const b = extUnpack(bHigh, bSig);
  if (a == 0) {
    setExtZero(sign);
    return;
  }
  divideMagnitudes(aExp, a, extExp, b);
  extRound(sign, resultExp, resultHi, resultLo, precision);
}

export function extSquareRoot(high: u32, sig: u64, precision: u32): void {
  if (extSpecial(high, sig)) extPropagate(high, sig, high, sig);
  else if (extZero(high, sig)) setExt(high, sig);
  else if (extNegative(high)) extInvalid();
  else if (extExponent(high) == 0x7fff) setExt(high, sig);
  else {
    const a = extUnpack(high, sig);
    squareRoot(extExp, a);
    extRound(false, resultExp, resultHi, resultLo, precision);
  }
}

/** EXT_LESS … With `signalling`, a quiet NaN is invalid too (FCOM, FTST), else only a signalling one (FUCOM). */
export function extCompare(aHigh: u32, aSig: u64, bHigh: u32, bSig: u64, signalling: bool): i32 {
  if (extSpecial(aHigh, aSig) || extSpecial(bHigh, bSig)) {
    const invalid =
      signalling ||
      extUnsupported(aHigh, aSig) ||
      extUnsupported(bHigh, bSig) ||
      extSignalling(aHigh, aSig) ||
      extSignalling(bHigh, bSig);
    if (invalid) raiseFlags(FLAG_INVALID);
    return EXT_UNORDERED;
  }
  noteDenormal(aHigh, aSig);
  noteDenormal(bHigh, bSig);
  const aSign = extNegative(aHigh);
  if (extZero(aHigh, aSig) && extZero(bHigh, bSig)) return EXT_EQUAL;
  if (aSign != extNegative(bHigh)) return aSign ? EXT_LESS : EXT_GREATER;
  // A pseudo-denormal has the value of exponent 1.
  const aExp = aSig >> 63 != 0 && extExponent(aHigh) == 0 ? 1 : extExponent(aHigh);
  const bExp = bSig >> 63 != 0 && extExponent(bHigh) == 0 ? 1 : extExponent(bHigh);
  if (aExp == bExp && aSig == bSig) return EXT_EQUAL;
  const below = aExp != bExp ? aExp < bExp : aSig < bSig;
  return below != aSign ? EXT_LESS : EXT_GREATER;
}
