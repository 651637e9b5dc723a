/** FPREM, FPREM1, FSCALE and FXTRACT on the 80-bit format (SDM vol. 2, at these instructions). */
import {
  BIAS_ADJUST, FLAG_DENORMAL, FLAG_INEXACT, FLAG_OVERFLOW, FLAG_UNDERFLOW, FLAG_ZERO_DIVIDE, SIG_TOP, overflowUnmasked, raiseFlags,
  setRoundedUp, underflowUnmasked,
} from './common';
import {
  EXT_BIAS, EXT_MAX, EXT_MIN, extDenormal, extExp, extExponent, extInfinite, extInvalid, extNegative, extNormalize, extPropagate, extRound,
  extSig, extHigh, extSpecial, extUnpack, extZero, setExt, setExtInfinity, setExtZero,
} from './extended';
import { extFromInteger } from './extended-convert';

/** The low bits of the quotient of the last remainder. */
export let quotientBits: u32 = 0;
/** The last remainder is a partial one: the reduction is not complete (C2). */
export let partial: bool = false;

/** The remainder of a / b; with `nearest` that of the quotient rounded to nearest (FPREM1), else of the truncated one (FPREM). */
export function extRemainder(aHigh: u32, aSig: u64, bHigh: u32, bSig: u64, nearest: bool): void {
  quotientBits = 0;
  partial = false;
  if (extSpecial(aHigh, aSig) || extSpecial(bHigh, bSig)) {
    extPropagate(aHigh, aSig, bHigh, bSig);
    return;
  }
  if (extExponent(aHigh) == 0x7fff || extZero(bHigh, bSig)) {
    extInvalid();
    return;
  }
  let sign = extNegative(aHigh);
  let a = extUnpack(aHigh, aSig);
  const aExp = extExp;
  if (extExponent(bHigh) == 0x7fff) {
    if (a == 0) setExtZero(sign);
    else extRound(sign, aExp, a, 0, 64);
    return;
  }
  const b = extUnpack(bHigh, bSig);
  const bExp = extExp;
  if (a == 0) {
    setExtZero(sign);
    return;
  }
  const difference = aExp - bExp;
  const least: i32 = nearest ? -1 : 0;
  if (difference < least) {
    extRound(sign, aExp, a, 0, 64);
    return;
  }
  // Of a large quotient the upper 32 to 63 bits are taken off at once; as many as leave a multiple of 32 to be done.
  partial = difference >= 64;
  const steps = partial ? (difference & 31) | 32 : difference;
  let exp = aExp - steps;
  let quotient: u64 = 0;
  // a < 2b at each step; the carry is the bit above a.
  let carry: u64 = 0;
  if (difference < 0) exp = aExp;
  else {
    for (let i = 0; ; i++) {
      quotient <<= 1;
      if (carry != 0 || a >= b) {
        a -= b;
        quotient |= 1;
      }
      if (i == steps) break;
      carry = a >> 63;
      a <<= 1;
    }
  }
  if (nearest && !partial) {
    // Here 0 <= a < b, or a has half the weight (difference = -1): compare twice the remainder with b.
    let above: bool;
    let tie = false;
    if (difference < 0) {
      above = a > b;
      tie = a == b;
    } else {
      const other = b - a;
      above = a > other;
      tie = a == other;
    }
    if (above || (tie && (quotient & 1) != 0)) {
      quotient++;
      sign = !sign;
      if (difference < 0) {
        // 2b - a, with the weight of a.
        a = b - (a - b);
      } else a = b - a;
    }
  }
  quotientBits = <u32>quotient;
  if (a == 0) {
    setExtZero(extNegative(aHigh));
    return;
  }
  const shift = clz<u64>(a);
  extRound(sign, exp - <i32>shift, a << shift, 0, 64);
}

/** Exponents beyond this scale every number to infinity or zero. */
const SCALE_LIMIT: i32 = 0x10000;

/** a * 2^trunc(b). */
export function extScale(aHigh: u32, aSig: u64, bHigh: u32, bSig: u64): void {
  if (extSpecial(aHigh, aSig) || extSpecial(bHigh, bSig)) {
    extPropagate(aHigh, aSig, bHigh, bSig);
    return;
  }
  const sign = extNegative(aHigh);
  if (extInfinite(bHigh, bSig)) {
    const down = extNegative(bHigh);
    if (down ? extInfinite(aHigh, aSig) : extZero(aHigh, aSig)) {
      extInvalid();
      return;
    }
    if (extDenormal(aHigh, aSig)) raiseFlags(FLAG_DENORMAL);
    if (down) setExtZero(sign);
    else setExtInfinity(sign);
    return;
  }
  if (extDenormal(bHigh, bSig)) raiseFlags(FLAG_DENORMAL);
  if (extInfinite(aHigh, aSig)) {
    setExtInfinity(sign);
    return;
  }
  const a = extUnpack(aHigh, aSig);
  const aExp = extExp;
  if (a == 0) {
    setExtZero(sign);
    return;
  }
  const b = extNormalize(bHigh, bSig);
  let scale: i32 = 0;
  if (b != 0 && extExp >= 0) {
    scale = extExp > 16 ? SCALE_LIMIT : <i32>(b >> (63 - extExp));
    if (extNegative(bHigh)) scale = -scale;
  }
  const exp = aExp + scale;
  // Unmasked, what the bias does not bring back into the range becomes infinity or zero (SDM vol. 1, 8.5.4 and 8.5.5).
  if (overflowUnmasked && exp - BIAS_ADJUST > EXT_MAX) {
    raiseFlags(FLAG_OVERFLOW | FLAG_INEXACT);
    setRoundedUp(true);
    setExtInfinity(sign);
  } else if (underflowUnmasked && exp + BIAS_ADJUST < EXT_MIN) {
    raiseFlags(FLAG_UNDERFLOW | FLAG_INEXACT);
    setExtZero(sign);
  } else extRound(sign, exp, a, 0, 64);
}

/** The exponent of the last FXTRACT; the significand is the result of the operation. */
export let exponentHigh: u32 = 0;
export let exponentSig: u64 = 0;

/** Splits a number: its significand with the sign becomes the result, its exponent goes to exponentHigh and exponentSig. */
export function extExtract(high: u32, sig: u64): void {
  if (extSpecial(high, sig)) {
    extPropagate(high, sig, high, sig);
    exponentHigh = extHigh;
    exponentSig = extSig;
    return;
  }
  if (extExponent(high) == 0x7fff) {
    exponentHigh = 0x7fff;
    exponentSig = SIG_TOP;
    setExt(high, sig);
    return;
  }
  if (extZero(high, sig)) {
    raiseFlags(FLAG_ZERO_DIVIDE);
    exponentHigh = 0xffff;
    exponentSig = SIG_TOP;
    setExt(high, sig);
    return;
  }
  const normal = extUnpack(high, sig);
  extFromInteger(extExp);
  exponentHigh = extHigh;
  exponentSig = extSig;
  setExt((high & 0x8000) | <u32>EXT_BIAS, normal);
}
