/**
 * Building a stack frame that is not committed until all of it is written: far calls, call gates and event delivery. The
 * pushes go to the current stack or to an inner one whose segment is not loaded yet. Limit and canonical violations are
 * #SS with the code given at the beginning (SDM vol. 3A, 5.8.5 and 6.12.1).
 */
import { canonical } from '../control';
import { VECTOR_SS, raiseVector } from '../fault';
import { CPU_GPR } from '../layout';
import { writeLinear, writeSystem } from '../memory';
import { mode64, protectedMode } from '../mode';
import {
  ATTRIBUTE_DB, REG_RSP, SEG_SS, getReg, segmentAttributes, segmentBase, segmentLimit, setReg,
} from '../registers';
import { TYPE_EXPAND_DOWN, descriptorAttributes, descriptorBase, descriptorLimit, wrapLinear } from './descriptor';

let base: u64 = 0;
let limit: u32 = 0;
let attributes: u32 = 0;
let pointerSize: u32 = 2;
let pointer: u64 = 0;
/** The pushes have the current privilege; else they are implicit supervisor accesses (SDM vol. 3A, 4.6). */
let own: bool = false;
let faultCode: u32 = 0;

/** Pushes at the current SS:RSP with the current privilege; `wide`: as 64-bit mode does. */
export function beginFrame(code: u32, wide: bool = mode64()): void {
  base = wide ? 0 : segmentBase(SEG_SS);
  limit = segmentLimit(SEG_SS);
  attributes = segmentAttributes(SEG_SS);
  pointerSize = wide ? 8 : (attributes & ATTRIBUTE_DB) != 0 ? 4 : 2;
  pointer = maskPointer(getReg<u64>(REG_RSP));
  own = true;
  faultCode = code;
}

/** Pushes at `descriptor`:`stackPointer`, an inner stack outside 64-bit mode. */
export function beginInnerFrame(descriptor: u64, stackPointer: u64, code: u32): void {
  base = descriptorBase(descriptor);
  limit = descriptorLimit(descriptor);
  attributes = descriptorAttributes(descriptor);
  pointerSize = (attributes & ATTRIBUTE_DB) != 0 ? 4 : 2;
  pointer = maskPointer(stackPointer);
  own = false;
  faultCode = code;
}

/** Pushes at a 64-bit stack pointer, as privilege `privilege` (an interrupt of IA-32e mode aligns it before). */
export function beginFrame64(stackPointer: u64, privilege: u32, code: u32): void {
  base = 0;
  pointerSize = 8;
  pointer = stackPointer;
  own = privilege == 3;
  faultCode = code;
}

function maskPointer(value: u64): u64 {
  if (pointerSize == 8) return value;
  return pointerSize == 4 ? value & 0xffffffff : value & 0xffff;
}

function checkPush(offset: u64, size: u32): void {
  if (pointerSize == 8) {
    if (!canonical(offset) || !canonical(offset + size - 1)) raiseVector(VECTOR_SS, true, faultCode);
    return;
  }
  const last = offset + size - 1;
  let fits: bool;
  if ((!own || protectedMode()) && (attributes & TYPE_EXPAND_DOWN) != 0) {
    const top: u64 = (attributes & ATTRIBUTE_DB) != 0 ? 0xffffffff : 0xffff;
    fits = offset > limit && last <= top;
  } else fits = last <= limit;
  if (!fits) raiseVector(VECTOR_SS, true, faultCode);
}

function put<T>(linear: u64, value: T): void {
  if (own) writeLinear<T>(linear, value);
  else writeSystem<T>(linear, value);
}

/** Pushes `size` (2, 4 or 8) bytes of `value`. */
export function pushFrame(size: u32, value: u64): void {
  const next = maskPointer(pointer - size);
  checkPush(next, size);
  const linear = pointerSize == 8 ? next : wrapLinear(base + next);
  if (size == 8) put<u64>(linear, value);
  else if (size == 4) put<u32>(linear, <u32>value);
  else put<u16>(linear, <u16>value);
  pointer = next;
}

/** The stack pointer after the pushes so far. */
export function framePointer(): u64 {
  return pointer;
}

/** Loads RSP with the frame's stack pointer, in the width of that stack. */
export function commitFrame(): void {
  setStackPointerSized(pointer, pointerSize);
}

/** Writes RSP, ESP or SP: a 16-bit stack pointer leaves the rest of the register. */
export function setStackPointerSized(value: u64, size: u32): void {
  if (size == 8) store<u64>(CPU_GPR + REG_RSP, value);
  else if (size == 4) setReg<u32>(REG_RSP, <u32>value);
  else setReg<u16>(REG_RSP, <u16>value);
}
