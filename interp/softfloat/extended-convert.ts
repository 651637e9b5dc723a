/** Conversions of the 80-bit format from and to integers, packed decimals, and the formats of 32 and 64 bits (SDM vol. 1, 4.2 and 8.5). */
import {
  FLAG_INEXACT, FLAG_INVALID, SIG_TOP, raiseFlags, resultHi, resultLo, roundTo, resultExp, roundsAway, setBiasedAnswers, setRoundedUp,
  shiftRightSticky,
} from './common';
import {
  EXT_BIAS, extExp, extInfinite, extNegative, extNormalize, extSignalling, extSpecial, extUnsupported, setExt,
  setExtInfinity, setExtZero,
} from './extended';

/** From a signed integer of up to 64 bits: exact. */
export function extFromInteger(value: i64): void {
  if (value == 0) {
    setExtZero(false);
    return;
  }
  const bits = <u64>(value < 0 ? -value : value);
  const shift = clz<u64>(bits);
  setExt((value < 0 ? 0x8000 : 0) | <u32>(EXT_BIAS + 63 - <i32>shift), bits << shift);
}

/**
 * From f32 (T = u32) or f64 (T = u64) bits: exact. Signalling NaNs stay so, and nothing is raised. Returns whether it was a
 * denormal of its format.
 */
export function extFromFloat<T>(bits: T): bool {
  const fractionBits: i32 = sizeof<T>() == 4 ? 23 : 52;
  const top: i32 = sizeof<T>() == 4 ? 255 : 2047;
  const sign: u32 = <u32>(<u64>bits >> (sizeof<T>() * 8 - 1)) << 15;
  const exp = <i32>(<u64>bits >> fractionBits) & top;
  const fraction = (<u64>bits << (63 - fractionBits)) & ~SIG_TOP;
  if (exp == top) setExt(sign | 0x7fff, SIG_TOP | fraction);
  else if (exp != 0) setExt(sign | <u32>(exp - (top >> 1) + EXT_BIAS), SIG_TOP | fraction);
  else if (fraction == 0) setExt(sign, 0);
  else {
    const shift = clz<u64>(fraction);
    setExt(sign | <u32>(1 - (top >> 1) - <i32>shift + EXT_BIAS), fraction << shift);
    return true;
  }
  return false;
}

/** To f32 or f64 bits, rounded. Denormal operands are not signalled. */
export function extToFloat<T>(high: u32, sig: u64): T {
  const fractionBits: i32 = sizeof<T>() == 4 ? 23 : 52;
  const top: i32 = sizeof<T>() == 4 ? 255 : 2047;
  const bias = top >> 1;
  const sign = <T>(<u64>(high >> 15) << (sizeof<T>() * 8 - 1));
  if (extSpecial(high, sig)) {
    if (extUnsupported(high, sig) || extSignalling(high, sig)) raiseFlags(FLAG_INVALID);
    if (extUnsupported(high, sig)) return <T>(<u64>((top << 2) | 3) << (fractionBits - 1)) | (<T>1 << <T>(sizeof<T>() * 8 - 1));
    const payload = ((sig | 0x4000000000000000) << 1) >> (64 - fractionBits);
    return sign | <T>((<u64>top << fractionBits) | payload);
  }
  if (extInfinite(high, sig)) return sign | <T>(<u64>top << fractionBits);
  const normal = extNormalize(high, sig);
  if (normal == 0) return sign;
  // A result that goes to memory is never biased: unmasked, it is not stored.
  setBiasedAnswers(false);
  roundTo(extNegative(high), extExp, normal, 0, <u32>fractionBits + 1, 1 - bias, bias);
  const fraction = (resultHi << 1) >> (64 - fractionBits);
  const exp = resultHi >> 63 != 0 ? <u64>(resultExp + bias) : 0;
  return sign | <T>((exp << fractionBits) | fraction);
}

/** The integer that the last rounding made, without its sign. */
export let integerMagnitude: u64 = 0;

/** Rounds to an integer of at most `limit` into integerMagnitude. False: it does not fit, and nothing is noted; else inexact and C1 are. */
function extRoundWithin(high: u32, sig: u64, limit: u64): bool {
  const normal = extNormalize(high, sig);
  integerMagnitude = 0;
  if (normal == 0) return true;
  if (extExp > 63) return false;
  shiftRightSticky(normal, 0, <u32>(63 - extExp));
  const half = resultLo >> 63 != 0;
  const rest = resultLo << 1 != 0;
  const away = roundsAway(extNegative(high), (resultHi & 1) != 0, half, rest);
  integerMagnitude = resultHi + u64(away);
  if ((away && integerMagnitude == 0) || integerMagnitude > limit) return false;
  if (half || rest) {
    raiseFlags(FLAG_INEXACT);
    setRoundedUp(away);
  }
  return true;
}

/** To a signed integer of `bits` bits by the rounding mode. What does not fit is invalid and gives the smallest. */
export function extToInteger(high: u32, sig: u64, bits: u32): i64 {
  const limit = <u64>1 << (bits - 1);
  const sign = extNegative(high);
  let fits = !extSpecial(high, sig) && !extInfinite(high, sig);
  if (fits) fits = extRoundWithin(high, sig, sign ? limit : limit - 1);
  if (!fits) {
    raiseFlags(FLAG_INVALID);
    return -(<i64>limit);
  }
  return sign ? -(<i64>integerMagnitude) : <i64>integerMagnitude;
}

/** Digits of a packed decimal: below 10^18. */
const DECIMAL_LIMIT: u64 = 999999999999999999;

/** The low eight bytes of the last packed decimal made; the upper two are what {@link extToDecimal} returns. */
export let decimalLow: u64 = 0;

/** To a packed decimal of 18 digits (FBSTP). */
export function extToDecimal(high: u32, sig: u64): u32 {
  const fits = !extSpecial(high, sig) && !extInfinite(high, sig) && extRoundWithin(high, sig, DECIMAL_LIMIT);
  if (!fits) {
    raiseFlags(FLAG_INVALID);
    decimalLow = 0xc000000000000000;
    return 0xffff;
  }
  let rest = integerMagnitude;
  let low: u64 = 0;
  for (let i: u32 = 0; i < 64; i += 4) {
    low |= (rest % 10) << i;
    rest /= 10;
  }
  decimalLow = low;
  return <u32>(rest % 10) | (<u32>(rest / 10) << 4) | (high & 0x8000);
}

/** From a packed decimal (FBLD): digits above 9 count as they stand, the lower seven bits of the last byte do not count. */
export function extFromDecimal(low: u64, upper: u32): void {
  let value: u64 = ((upper >> 4) & 15) * 10 + (upper & 15);
  for (let i: i32 = 60; i >= 0; i -= 4) value = value * 10 + ((low >> i) & 15);
  extFromInteger(<i64>value);
  if (upper & 0x8000) {
    if (value == 0) setExtZero(true);
    else extFromInteger(-(<i64>value));
  }
}

/** Rounds to an integral value of the same format (FRNDINT). The operand is neither a NaN nor unsupported. */
export function extRoundToIntegral(high: u32, sig: u64): void {
  if (extInfinite(high, sig)) {
    setExtInfinity(extNegative(high));
    return;
  }
  const normal = extNormalize(high, sig);
  if (normal == 0 || extExp >= 63) {
    setExt(high, sig);
    return;
  }
  extRoundWithin(high, sig, u64.MAX_VALUE);
  const value = integerMagnitude;
  if (value == 0) setExtZero(extNegative(high));
  else {
    const shift = clz<u64>(value);
    setExt((high & 0x8000) | <u32>(EXT_BIAS + 63 - <i32>shift), value << shift);
  }
}
