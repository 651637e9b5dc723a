/**
 * IEEE 754 binary32 on bit patterns, for SSE. The environment (rounding, DAZ, FTZ) and the flags are common.ts's: `beginSse(mxcsr)`, the
 * operations, then `exceptionFlags`. With an unmasked exception the result says nothing.
 */
import {
  addFloat, compareFloat, convertFloat, divideFloat, floatToInteger, integerToFloat, multiplyFloat, roundToIntegral,
  squareRootFloat,
} from './binary';

export function f32Add(a: u32, b: u32): u32 {
  return addFloat<u32>(a, b, false);
}

export function f32Sub(a: u32, b: u32): u32 {
  return addFloat<u32>(a, b, true);
}

export function f32Mul(a: u32, b: u32): u32 {
  return multiplyFloat<u32>(a, b);
}

export function f32Div(a: u32, b: u32): u32 {
  return divideFloat<u32>(a, b);
}

export function f32Sqrt(a: u32): u32 {
  return squareRootFloat<u32>(a);
}

/** LESS (-1), EQUAL (0), GREATER (1) or UNORDERED (2) of binary.ts. `signalling`: a quiet NaN is invalid too. */
export function f32Compare(a: u32, b: u32, signalling: bool): i32 {
  return compareFloat<u32>(a, b, signalling);
}

/** By the rounding mode; set ROUND_ZERO for a truncating conversion. */
export function f32ToI32(a: u32): i32 {
  return floatToInteger<u32, i32>(a);
}

export function f32ToI64(a: u32): i64 {
  return floatToInteger<u32, i64>(a);
}

/** From a 64-bit integer, or a 32-bit one extended with its sign. */
export function f32FromI64(value: i64): u32 {
  return integerToFloat<u32>(value);
}

/** To an integral value by the rounding mode. `quiet`: inexact is not signalled. */
export function f32RoundToIntegral(a: u32, quiet: bool): u32 {
  return roundToIntegral<u32>(a, quiet);
}

/** To binary64. */
export function f32ToF64(a: u32): u64 {
  return convertFloat<u32, u64>(a);
}
