/**
 * Floating-point arithmetic of SSE (SDM vol. 1, chapters 10 and 11): packed and scalar, T = u32 for binary32 and u64 for binary64.
 * The numbers are interp/softfloat's; here are the lanes, MXCSR and #XM.
 */
import { VECTOR_XM, raiseUD, raiseVector } from '../fault';
import { setStatus } from '../flags';
import { CPU_FXSAVE } from '../layout';
import { cr4 } from '../registers';
import { addFloat, compareFloat, divideFloat, isNaNBits, multiplyFloat, roundToIntegral, squareRootFloat } from '../softfloat/binary';
import { beginSse, denormalsAreZero, exceptionFlags, setRoundingMode } from '../softfloat/common';
import { FAST_RESULT, fastDouble, fastDoubles, fastSingle, fastSingles } from './sse-fast';

export const MXCSR: usize = CPU_FXSAVE + 24;
const CR4_OSXMMEXCPT: u64 = 1 << 10;
/** Invalid, denormal, zero divide: found before the operation is done. */
const BEFORE: u32 = 7;

/** The operation of packedFloat and scalarFloat. */
export const FLOAT_ADD: i32 = 0;
export const FLOAT_MUL: i32 = 1;
export const FLOAT_SUB: i32 = 2;
export const FLOAT_DIV: i32 = 3;
export const FLOAT_SQRT: i32 = 4;
export const FLOAT_MIN: i32 = 5;
export const FLOAT_MAX: i32 = 6;
/** Additions in odd lanes, subtractions in even ones. */
export const FLOAT_ADDSUB: i32 = 7;

/** Lanes of two operands and of the result. */
const A: usize = memory.data(48, 16);
const B: usize = A + 16;
const R: usize = A + 32;

/** Takes the environment of an instruction. */
// @ts-ignore: decorator
@inline
export function beginFloat(): void {
  beginSse(load<u32>(MXCSR));
}

/**
 * The end of an instruction, before its destination is written: flags go to MXCSR, and one that is unmasked raises #XM (SDM vol. 1, 11.5.2). If
 * one found before the operation is unmasked, no lane is computed, and so nothing found afterwards is seen.
 */
export function settleFloat(): void {
  let flags = exceptionFlags & 0x3f;
  if (flags == 0) return;
  const control = load<u32>(MXCSR);
  const unmasked = ~(control >> 7);
  if ((flags & BEFORE & unmasked) != 0) flags &= BEFORE;
  store<u32>(MXCSR, control | flags);
  if ((flags & unmasked) == 0) return;
  if ((cr4() & CR4_OSXMMEXCPT) == 0) raiseUD();
  raiseVector(VECTOR_XM, false, 0);
}

/** A denormal as zero under DAZ. */
// @ts-ignore: decorator
@inline
export function withoutDenormal<T>(a: T): T {
  const infinity = <T>(sizeof<T>() == 4 ? 0x7f800000 : 0x7ff0000000000000);
  const sign = <T>1 << <T>(sizeof<T>() * 8 - 1);
  return denormalsAreZero && (a & infinity) == 0 ? a & sign : a;
}

/** MIN and MAX: the second operand if one is a NaN, or both are zeros. */
function extreme<T>(a: T, b: T, larger: bool): T {
  const order = compareFloat<T>(a, b, true);
  if (isNaNBits<T>(a) || isNaNBits<T>(b)) return withoutDenormal<T>(b);
  return withoutDenormal<T>(order == (larger ? 1 : -1) ? a : b);
}

function apply<T>(kind: i32, a: T, b: T, lane: i32): T {
  switch (kind) {
    case 0:
      return addFloat<T>(a, b, false);
    case 1:
      return multiplyFloat<T>(a, b);
    case 2:
      return addFloat<T>(a, b, true);
    case 3:
      return divideFloat<T>(a, b);
    case 4:
      return squareRootFloat<T>(b);
    case 5:
      return extreme<T>(a, b, false);
    case 6:
      return extreme<T>(a, b, true);
    default:
      return addFloat<T>(a, b, (lane & 1) == 0);
  }
}

function lanesOf<T>(kind: i32, a: v128, b: v128): v128 {
  v128.store(A, a);
  v128.store(B, b);
  const count: i32 = 16 / sizeof<T>();
  for (let i = 0; i < count; i++) {
    const at = <usize>i * sizeof<T>();
    store<T>(R + at, apply<T>(kind, load<T>(A + at), load<T>(B + at), i));
  }
  return v128.load(R);
}

/** An operation on all lanes. `kind` is FLOAT_…. */
export function packedFloat<T>(kind: i32, a: v128, b: v128): v128 {
  if (sizeof<T>() == 4 ? fastSingles(kind, a, b) : fastDoubles(kind, a, b)) return v128.load(FAST_RESULT);
  beginFloat();
  const result = lanesOf<T>(kind, a, b);
  settleFloat();
  return result;
}

/** An operation on the low lane. */
export function scalarFloat<T>(kind: i32, a: T, b: T): T {
  if (sizeof<T>() == 4 ? fastSingle(kind, <u32>a, <u32>b) : fastDouble(kind, <u64>a, <u64>b)) return load<T>(FAST_RESULT);
  beginFloat();
  const result = apply<T>(kind, a, b, 1);
  settleFloat();
  return result;
}

/** One predicate of CMPPS: 0 EQ, 1 LT, 2 LE, 3 UNORD, 4 to 7 their opposites. LT and LE signal quiet NaNs. */
function holds<T>(predicate: u32, a: T, b: T): bool {
  const kind = predicate & 3;
  const order = compareFloat<T>(a, b, kind == 1 || kind == 2);
  let result = order == 2;
  if (kind == 0) result = order == 0;
  else if (kind == 1) result = order == -1;
  else if (kind == 2) result = order == -1 || order == 0;
  return result != ((predicate & 4) != 0);
}

/** `0F C2 /r ib` */
export function compareLanes<T>(a: v128, b: v128, predicate: u32): v128 {
  beginFloat();
  v128.store(A, a);
  v128.store(B, b);
  for (let at: usize = 0; at < 16; at += sizeof<T>()) {
    store<T>(R + at, holds<T>(predicate, load<T>(A + at), load<T>(B + at)) ? <T>-1 : <T>0);
  }
  settleFloat();
  return v128.load(R);
}

/** `F3 0F C2 /r ib`, `F2 0F C2 /r ib` */
export function compareLow<T>(a: T, b: T, predicate: u32): T {
  beginFloat();
  const result: T = holds<T>(predicate, a, b) ? <T>-1 : <T>0;
  settleFloat();
  return result;
}

/** UCOMISS and, signalling quiet NaNs, COMISS: ZF, PF, CF. */
export function compareToFlags<T>(a: T, b: T, signalling: bool): void {
  beginFloat();
  const order = compareFloat<T>(a, b, signalling);
  settleFloat();
  setStatus(order == 2 ? 0x45 : order == 0 ? 0x40 : order == -1 ? 1 : 0);
}

/** ROUNDPS's immediate: bit 2 takes MXCSR.RC, else bits 1:0 are the mode; bit 3 hides inexactness. */
function beginRound(control: u32): void {
  beginFloat();
  if ((control & 4) == 0) setRoundingMode(control & 3);
}

export function roundLanes<T>(b: v128, control: u32): v128 {
  beginRound(control);
  v128.store(B, b);
  for (let at: usize = 0; at < 16; at += sizeof<T>()) {
    store<T>(R + at, roundToIntegral<T>(load<T>(B + at), (control & 8) != 0));
  }
  settleFloat();
  return v128.load(R);
}

export function roundLow<T>(b: T, control: u32): T {
  beginRound(control);
  const result = roundToIntegral<T>(b, (control & 8) != 0);
  settleFloat();
  return result;
}

// @ts-ignore: decorator
@inline
function evenLanes<T>(a: v128, b: v128): v128 {
  if (sizeof<T>() == 8) return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}

// @ts-ignore: decorator
@inline
function oddLanes<T>(a: v128, b: v128): v128 {
  if (sizeof<T>() == 8) return i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  return i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/** HADDPS, HSUBPS and the like: neighbours of `a`, then of `b`. */
export function horizontalFloat<T>(kind: i32, a: v128, b: v128): v128 {
  return packedFloat<T>(kind, evenLanes<T>(a, b), oddLanes<T>(a, b));
}

/** DPPS, DPPD: products where bits 7:4 say, their sum to the lanes of bits 3:0. Each step raises its exceptions before the next. */
export function dotProduct<T>(a: v128, b: v128, control: u32): v128 {
  v128.store(A, a);
  v128.store(B, b);
  const count: u32 = 16 / sizeof<T>();
  beginFloat();
  for (let i: u32 = 0; i < count; i++) {
    const at = <usize>i * sizeof<T>();
    store<T>(R + at, (control & (16 << i)) != 0 ? multiplyFloat<T>(load<T>(A + at), load<T>(B + at)) : <T>0);
  }
  settleFloat();
  beginFloat();
  let sum = addFloat<T>(load<T>(R), load<T>(R + sizeof<T>()), false);
  if (sizeof<T>() == 4) {
    const upper = addFloat<T>(load<T>(R + 8), load<T>(R + 12), false);
    settleFloat();
    beginFloat();
    sum = addFloat<T>(sum, upper, false);
  }
  settleFloat();
  for (let i: u32 = 0; i < count; i++) store<T>(R + <usize>i * sizeof<T>(), (control & (1 << i)) != 0 ? sum : <T>0);
  return v128.load(R);
}
