/**
 * Moving data without changing it (SDM vol. 1, 7.3.1.1): MOV of general registers, memory and immediates, LEA, XLAT, CMOVcc, SETcc, NOP. Segment,
 * control and debug registers are in interp/system.
 */
import { raiseUD } from '../fault';
import { condition } from '../flags';
import { cutAddress, effectiveAddress, readOperand, readSegment, writeOperand, writeSegment } from '../memory';
import { opAddressSize, opImm, opReg, opRm, opSegment } from '../op';
import { REG_RAX, REG_RBX, getReg, setReg } from '../registers';
import { isAmd } from './vendor';

/** `88 /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function movRmReg<T>(op: usize): void {
  setReg<T>(opRm(op), getReg<T>(opReg(op)));
}

/** `88 /r`, memory. */
// @ts-ignore: decorator
@inline
export function movMemReg<T>(op: usize): void {
  writeOperand<T>(op, getReg<T>(opReg(op)));
}

/** `8A /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function movRegRm<T>(op: usize): void {
  setReg<T>(opReg(op), getReg<T>(opRm(op)));
}

/** `8A /r`, memory. */
// @ts-ignore: decorator
@inline
export function movRegMem<T>(op: usize): void {
  setReg<T>(opReg(op), readOperand<T>(op));
}

/** `C6 /0 ib`, `C7 /0 iz`, mod = 3. */
// @ts-ignore: decorator
@inline
export function movRmImm<T>(op: usize): void {
  setReg<T>(opRm(op), <T>opImm(op));
}

/** `C6 /0 ib`, `C7 /0 iz`, memory. */
// @ts-ignore: decorator
@inline
export function movMemImm<T>(op: usize): void {
  writeOperand<T>(op, <T>opImm(op));
}

/** `B0+r ib`, `B8+r iv`. */
// @ts-ignore: decorator
@inline
export function movRegImm<T>(op: usize): void {
  setReg<T>(opReg(op), <T>opImm(op));
}

/** `A0 moffs`. */
// @ts-ignore: decorator
@inline
export function movAccOffset<T>(op: usize): void {
  setReg<T>(REG_RAX, readSegment<T>(opSegment(op), <u64>opImm(op)));
}

/** `A2 moffs`. */
// @ts-ignore: decorator
@inline
export function movOffsetAcc<T>(op: usize): void {
  writeSegment<T>(opSegment(op), <u64>opImm(op), getReg<T>(REG_RAX));
}

/** `8D /r`: the effective address, no access. */
// @ts-ignore: decorator
@inline
export function leaRegMem<T>(op: usize): void {
  setReg<T>(opReg(op), <T>effectiveAddress(op));
}

/** `D7`: AL = [rBX + AL]. */
export function xlat(op: usize): void {
  const offset = load64(REG_RBX) + <u64>getReg<u8>(REG_RAX);
  setReg<u8>(REG_RAX, readSegment<u8>(opSegment(op), cutAddress(offset, opAddressSize(op))));
}

// @ts-ignore: decorator
@inline
function load64(register: usize): u64 {
  return getReg<u64>(register);
}

/** `0F 40 /r` to `0F 4F /r`, mod = 3. A 32-bit destination is zero-extended even when nothing moves. */
// @ts-ignore: decorator
@inline
export function cmovRegRm<T>(op: usize, cc: i32): void {
  if (condition(cc)) setReg<T>(opReg(op), getReg<T>(opRm(op)));
  else if (sizeof<T>() == 4) setReg<T>(opReg(op), getReg<T>(opReg(op)));
}

/** `0F 40 /r` to `0F 4F /r`, memory: read whatever the condition is. */
// @ts-ignore: decorator
@inline
export function cmovRegMem<T>(op: usize, cc: i32): void {
  const value = readOperand<T>(op);
  if (condition(cc)) setReg<T>(opReg(op), value);
  else if (sizeof<T>() == 4) setReg<T>(opReg(op), getReg<T>(opReg(op)));
}

/** `0F 90 /r` to `0F 9F /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function setccRm(op: usize, cc: i32): void {
  setReg<u8>(opRm(op), <u8>condition(cc));
}

/** `0F 90 /r` to `0F 9F /r`, memory. */
// @ts-ignore: decorator
@inline
export function setccMem(op: usize, cc: i32): void {
  writeOperand<u8>(op, <u8>condition(cc));
}

/** NOP, prefetches, fences, CLFLUSH: nothing that a guest of one processor without caches could see. */
export function nop(op: usize): void {}

/** `0F 0D /r`, mod = 3: a NOP of Intel's, #UD on AMD's processors (measured). */
export function prefetchRegister(op: usize): void {
  if (isAmd) raiseUD();
}

/** CLFLUSH, CLFLUSHOPT, CLWB: nothing but the faults of reading one byte. */
export function touchMem(op: usize): void {
  readOperand<u8>(op);
}
