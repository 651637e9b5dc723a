/**
 * IEEE 754 binary64 on bit patterns, for SSE. The environment (rounding, DAZ, FTZ) and the flags are common.ts's: `beginSse(mxcsr)`, the
 * operations, then `exceptionFlags`. With an unmasked exception the result says nothing.
 */
import {
  addFloat, compareFloat, convertFloat, divideFloat, floatToInteger, integerToFloat, multiplyFloat, roundToIntegral,
  squareRootFloat,
} from './binary';

export function f64Add(a: u64, b: u64): u64 {
  return addFloat<u64>(a, b, false);
}

export function f64Sub(a: u64, b: u64): u64 {
  return addFloat<u64>(a, b, true);
}

export function f64Mul(a: u64, b: u64): u64 {
  return multiplyFloat<u64>(a, b);
}

export function f64Div(a: u64, b: u64): u64 {
  return divideFloat<u64>(a, b);
}

export function f64Sqrt(a: u64): u64 {
  return squareRootFloat<u64>(a);
}

/** LESS (-1), EQUAL (0), GREATER (1) or UNORDERED (2) of binary.ts. `signalling`: a quiet NaN is invalid too. */
export function f64Compare(a: u64, b: u64, signalling: bool): i32 {
  return compareFloat<u64>(a, b, signalling);
}

/** By the rounding mode; set ROUND_ZERO for a truncating conversion. */
export function f64ToI32(a: u64): i32 {
  return floatToInteger<u64, i32>(a);
}

export function f64ToI64(a: u64): i64 {
  return floatToInteger<u64, i64>(a);
}

/** From a 64-bit integer, or a 32-bit one extended with its sign. */
export function f64FromI64(value: i64): u64 {
  return integerToFloat<u64>(value);
}

/** To an integral value by the rounding mode. `quiet`: inexact is not signalled. */
export function f64RoundToIntegral(a: u64, quiet: bool): u64 {
  return roundToIntegral<u64>(a, quiet);
}

/** To binary32. */
export function f64ToF32(a: u64): u32 {
  return convertFloat<u64, u32>(a);
}
