/**
 * BMI1 and BMI2 (SDM vol. 2): ANDN, BEXTR, BLSI, BLSMSK, BLSR, BZHI, MULX, PDEP, PEXT, RORX, SARX, SHLX, SHRX. AF and PF, and SF of
 * BEXTR, are undefined; AMD's Zen 5 has PF by the result and AF clear, but after BEXTR AF set and SF clear.
 */
import { raiseUD } from '../fault';
import { setFlagsResult, setStatus } from '../flags';
import { readOperand } from '../memory';
import { protectedMode } from '../mode';
import { opImm, opReg, opVvvv } from '../op';
import { REG_RDX, getReg, setReg } from '../registers';
import { shiftAuxiliary } from './vendor';
import { multiplyHigh } from './wide';

/** Real-address and virtual-8086 mode do not know VEX. */
// @ts-ignore: decorator
@inline
function requireVex(): void {
  if (!protectedMode()) raiseUD();
}

/** The memory operand. */
// @ts-ignore: decorator
@inline
export function vexMemory<T>(op: usize): T {
  requireVex();
  return readOperand<T>(op);
}

// @ts-ignore: decorator
@inline
function lowMask(bits: u32): u64 {
  return bits >= 64 ? u64.MAX_VALUE : ((<u64>1) << bits) - 1;
}

/** `VEX.LZ.0F38 F2 /r` */
export function andn<T>(op: usize, source: T): void {
  requireVex();
  const result = <T>(~getReg<T>(opVvvv(op)) & source);
  setReg<T>(opReg(op), result);
  setFlagsResult<T>(result, 0, 0, 0);
}

/** `VEX.LZ.0F38 F3 /1`: CF, the source is 0. */
export function blsr<T>(op: usize, source: T): void {
  requireVex();
  const result = <T>((source - 1) & source);
  setReg<T>(opVvvv(op), result);
  setFlagsResult<T>(result, <u32>(source == 0), 0, 0);
}

/** `VEX.LZ.0F38 F3 /2`: the same CF; the result is never 0. */
export function blsmsk<T>(op: usize, source: T): void {
  requireVex();
  const result = <T>((source - 1) ^ source);
  setReg<T>(opVvvv(op), result);
  setFlagsResult<T>(result, <u32>(source == 0), 0, 0);
}

/** `VEX.LZ.0F38 F3 /3`: CF, the source is not 0. */
export function blsi<T>(op: usize, source: T): void {
  requireVex();
  const result = <T>((0 - source) & source);
  setReg<T>(opVvvv(op), result);
  setFlagsResult<T>(result, <u32>(source != 0), 0, 0);
}

/** `VEX.LZ.0F38 F7 /r`: start in bits 7:0, length in bits 15:8. */
export function bextr<T>(op: usize, source: T): void {
  requireVex();
  const control = <u32>getReg<T>(opVvvv(op));
  const start = control & 0xff;
  const shifted = start >= sizeof<T>() * 8 ? 0 : <u64>source >> start;
  const result = <T>(shifted & lowMask((control >> 8) & 0xff));
  setReg<T>(opReg(op), result);
  const parity = (popcnt<u32>(<u32>result & 0xff) & 1) ^ 1;
  setStatus((<u64>(result == 0) << 6) | (<u64>parity << 2) | (<u64>shiftAuxiliary << 4));
}

/** `VEX.LZ.0F38 F5 /r`: CF, the index in bits 7:0 is beyond the operand. */
export function bzhi<T>(op: usize, source: T): void {
  requireVex();
  const index = <u32>getReg<T>(opVvvv(op)) & 0xff;
  const beyond = index >= sizeof<T>() * 8;
  const result = beyond ? source : <T>(<u64>source & lowMask(index));
  setReg<T>(opReg(op), result);
  setFlagsResult<T>(result, <u32>beyond, 0, 0);
}

/** `VEX.LZ.F3.0F38 F5 /r`: the bits of vvvv that the mask names, gathered at the bottom. */
export function pext<T>(op: usize, mask: T): void {
  requireVex();
  const source = <u64>getReg<T>(opVvvv(op));
  let result: u64 = 0;
  let to: u32 = 0;
  for (let left = <u64>mask; left != 0; left &= left - 1) {
    result |= ((source >> ctz<u64>(left)) & 1) << to;
    to++;
  }
  setReg<T>(opReg(op), <T>result);
}

/** `VEX.LZ.F2.0F38 F5 /r`: the lowest bits of vvvv, scattered to where the mask is set. */
export function pdep<T>(op: usize, mask: T): void {
  requireVex();
  let source = <u64>getReg<T>(opVvvv(op));
  let result: u64 = 0;
  for (let left = <u64>mask; left != 0; left &= left - 1) {
    if ((source & 1) != 0) result |= left & (0 - left);
    source >>= 1;
  }
  setReg<T>(opReg(op), <T>result);
}

/** `VEX.LZ.F2.0F38 F6 /r`: by rDX; where both destinations are one register, it gets the upper half. */
export function mulx<T>(op: usize, source: T): void {
  requireVex();
  const other = getReg<T>(REG_RDX);
  const high = sizeof<T>() == 8 ? multiplyHigh(<u64>source, <u64>other) : (<u64>source * <u64>other) >> 32;
  setReg<T>(opVvvv(op), <T>(source * other));
  setReg<T>(opReg(op), <T>high);
}

// @ts-ignore: decorator
@inline
function count<T>(op: usize): T {
  return <T>(getReg<T>(opVvvv(op)) & (sizeof<T>() * 8 - 1));
}

/** `VEX.LZ.66.0F38 F7 /r` */
export function shlx<T>(op: usize, source: T): void {
  requireVex();
  setReg<T>(opReg(op), <T>(source << count<T>(op)));
}

/** `VEX.LZ.F3.0F38 F7 /r` */
export function sarx<T>(op: usize, source: T): void {
  requireVex();
  if (sizeof<T>() == 8) setReg<u64>(opReg(op), <u64>(<i64>source >> <i64>count<T>(op)));
  else setReg<u32>(opReg(op), <u32>(<i32>source >> <i32>count<T>(op)));
}

/** `VEX.LZ.F2.0F38 F7 /r` */
export function shrx<T>(op: usize, source: T): void {
  requireVex();
  setReg<T>(opReg(op), <T>(source >> count<T>(op)));
}

/** `VEX.LZ.F2.0F3A F0 /r ub` */
export function rorx<T>(op: usize, source: T): void {
  requireVex();
  setReg<T>(opReg(op), rotr<T>(source, <T>(opImm(op) & (sizeof<T>() * 8 - 1))));
}
