/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM vol. 2, 4.1: the control byte, IntRes1, IntRes2). */
import { setStatus } from '../flags';
import { opImm } from '../op';
import { REG_RAX, REG_RCX, REG_RDX, getReg, setReg } from '../registers';
import { XMM } from './sse-operand';

const FIRST: usize = memory.data(32, 16);
const SECOND: usize = FIRST + 16;

const WORDS: u32 = 1;
const SIGNED: u32 = 2;

/** Element `i` of a string as the control byte's format says. */
// @ts-ignore: decorator
@inline
function element(at: usize, i: u32, control: u32): i32 {
  if ((control & WORDS) != 0) {
    const word = load<u16>(at + <usize>i * 2);
    return (control & SIGNED) != 0 ? <i32>(<i16>word) : <i32>word;
  }
  const byte = load<u8>(at + <usize>i);
  return (control & SIGNED) != 0 ? <i32>(<i8>byte) : <i32>byte;
}

/** Elements before the first that is zero. */
function implicitLength(at: usize, count: u32, control: u32): u32 {
  let length: u32 = 0;
  while (length < count && element(at, length, control) != 0) length++;
  return length;
}

/** The absolute value of a register, at most `count`. */
function explicitLength<T>(register: usize, count: u32): u32 {
  const value: i64 = sizeof<T>() == 8 ? getReg<i64>(register) : <i64>getReg<i32>(register);
  const magnitude = <u64>(value < 0 ? -value : value);
  return magnitude > count ? count : <u32>magnitude;
}

function equalAny(control: u32, length1: u32, length2: u32): u32 {
  let result: u32 = 0;
  for (let j: u32 = 0; j < length2; j++) {
    const value = element(SECOND, j, control);
    for (let i: u32 = 0; i < length1; i++) if (element(FIRST, i, control) == value) result |= 1 << j;
  }
  return result;
}

function ranges(control: u32, length1: u32, length2: u32): u32 {
  let result: u32 = 0;
  for (let j: u32 = 0; j < length2; j++) {
    const value = element(SECOND, j, control);
    for (let i: u32 = 0; i + 1 < length1; i += 2) {
      if (value >= element(FIRST, i, control) && value <= element(FIRST, i + 1, control)) result |= 1 << j;
    }
  }
  return result;
}

function equalEach(control: u32, length1: u32, length2: u32, count: u32): u32 {
  let result: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const valid1 = i < length1;
    const valid2 = i < length2;
    const equal = valid1 && valid2 ? element(FIRST, i, control) == element(SECOND, i, control) : valid1 == valid2;
    if (equal) result |= 1 << i;
  }
  return result;
}

function equalOrdered(control: u32, length1: u32, length2: u32, count: u32): u32 {
  let result: u32 = 0;
  for (let j: u32 = 0; j < count; j++) {
    let equal = true;
    for (let i: u32 = 0; i < length1 && i + j < count; i++) {
      if (i + j >= length2 || element(FIRST, i, control) != element(SECOND, i + j, control)) equal = false;
    }
    if (equal) result |= 1 << j;
  }
  return result;
}

/** IntRes2, and the flags. */
function compare(control: u32, length1: u32, length2: u32, count: u32): u32 {
  const aggregation = (control >> 2) & 3;
  let result: u32;
  if (aggregation == 0) result = equalAny(control, length1, length2);
  else if (aggregation == 1) result = ranges(control, length1, length2);
  else if (aggregation == 2) result = equalEach(control, length1, length2, count);
  else result = equalOrdered(control, length1, length2, count);
  const all: u32 = (1 << count) - 1;
  if ((control & 0x30) == 0x10) result ^= all;
  else if ((control & 0x30) == 0x30) result ^= ((1 << length2) - 1) & all;
  setStatus(
    <u64>(result != 0) | (<u64>(length2 < count) << 6) | (<u64>(length1 < count) << 7) | (<u64>(result & 1) << 11),
  );
  return result;
}

function toIndex(control: u32, result: u32, count: u32): void {
  let index = count;
  if (result != 0) index = (control & 0x40) != 0 ? 31 - clz<u32>(result) : ctz<u32>(result);
  setReg<u32>(REG_RCX, index);
}

function toMask(control: u32, result: u32): void {
  let mask: v128;
  if ((control & 0x40) == 0) mask = i64x2(<i64>result, 0);
  else if ((control & WORDS) != 0) {
    const bits = v128.and(i16x8.splat(<i16>result), i16x8(1, 2, 4, 8, 16, 32, 64, 128));
    mask = i16x8.ne(bits, i16x8.splat(0));
  } else {
    const spread = i8x16.shuffle(i16x8.splat(<i16>result), i16x8.splat(0), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const bits = v128.and(spread, i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128));
    mask = i8x16.ne(bits, i8x16.splat(0));
  }
  v128.store(XMM, mask);
}

function implicitResult(a: v128, b: v128, control: u32, count: u32): u32 {
  v128.store(FIRST, a);
  v128.store(SECOND, b);
  return compare(control, implicitLength(FIRST, count, control), implicitLength(SECOND, count, control), count);
}

function explicitResult<T>(a: v128, b: v128, control: u32, count: u32): u32 {
  v128.store(FIRST, a);
  v128.store(SECOND, b);
  return compare(control, explicitLength<T>(REG_RAX, count), explicitLength<T>(REG_RDX, count), count);
}

// @ts-ignore: decorator
@inline
function countOfElements(control: u32): u32 {
  return (control & WORDS) != 0 ? 8 : 16;
}

/** `66 0F 3A 63 /r ib` */
export function pcmpistri(op: usize, a: v128, b: v128): void {
  const control = <u32>opImm(op);
  const count = countOfElements(control);
  toIndex(control, implicitResult(a, b, control, count), count);
}

/** `66 0F 3A 62 /r ib` */
export function pcmpistrm(op: usize, a: v128, b: v128): void {
  const control = <u32>opImm(op);
  toMask(control, implicitResult(a, b, control, countOfElements(control)));
}

/** `66 0F 3A 61 /r ib`; with REX.W the lengths are RAX and RDX. */
export function pcmpestri<T>(op: usize, a: v128, b: v128): void {
  const control = <u32>opImm(op);
  const count = countOfElements(control);
  toIndex(control, explicitResult<T>(a, b, control, count), count);
}

/** `66 0F 3A 60 /r ib` */
export function pcmpestrm<T>(op: usize, a: v128, b: v128): void {
  const control = <u32>opImm(op);
  toMask(control, explicitResult<T>(a, b, control, countOfElements(control)));
}
