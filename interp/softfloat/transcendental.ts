/**
 * F2XM1, FYL2X, FYL2XP1, FSIN, FCOS, FPTAN and FPATAN (SDM vol. 1, 8.3.8 to 8.3.10; vol. 2, tables there). Processors do not agree on their last
 * bit, and no manual gives it: here every result is computed with 128 bits and rounded once, so it is off by hardly more than half a unit in
 * the last place. Sine, cosine and tangent reduce by a pi of 66 bits, as the processors do. C1 and the last bit are not specified; a trace
 * that uses these instructions is marked (design, section 3).
 */
import { FLAG_INEXACT, FLAG_UNDERFLOW, FLAG_ZERO_DIVIDE, SIG_TOP, raiseFlags } from './common';
import {
  EXT_BIAS, extExp, extExponent, extInfinite, extInvalid, extNegative, extPropagate, extRound, extSpecial, extUnpack, extZero, setExt,
  setExtInfinity, setExtZero, extHigh, extSig,
} from './extended';
import {
  WIDE, wideAdd, wideCopy, wideDivide, wideExp, wideHi, wideInteger, wideLo, wideMultiply, wideNegate, wideScale, wideSet, wideSign,
} from './wide';

const records: usize = memory.data(512, 8);
const X: usize = records;
const Y: usize = records + WIDE;
const SUM: usize = records + WIDE * 2;
const POWER: usize = records + WIDE * 3;
const TERM: usize = records + WIDE * 4;
const NUMBER: usize = records + WIDE * 5;
const SQUARE: usize = records + WIDE * 6;
const CONSTANT: usize = records + WIDE * 7;
const SINE: usize = records + WIDE * 8;
const COSINE: usize = records + WIDE * 9;
const OTHER: usize = records + WIDE * 10;
const SINGLE: usize = records + WIDE * 11;

/** Rounds a record to the result. All that is computed here counts as inexact, hence a denormal result as an underflow. */
function finish(a: usize): void {
  raiseFlags(FLAG_INEXACT);
  if (wideHi(a) == 0) setExtZero(wideSign(a));
  else {
    extRound(wideSign(a), wideExp(a), wideHi(a), wideLo(a), 64);
    if (extExponent(extHigh) == 0) raiseFlags(FLAG_UNDERFLOW);
  }
}

/** Unpacks a finite number, noting a denormal. */
function unpackTo(to: usize, high: u32, sig: u64): void {
  const normal = extUnpack(high, sig);
  wideSet(to, extNegative(high), extExp, normal, 0);
}

/** SUM = e^X - 1 for |X| < 1. */
function exponentialSeries(): void {
  wideCopy(SUM, X);
  wideCopy(POWER, X);
  for (let n = 2; n < 34; n++) {
    wideMultiply(POWER, POWER, X);
    wideInteger(NUMBER, n);
    wideDivide(POWER, POWER, NUMBER);
    if (wideHi(POWER) == 0 || wideExp(POWER) < wideExp(SUM) - 130) break;
    wideAdd(SUM, SUM, POWER);
  }
}

/** SUM = x + sign x^3/3 + x^5/5 + …, for OTHER = x below 1/5: atanh, or with `alternate` atan. */
function inverseTangentSeries(alternate: bool): void {
  wideMultiply(SQUARE, OTHER, OTHER);
  if (alternate) wideNegate(SQUARE);
  wideCopy(SUM, OTHER);
  wideCopy(POWER, OTHER);
  for (let n = 3; n < 90; n += 2) {
    wideMultiply(POWER, POWER, SQUARE);
    if (wideHi(POWER) == 0) break;
    wideInteger(NUMBER, n);
    wideDivide(TERM, POWER, NUMBER);
    wideAdd(SUM, SUM, TERM);
    // The last term is added even where it is only a sticky bit: directed rounding must see that a small angle is below its tangent.
    if (wideExp(POWER) < wideExp(SUM) - 130) break;
  }
}

/** SUM = sin X, or with `cosine` cos X, for |X| <= pi/4. */
function circularSeries(cosine: bool): void {
  wideMultiply(SQUARE, X, X);
  wideNegate(SQUARE);
  if (cosine) wideInteger(SUM, 1);
  else wideCopy(SUM, X);
  wideCopy(POWER, SUM);
  for (let n = cosine ? 1 : 2; n < 60; n += 2) {
    wideMultiply(POWER, POWER, SQUARE);
    wideInteger(NUMBER, n * (n + 1));
    wideDivide(POWER, POWER, NUMBER);
    if (wideHi(POWER) == 0) break;
    wideAdd(SUM, SUM, POWER);
    if (wideExp(POWER) < wideExp(SUM) - 130) break;
  }
}

/** 2^x - 1. Beyond -1 to 1, where the manual leaves it open, the operand comes back. */
export function extExponential(high: u32, sig: u64): void {
  if (extSpecial(high, sig)) {
    extPropagate(high, sig, high, sig);
    return;
  }
  if (extInfinite(high, sig)) {
    if (extNegative(high)) setExt(0xbfff, SIG_TOP);
    else setExtInfinity(false);
    return;
  }
  if (extZero(high, sig)) {
    setExt(high, sig);
    return;
  }
  unpackTo(X, high, sig);
  if (extExp >= 0) {
    if (sig == SIG_TOP && extExp == 0) setExt(extNegative(high) ? 0xbffe : 0x3fff, SIG_TOP);
    else setExt(high, sig);
    raiseFlags(FLAG_INEXACT);
    return;
  }
  wideSet(CONSTANT, false, -1, 0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af);
  wideMultiply(X, X, CONSTANT);
  exponentialSeries();
  finish(SUM);
}

/** SUM = log2 of a positive X. */
function logarithm(): void {
  let k = wideExp(X);
  wideScale(X, -k);
  if (wideHi(X) > 0xb504f333f9de6484) {
    wideScale(X, -1);
    k++;
  }
  wideInteger(SINGLE, 1);
  wideAdd(TERM, X, SINGLE, true);
  wideAdd(CONSTANT, X, SINGLE);
  wideDivide(OTHER, TERM, CONSTANT);
  twoAtanhOver();
  wideInteger(NUMBER, k);
  wideAdd(SUM, SUM, NUMBER);
}

/** SUM = 2 atanh(OTHER) / ln 2. */
function twoAtanhOver(): void {
  if (wideHi(OTHER) == 0) {
    wideSet(SUM, false, 0, 0, 0);
    return;
  }
  inverseTangentSeries(false);
  wideScale(SUM, 1);
  wideSet(CONSTANT, false, 0, 0xb8aa3b295c17f0bb, 0xbe87fed0691d3e89);
  wideMultiply(SUM, SUM, CONSTANT);
}

/** y * log2(x). */
export function extLogarithm(xHigh: u32, xSig: u64, yHigh: u32, ySig: u64): void {
  if (extSpecial(xHigh, xSig) || extSpecial(yHigh, ySig)) {
    extPropagate(xHigh, xSig, yHigh, ySig);
    return;
  }
  const ySign = extNegative(yHigh);
  if (extZero(xHigh, xSig)) {
    if (extZero(yHigh, ySig)) extInvalid();
    else {
      if (!extInfinite(yHigh, ySig)) raiseFlags(FLAG_ZERO_DIVIDE);
      setExtInfinity(!ySign);
    }
    return;
  }
  if (extNegative(xHigh)) {
    extInvalid();
    return;
  }
  const one = extExponent(xHigh) == EXT_BIAS && xSig == SIG_TOP;
  const below = extExponent(xHigh) < <u32>EXT_BIAS;
  if (extInfinite(xHigh, xSig)) {
    if (extZero(yHigh, ySig)) extInvalid();
    else {
      if (!extInfinite(yHigh, ySig)) extUnpack(yHigh, ySig);
      setExtInfinity(ySign);
    }
    return;
  }
  if (extInfinite(yHigh, ySig)) {
    if (one) extInvalid();
    else {
      extUnpack(xHigh, xSig);
      setExtInfinity(ySign != below);
    }
    return;
  }
  unpackTo(X, xHigh, xSig);
  unpackTo(Y, yHigh, ySig);
  if (wideHi(Y) == 0 || one) {
    setExtZero(ySign != below);
    return;
  }
  logarithm();
  wideMultiply(SUM, SUM, Y);
  finish(SUM);
}

/** y * log2(x + 1). At and below -1, where the manual leaves it open, x comes back. */
export function extLogarithmPlus1(xHigh: u32, xSig: u64, yHigh: u32, ySig: u64): void {
  if (extSpecial(xHigh, xSig) || extSpecial(yHigh, ySig)) {
    extPropagate(xHigh, xSig, yHigh, ySig);
    return;
  }
  const xSign = extNegative(xHigh);
  const sign = xSign != extNegative(yHigh);
  if (extInfinite(xHigh, xSig)) {
    if (xSign || extZero(yHigh, ySig)) extInvalid();
    else setExtInfinity(sign);
    return;
  }
  if (extInfinite(yHigh, ySig)) {
    if (extZero(xHigh, xSig)) extInvalid();
    else {
      extUnpack(xHigh, xSig);
      setExtInfinity(sign);
    }
    return;
  }
  unpackTo(X, xHigh, xSig);
  unpackTo(Y, yHigh, ySig);
  if (wideHi(X) == 0 || wideHi(Y) == 0) {
    setExtZero(sign);
    return;
  }
  if (xSign && wideExp(X) >= 0) {
    raiseFlags(FLAG_INEXACT);
    setExt(xHigh, xSig);
    return;
  }
  if (wideExp(X) < -2) {
    // x / (2 + x): no digits are lost by 1 + x.
    wideInteger(NUMBER, 2);
    wideAdd(CONSTANT, X, NUMBER);
    wideDivide(OTHER, X, CONSTANT);
    twoAtanhOver();
  } else {
    wideInteger(NUMBER, 1);
    wideAdd(X, X, NUMBER);
    logarithm();
  }
  wideMultiply(SUM, SUM, Y);
  finish(SUM);
}

/** The operand is 2^63 or more: nothing is computed (C2). */
export let outOfRange: bool = false;
/** What extCircular made besides the result: the cosine. */
export let cosineHigh: u32 = 0;
export let cosineSig: u64 = 0;

/** Which of the circular functions. */
export const CIRCULAR_SINE: u32 = 0;
export const CIRCULAR_COSINE: u32 = 1;
export const CIRCULAR_BOTH: u32 = 2;
export const CIRCULAR_TANGENT: u32 = 3;

/** Quadrant of X, which becomes its distance from that multiple of pi/2. */
function reduce(): u32 {
  const exp = wideExp(X);
  if (wideHi(X) == 0 || exp < -1) return 0;
  // The nearest multiple by a quotient that may be off by a little beyond a half; that does no harm.
  wideSet(CONSTANT, false, -1, 0xa2f9836e4e44152a, 0);
  wideMultiply(TERM, X, CONSTANT);
  const quotientExp = wideExp(TERM);
  let quotient: u64 = quotientExp < 0 ? 0 : wideHi(TERM) >> (63 - quotientExp);
  const half = quotientExp < -1 ? 0 : quotientExp == 63 ? wideLo(TERM) >> 63 : (wideHi(TERM) >> (62 - quotientExp)) & 1;
  quotient += half;
  if (quotient == 0) return 0;
  const sign = wideSign(X);
  const shift = clz<u64>(quotient);
  // pi/2 of 66 bits in two parts; both products are exact.
  wideSet(NUMBER, sign, 63 - <i32>shift, quotient << shift, 0);
  wideSet(CONSTANT, false, 0, 0xc90fdaa22168c234, 0);
  wideMultiply(TERM, NUMBER, CONSTANT);
  wideAdd(X, X, TERM, true);
  wideSet(CONSTANT, false, -64, 0xc000000000000000, 0);
  wideMultiply(TERM, NUMBER, CONSTANT);
  wideAdd(X, X, TERM, true);
  return <u32>(sign ? -quotient : quotient) & 3;
}

/** sin, cos, both (the cosine to cosineHigh and cosineSig), or tan. */
export function extCircular(high: u32, sig: u64, which: u32): void {
  outOfRange = false;
  if (extSpecial(high, sig)) {
    extPropagate(high, sig, high, sig);
    cosineHigh = extHigh;
    cosineSig = extSig;
    return;
  }
  if (extInfinite(high, sig)) {
    extInvalid();
    cosineHigh = extHigh;
    cosineSig = extSig;
    return;
  }
  cosineHigh = EXT_BIAS;
  cosineSig = SIG_TOP;
  if (extZero(high, sig)) {
    if (which == CIRCULAR_COSINE) setExt(EXT_BIAS, SIG_TOP);
    else setExt(high, sig);
    return;
  }
  if (extExponent(high) >= <u32>(EXT_BIAS + 63)) {
    outOfRange = true;
    return;
  }
  unpackTo(X, high, sig);
  const quadrant = reduce();
  const swap = (quadrant & 1) != 0;
  circularSeries(swap);
  wideCopy(SINE, SUM);
  if ((quadrant & 2) != 0) wideNegate(SINE);
  circularSeries(!swap);
  wideCopy(COSINE, SUM);
  if (((quadrant + 1) & 2) != 0) wideNegate(COSINE);
  if (which == CIRCULAR_TANGENT) {
    wideDivide(SINE, SINE, COSINE);
    finish(SINE);
    return;
  }
  if (which != CIRCULAR_SINE) {
    finish(COSINE);
    cosineHigh = extHigh;
    cosineSig = extSig;
  }
  if (which != CIRCULAR_COSINE) finish(SINE);
}

/** SUM = the angle whose tangent is X, 0 < X <= 1. */
function inverseTangent(): void {
  let quarters = 0;
  // The nearest multiple of 1/4.
  wideCopy(TERM, X);
  wideInteger(SINGLE, 1);
  wideScale(SINGLE, -3);
  wideAdd(TERM, TERM, SINGLE);
  if (wideExp(TERM) >= -2) quarters = <i32>(wideHi(TERM) >> (63 - (wideExp(TERM) + 2)));
  if (quarters == 0) {
    wideCopy(OTHER, X);
    inverseTangentSeries(true);
    return;
  }
  wideInteger(NUMBER, quarters);
  wideScale(NUMBER, -2);
  wideAdd(OTHER, X, NUMBER, true);
  wideMultiply(TERM, X, NUMBER);
  wideInteger(SINGLE, 1);
  wideAdd(TERM, TERM, SINGLE);
  wideDivide(OTHER, OTHER, TERM);
  if (wideHi(OTHER) == 0) wideSet(SUM, false, 0, 0, 0);
  else inverseTangentSeries(true);
  if (quarters == 1) wideSet(CONSTANT, false, -3, 0xfadbafc96406eb15, 0x6dc79ef5f7a217e6);
  else if (quarters == 2) wideSet(CONSTANT, false, -2, 0xed63382b0dda7b45, 0x6fe445ecbc3a8d03);
  else if (quarters == 3) wideSet(CONSTANT, false, -1, 0xa4bc7d1934f70924, 0x19a87f2a457dac9f);
  else wideSet(CONSTANT, false, -1, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1);
  wideAdd(SUM, SUM, CONSTANT);
}

/** SUM = `quarters` quarters of pi. */
function quarterTurns(quarters: i32): void {
  wideSet(CONSTANT, false, -1, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1);
  wideInteger(NUMBER, quarters);
  wideMultiply(SUM, CONSTANT, NUMBER);
}

/** The angle of the point (x, y), of -pi to pi. */
export function extAngle(xHigh: u32, xSig: u64, yHigh: u32, ySig: u64): void {
  if (extSpecial(xHigh, xSig) || extSpecial(yHigh, ySig)) {
    extPropagate(xHigh, xSig, yHigh, ySig);
    return;
  }
  const left = extNegative(xHigh);
  const sign = extNegative(yHigh);
  const xInfinite = extInfinite(xHigh, xSig);
  const yInfinite = extInfinite(yHigh, ySig);
  if (!xInfinite) unpackTo(X, xHigh, xSig);
  if (!yInfinite) unpackTo(Y, yHigh, ySig);
  let quarters = -1;
  if (yInfinite) quarters = xInfinite ? (left ? 3 : 1) : 2;
  else if (xInfinite || wideHi(Y) == 0) quarters = left ? 4 : 0;
  else if (wideHi(X) == 0) quarters = 2;
  if (quarters == 0) {
    setExtZero(sign);
    return;
  }
  if (quarters > 0) quarterTurns(quarters);
  else {
    store<u32>(X, 0, 20);
    store<u32>(Y, 0, 20);
    const exp = wideExp(Y) - wideExp(X);
    const steep = exp > 0 || (exp == 0 && wideHi(Y) > wideHi(X));
    if (steep) wideDivide(X, X, Y);
    else wideDivide(X, Y, X);
    inverseTangent();
    if (steep) {
      // pi/2 - angle, or pi/2 + angle on the left side.
      wideCopy(OTHER, SUM);
      quarterTurns(2);
      wideAdd(SUM, SUM, OTHER, !left);
    } else if (left) {
      wideCopy(OTHER, SUM);
      quarterTurns(4);
      wideAdd(SUM, SUM, OTHER, true);
    }
  }
  store<u32>(SUM, u32(sign), 20);
  finish(SUM);
}
