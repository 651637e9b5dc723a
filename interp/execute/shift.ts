/**
 * Shifts and rotations (SDM vol. 1, 7.3.4 and 7.3.5): ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD.
 *
 * The count is taken modulo 32 (64 for 64-bit operands); a count of 0 changes no flag. The manual leaves OF undefined for counts
 * above 1, AF after shifts, CF where a shift moves out more bits than there are, and the result of SHLD and SHRD of 16 bits
 * with counts above 16. What is done there: OF follows the last step of the shift, AF is as vendor.ts says.
 */
import { getCF, setCF, setFlagsResult, setOF } from '../flags';
import { rmwBegin, rmwRead, rmwWrite } from '../memory';
import { opImm, opReg, opRm } from '../op';
import { REG_RCX, getReg, setReg } from '../registers';
import { isAmd, shiftAuxiliary } from './vendor';

/** The operation of a `shift…` call: ModRM.reg of group 2. */
export const SHIFT_ROL: i32 = 0;
export const SHIFT_ROR: i32 = 1;
export const SHIFT_RCL: i32 = 2;
export const SHIFT_RCR: i32 = 3;
export const SHIFT_SHL: i32 = 4;
export const SHIFT_SHR: i32 = 5;
/** 6 is an alias of SHL that the manual does not list. */
export const SHIFT_SAR: i32 = 7;

/** Flags of the computation under way: it must not touch the real ones before the result is written. */
let newCarry: u32 = 0;
let newOverflow: u32 = 0;

// @ts-ignore: decorator
@inline
function bitsOf<T>(): u32 {
  return sizeof<T>() * 8;
}

// @ts-ignore: decorator
@inline
function topBit<T>(value: T): u32 {
  return <u32>(<u64>value >> (sizeof<T>() * 8 - 1)) & 1;
}

// @ts-ignore: decorator
@inline
function secondBit<T>(value: T): u32 {
  return <u32>(<u64>value >> (sizeof<T>() * 8 - 2)) & 1;
}

// @ts-ignore: decorator
@inline
function maskCount<T>(count: u32): u32 {
  return count & (sizeof<T>() == 8 ? 63 : 31);
}

// @ts-ignore: decorator
@inline
function rotateLeft<T>(value: T, count: u32): T {
  const result = rotl<T>(value, <T>(count & (bitsOf<T>() - 1)));
  newCarry = <u32>result & 1;
  newOverflow = newCarry ^ topBit<T>(result);
  return result;
}

// @ts-ignore: decorator
@inline
function rotateRight<T>(value: T, count: u32): T {
  const result = rotr<T>(value, <T>(count & (bitsOf<T>() - 1)));
  newCarry = topBit<T>(result);
  newOverflow = newCarry ^ secondBit<T>(result);
  return result;
}

/** Through carry: CF:value of bits + 1 bits is rotated; the count is taken modulo that for 8 and 16 bits. */
function rotateCarryLeft<T>(value: T, count: u32): T {
  const bits = bitsOf<T>();
  const steps = sizeof<T>() <= 2 ? count % (bits + 1) : count;
  const carry = getCF();
  newCarry = carry;
  newOverflow = carry ^ topBit<T>(value);
  if (steps == 0) return value;
  let wide = (<u64>value << steps) | (<u64>carry << (steps - 1));
  if (steps > 1) wide |= <u64>value >> (bits + 1 - steps);
  newCarry = <u32>(<u64>value >> (bits - steps)) & 1;
  const result = <T>wide;
  newOverflow = newCarry ^ topBit<T>(result);
  return result;
}

function rotateCarryRight<T>(value: T, count: u32): T {
  const bits = bitsOf<T>();
  const steps = sizeof<T>() <= 2 ? count % (bits + 1) : count;
  const carry = getCF();
  newCarry = carry;
  newOverflow = topBit<T>(value) ^ secondBit<T>(value);
  if (steps == 0) return value;
  // A shift by all 64 bits of a u64 would shift by none.
  let wide = (<u64>value >> steps) | (<u64>carry << (bits - steps));
  if (steps > 1) wide |= <u64>value << (bits + 1 - steps);
  newCarry = <u32>(<u64>value >> (steps - 1)) & 1;
  const result = <T>wide;
  newOverflow = topBit<T>(result) ^ secondBit<T>(result);
  return result;
}

// @ts-ignore: decorator
@inline
function shiftLeft<T>(value: T, count: u32): T {
  if (sizeof<T>() == 8) {
    newCarry = <u32>(<u64>value >> (64 - count)) & 1;
    const result = <T>(<u64>value << count);
    newOverflow = newCarry ^ topBit<T>(result);
    return result;
  }
  const wide = <u64>value << count;
  newCarry = <u32>(wide >> bitsOf<T>()) & 1;
  const result = <T>wide;
  newOverflow = newCarry ^ topBit<T>(result);
  return result;
}

// @ts-ignore: decorator
@inline
function shiftRight<T>(value: T, count: u32): T {
  newCarry = <u32>(<u64>value >> (count - 1)) & 1;
  const result = <T>(<u64>value >> count);
  newOverflow = topBit<T>(result) ^ secondBit<T>(result);
  return result;
}

// @ts-ignore: decorator
@inline
function signExtended<T>(value: T): i64 {
  const unused = 64 - bitsOf<T>();
  return (<i64>value << unused) >> unused;
}

// @ts-ignore: decorator
@inline
function shiftArithmetic<T>(value: T, count: u32): T {
  const wide = signExtended<T>(value);
  newCarry = <u32>(wide >> (count - 1)) & 1;
  newOverflow = 0;
  return <T>(wide >> count);
}

/** `count` is not 0. Sets newCarry and newOverflow. */
// @ts-ignore: decorator
@inline
function shifted<T>(kind: i32, value: T, count: u32): T {
  if (kind == SHIFT_ROL) return rotateLeft<T>(value, count);
  if (kind == SHIFT_ROR) return rotateRight<T>(value, count);
  if (kind == SHIFT_RCL) return rotateCarryLeft<T>(value, count);
  if (kind == SHIFT_RCR) return rotateCarryRight<T>(value, count);
  if (kind == SHIFT_SHR) return shiftRight<T>(value, count);
  if (kind == SHIFT_SAR) return shiftArithmetic<T>(value, count);
  return shiftLeft<T>(value, count);
}

/** Rotations change CF and OF only. */
// @ts-ignore: decorator
@inline
function shiftFlags<T>(kind: i32, result: T): void {
  if (kind <= SHIFT_RCR) {
    setCF(newCarry);
    setOF(newOverflow);
  } else setFlagsResult<T>(result, newCarry, newOverflow, shiftAuxiliary);
}

// @ts-ignore: decorator
@inline
function shiftRegister<T>(op: usize, kind: i32, unmasked: u32): void {
  const count = maskCount<T>(unmasked);
  const value = getReg<T>(opRm(op));
  if (count == 0) {
    if (sizeof<T>() == 4) setReg<T>(opRm(op), value);
    return;
  }
  const result = shifted<T>(kind, value, count);
  setReg<T>(opRm(op), result);
  shiftFlags<T>(kind, result);
}

// @ts-ignore: decorator
@inline
function shiftMemory<T>(op: usize, kind: i32, unmasked: u32): void {
  const count = maskCount<T>(unmasked);
  const at = rmwBegin<T>(op);
  const value = rmwRead<T>(at);
  if (count == 0) {
    rmwWrite<T>(at, value);
    return;
  }
  const result = shifted<T>(kind, value, count);
  rmwWrite<T>(at, result);
  shiftFlags<T>(kind, result);
}

/** `D0 /n`, mod = 3: by 1. */
// @ts-ignore: decorator
@inline
export function shiftRmOne<T>(op: usize, kind: i32): void {
  shiftRegister<T>(op, kind, 1);
}

/** `D0 /n`, memory. */
// @ts-ignore: decorator
@inline
export function shiftMemOne<T>(op: usize, kind: i32): void {
  shiftMemory<T>(op, kind, 1);
}

/** `C0 /n ib`, mod = 3. */
// @ts-ignore: decorator
@inline
export function shiftRmImm<T>(op: usize, kind: i32): void {
  shiftRegister<T>(op, kind, <u32>opImm(op));
}

/** `C0 /n ib`, memory. */
// @ts-ignore: decorator
@inline
export function shiftMemImm<T>(op: usize, kind: i32): void {
  shiftMemory<T>(op, kind, <u32>opImm(op));
}

/** `D2 /n`, mod = 3: by CL. */
// @ts-ignore: decorator
@inline
export function shiftRmCl<T>(op: usize, kind: i32): void {
  shiftRegister<T>(op, kind, getReg<u8>(REG_RCX));
}

/** `D2 /n`, memory. */
// @ts-ignore: decorator
@inline
export function shiftMemCl<T>(op: usize, kind: i32): void {
  shiftMemory<T>(op, kind, getReg<u8>(REG_RCX));
}

/** 16 bits by more than 16: what follows `fill` is `value` again on Intel's processors, `fill` again and no carry on AMD's. */
// @ts-ignore: decorator
@inline
function follower<T>(value: T, fill: T): u64 {
  return isAmd ? <u64>fill : <u64>value;
}

/** The bits of `fill` enter at the right. `count` is not 0. */
function doubleLeft<T>(value: T, fill: T, count: u32): T {
  let result: T;
  if (sizeof<T>() == 2) {
    const wide = ((<u64>value << 32) | (<u64>fill << 16) | follower<T>(value, fill)) << count;
    newCarry = <u32>(wide >> 48) & 1;
    result = <T>(wide >> 32);
    if (isAmd && count >= 16) {
      if (count > 16) newCarry = 0;
      newOverflow = newCarry;
      return result;
    }
  } else {
    const bits = bitsOf<T>();
    newCarry = <u32>(<u64>value >> (bits - count)) & 1;
    result = <T>((value << <T>count) | (fill >> <T>(bits - count)));
  }
  newOverflow = newCarry ^ topBit<T>(result);
  return result;
}

/** The bits of `fill` enter at the left. `count` is not 0. */
function doubleRight<T>(value: T, fill: T, count: u32): T {
  let result: T;
  if (sizeof<T>() == 2) {
    const wide = (follower<T>(value, fill) << 32) | (<u64>fill << 16) | <u64>value;
    newCarry = isAmd && count > 16 ? 0 : <u32>(wide >> (count - 1)) & 1;
    result = <T>(wide >> count);
  } else {
    const bits = bitsOf<T>();
    newCarry = <u32>(<u64>value >> (count - 1)) & 1;
    result = <T>((value >> <T>count) | (fill << <T>(bits - count)));
  }
  newOverflow = topBit<T>(result) ^ secondBit<T>(result);
  return result;
}

// @ts-ignore: decorator
@inline
function doubleRegister<T>(op: usize, left: bool, unmasked: u32): void {
  const count = maskCount<T>(unmasked);
  const value = getReg<T>(opRm(op));
  if (count == 0) {
    if (sizeof<T>() == 4) setReg<T>(opRm(op), value);
    return;
  }
  const fill = getReg<T>(opReg(op));
  const result = left ? doubleLeft<T>(value, fill, count) : doubleRight<T>(value, fill, count);
  setReg<T>(opRm(op), result);
  setFlagsResult<T>(result, newCarry, newOverflow, shiftAuxiliary);
}

// @ts-ignore: decorator
@inline
function doubleMemory<T>(op: usize, left: bool, unmasked: u32): void {
  const count = maskCount<T>(unmasked);
  const at = rmwBegin<T>(op);
  const value = rmwRead<T>(at);
  if (count == 0) {
    rmwWrite<T>(at, value);
    return;
  }
  const fill = getReg<T>(opReg(op));
  const result = left ? doubleLeft<T>(value, fill, count) : doubleRight<T>(value, fill, count);
  rmwWrite<T>(at, result);
  setFlagsResult<T>(result, newCarry, newOverflow, shiftAuxiliary);
}

/** `0F A4 /r ib`, `0F AC /r ib`, mod = 3. */
// @ts-ignore: decorator
@inline
export function doubleRmImm<T>(op: usize, left: bool): void {
  doubleRegister<T>(op, left, <u32>opImm(op));
}

/** `0F A4 /r ib`, `0F AC /r ib`, memory. */
// @ts-ignore: decorator
@inline
export function doubleMemImm<T>(op: usize, left: bool): void {
  doubleMemory<T>(op, left, <u32>opImm(op));
}

/** `0F A5 /r`, `0F AD /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function doubleRmCl<T>(op: usize, left: bool): void {
  doubleRegister<T>(op, left, getReg<u8>(REG_RCX));
}

/** `0F A5 /r`, `0F AD /r`, memory. */
// @ts-ignore: decorator
@inline
export function doubleMemCl<T>(op: usize, left: bool): void {
  doubleMemory<T>(op, left, getReg<u8>(REG_RCX));
}
