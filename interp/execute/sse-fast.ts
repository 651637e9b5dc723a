/**
 * Arithmetic by WASM's own floats where nothing can go wrong: round to nearest, all exceptions masked, the sticky inexact flag
 * set already, operands and result normal. Then no other flag can be raised, no NaN appears, and WASM's
 * bits are IEEE 754's and so the processor's. Everything else goes through interp/softfloat.
 */
import { CPU_FXSAVE } from '../layout';

const MXCSR: usize = CPU_FXSAVE + 24;
/** RC, the masks, the inexact flag; and as they must be. DAZ and FTZ do not matter to normal numbers. */
const CONDITIONS: u32 = 0x7fa0;
const NEEDED: u32 = 0x1fa0;

/** 16 bytes: what the last fast operation gave. */
export const FAST_RESULT: usize = memory.data(16, 16);

// @ts-ignore: decorator
@inline
function allowed(kind: i32): bool {
  return kind <= 3 && (load<u32>(MXCSR) & CONDITIONS) == NEEDED;
}

/** Is the number normal? Not zero, denormal, infinite or NaN. */
// @ts-ignore: decorator
@inline
function normal32(bits: u32): bool {
  return ((bits >> 23) & 0xff) - 1 < 0xfe;
}

// @ts-ignore: decorator
@inline
function normal64(bits: u64): bool {
  return ((bits >> 52) & 0x7ff) - 1 < 0x7fe;
}

export function fastSingle(kind: i32, a: u32, b: u32): bool {
  if (!allowed(kind) || !normal32(a) || !normal32(b)) return false;
  const x = reinterpret<f32>(a);
  const y = reinterpret<f32>(b);
  const r = kind == 0 ? x + y : kind == 1 ? x * y : kind == 2 ? x - y : x / y;
  const bits = reinterpret<u32>(r);
  store<u32>(FAST_RESULT, bits);
  // The least normal number may be a rounded tiny one, which underflows.
  return normal32(bits) && (bits & 0x7fffffff) != 0x800000;
}

export function fastDouble(kind: i32, a: u64, b: u64): bool {
  if (!allowed(kind) || !normal64(a) || !normal64(b)) return false;
  const x = reinterpret<f64>(a);
  const y = reinterpret<f64>(b);
  const r = kind == 0 ? x + y : kind == 1 ? x * y : kind == 2 ? x - y : x / y;
  const bits = reinterpret<u64>(r);
  store<u64>(FAST_RESULT, bits);
  return normal64(bits) && (bits & 0x7fffffffffffffff) != 0x10000000000000;
}

// @ts-ignore: decorator
@inline
function normalSingles(a: v128): bool {
  const exponent = v128.and(a, i32x4.splat(0x7f800000));
  const bad = v128.or(i32x4.eq(exponent, i32x4.splat(0)), i32x4.eq(exponent, i32x4.splat(0x7f800000)));
  return !v128.any_true(bad);
}

// @ts-ignore: decorator
@inline
function normalDoubles(a: v128): bool {
  const exponent = v128.and(a, i64x2.splat(0x7ff0000000000000));
  const bad = v128.or(i64x2.eq(exponent, i64x2.splat(0)), i64x2.eq(exponent, i64x2.splat(0x7ff0000000000000)));
  return !v128.any_true(bad);
}

export function fastSingles(kind: i32, a: v128, b: v128): bool {
  if (!allowed(kind) || !normalSingles(a) || !normalSingles(b)) return false;
  const r =
    kind == 0 ? f32x4.add(a, b) : kind == 1 ? f32x4.mul(a, b) : kind == 2 ? f32x4.sub(a, b) : f32x4.div(a, b);
  v128.store(FAST_RESULT, r);
  const magnitude = v128.and(r, i32x4.splat(0x7fffffff));
  return normalSingles(r) && !v128.any_true(i32x4.eq(magnitude, i32x4.splat(0x800000)));
}

export function fastDoubles(kind: i32, a: v128, b: v128): bool {
  if (!allowed(kind) || !normalDoubles(a) || !normalDoubles(b)) return false;
  const r =
    kind == 0 ? f64x2.add(a, b) : kind == 1 ? f64x2.mul(a, b) : kind == 2 ? f64x2.sub(a, b) : f64x2.div(a, b);
  v128.store(FAST_RESULT, r);
  const magnitude = v128.and(r, i64x2.splat(0x7fffffffffffffff));
  return normalDoubles(r) && !v128.any_true(i64x2.eq(magnitude, i64x2.splat(0x10000000000000)));
}
