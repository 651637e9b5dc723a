/**
 * Single bits and counts of bits (SDM vol. 1, 7.3.6): BT, BTS, BTR, BTC, BSF, BSR, POPCNT, LZCNT, TZCNT, CRC32, ADCX, ADOX.
 */
import { getCF, getOF, setCF, setOF, setStatus, statusFlags } from '../flags';
import {
  cutAddress, effectiveAddress, linearForWrite, readOperand, readSegment, rmwBegin, rmwBeginLinear, rmwRead, rmwWrite,
} from '../memory';
import { opAddressSize, opImm, opReg, opRegIndex, opRm, opSegment } from '../op';
import { getReg, setReg } from '../registers';

/** The operation of a `bit…` call: the low two bits of ModRM.reg of group 8. */
export const BIT_TEST: i32 = 0;
export const BIT_SET: i32 = 1;
export const BIT_RESET: i32 = 2;
export const BIT_COMPLEMENT: i32 = 3;

// @ts-ignore: decorator
@inline
function changed<T>(kind: i32, value: T, bit: u32): T {
  const mask = <T>((<u64>1) << bit);
  if (kind == BIT_SET) return <T>(value | mask);
  if (kind == BIT_RESET) return <T>(value & ~mask);
  return <T>(value ^ mask);
}

// @ts-ignore: decorator
@inline
function bitRegister<T>(op: usize, kind: i32, index: u64): void {
  const bit = <u32>index & (sizeof<T>() * 8 - 1);
  const value = getReg<T>(opRm(op));
  if (kind != BIT_TEST) setReg<T>(opRm(op), changed<T>(kind, value, bit));
  setCF(<u32>(<u64>value >> bit) & 1);
}

/** `0F A3 /r` and the like, mod = 3: the index is taken modulo the width. */
// @ts-ignore: decorator
@inline
export function bitRmReg<T>(op: usize, kind: i32): void {
  bitRegister<T>(op, kind, <u64>getReg<T>(opReg(op)));
}

/** `0F BA /n ib`, mod = 3. */
// @ts-ignore: decorator
@inline
export function bitRmImm<T>(op: usize, kind: i32): void {
  bitRegister<T>(op, kind, <u64>opImm(op));
}

/** `0F BA /n ib`, memory. */
// @ts-ignore: decorator
@inline
export function bitMemImm<T>(op: usize, kind: i32): void {
  const bit = <u32>opImm(op) & (sizeof<T>() * 8 - 1);
  let value: T;
  if (kind == BIT_TEST) value = readOperand<T>(op);
  else {
    const at = rmwBegin<T>(op);
    value = rmwRead<T>(at);
    rmwWrite<T>(at, changed<T>(kind, value, bit));
  }
  setCF(<u32>(<u64>value >> bit) & 1);
}

/** `0F A3 /r` and the like, memory: a signed index into a string of bits around the operand. */
// @ts-ignore: decorator
@inline
export function bitMemReg<T>(op: usize, kind: i32): void {
  const unused = 64 - sizeof<T>() * 8;
  const index = (<i64>getReg<T>(opReg(op)) << unused) >> unused;
  const bit = <u32>index & (sizeof<T>() * 8 - 1);
  const displacement = (index >> (sizeof<T>() == 2 ? 4 : sizeof<T>() == 4 ? 5 : 6)) * sizeof<T>();
  const offset = cutAddress(effectiveAddress(op) + <u64>displacement, opAddressSize(op));
  let value: T;
  if (kind == BIT_TEST) value = readSegment<T>(opSegment(op), offset);
  else {
    const at = rmwBeginLinear<T>(linearForWrite(opSegment(op), offset, sizeof<T>()));
    value = rmwRead<T>(at);
    rmwWrite<T>(at, changed<T>(kind, value, bit));
  }
  setCF(<u32>(<u64>value >> bit) & 1);
}

/** A source of 0 leaves the destination and sets ZF. Undefined: PF follows the index, CF, OF, SF and AF are cleared. */
// @ts-ignore: decorator
@inline
function scanned<T>(op: usize, value: T, index: u64): void {
  if (value != 0) setReg<T>(opReg(op), <T>index);
  if (value == 0) setStatus(0x44);
  else setStatus(<u64>((popcnt<u32>(<u32>index) & 1) ^ 1) << 2);
}

/** `0F BC /r`, mod = 3. */
export function bsfRegRm<T>(op: usize): void {
  const value = getReg<T>(opRm(op));
  scanned<T>(op, value, ctz<u64>(<u64>value));
}

/** `0F BC /r`, memory. */
export function bsfRegMem<T>(op: usize): void {
  const value = readOperand<T>(op);
  scanned<T>(op, value, ctz<u64>(<u64>value));
}

/** `0F BD /r`, mod = 3. */
export function bsrRegRm<T>(op: usize): void {
  const value = getReg<T>(opRm(op));
  scanned<T>(op, value, 63 - clz<u64>(<u64>value));
}

/** `0F BD /r`, memory. */
export function bsrRegMem<T>(op: usize): void {
  const value = readOperand<T>(op);
  scanned<T>(op, value, 63 - clz<u64>(<u64>value));
}

/** POPCNT clears all flags but ZF. */
function countOnes<T>(op: usize, value: T): void {
  setReg<T>(opReg(op), <T>popcnt<u64>(<u64>value));
  setStatus(value == 0 ? 0x40 : 0);
}

/** `F3 0F B8 /r`, mod = 3. */
export function popcntRegRm<T>(op: usize): void {
  countOnes<T>(op, getReg<T>(opRm(op)));
}

/** `F3 0F B8 /r`, memory. */
export function popcntRegMem<T>(op: usize): void {
  countOnes<T>(op, readOperand<T>(op));
}

/** LZCNT and TZCNT: CF = the source is 0, ZF = the result is 0. Undefined: OF stays, SF, AF and PF are cleared. */
function countZeros<T>(op: usize, value: T, count: u64): void {
  const bits = sizeof<T>() * 8;
  const result: u64 = value == 0 ? bits : count;
  setReg<T>(opReg(op), <T>result);
  setStatus((statusFlags() & 0x800) | <u64>(value == 0) | (<u64>(result == 0) << 6));
}

/** `F3 0F BC /r`, mod = 3. */
export function tzcntRegRm<T>(op: usize): void {
  const value = getReg<T>(opRm(op));
  countZeros<T>(op, value, ctz<u64>(<u64>value));
}

/** `F3 0F BC /r`, memory. */
export function tzcntRegMem<T>(op: usize): void {
  const value = readOperand<T>(op);
  countZeros<T>(op, value, ctz<u64>(<u64>value));
}

/** `F3 0F BD /r`, mod = 3. */
export function lzcntRegRm<T>(op: usize): void {
  const value = getReg<T>(opRm(op));
  countZeros<T>(op, value, clz<u64>(<u64>value) - (64 - sizeof<T>() * 8));
}

/** `F3 0F BD /r`, memory. */
export function lzcntRegMem<T>(op: usize): void {
  const value = readOperand<T>(op);
  countZeros<T>(op, value, clz<u64>(<u64>value) - (64 - sizeof<T>() * 8));
}

/** CRC-32C (polynomial 0x11EDC6F41, bits reflected) of a value put behind an accumulator. */
function crc32c(accumulator: u32, value: u64, bytes: u32): u32 {
  let crc = accumulator;
  for (let i: u32 = 0; i < bytes; i++) {
    crc ^= <u32>(value >> (i * 8)) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82f63b78 & (0 - (crc & 1)));
  }
  return crc;
}

/** `F2 0F 38 F0 /r`, `F2 0F 38 F1 /r`, mod = 3. The destination is never a byte register and always zero-extended. */
export function crc32RegRm<T>(op: usize): void {
  const register = <usize>opRegIndex(op) * 8;
  setReg<u32>(register, crc32c(getReg<u32>(register), <u64>getReg<T>(opRm(op)), sizeof<T>()));
}

/** `F2 0F 38 F0 /r`, `F2 0F 38 F1 /r`, memory. */
export function crc32RegMem<T>(op: usize): void {
  const value = readOperand<T>(op);
  const register = <usize>opRegIndex(op) * 8;
  setReg<u32>(register, crc32c(getReg<u32>(register), <u64>value, sizeof<T>()));
}

// @ts-ignore: decorator
@inline
function addWith<T>(op: usize, value: T, carry: u32): u32 {
  const a = <u64>getReg<T>(opReg(op));
  const sum = a + <u64>value + <u64>carry;
  setReg<T>(opReg(op), <T>sum);
  if (sizeof<T>() == 4) return <u32>(sum >> 32);
  return <u32>(sum < a || (carry != 0 && sum == a));
}

/** `66 0F 38 F6 /r`, mod = 3: ADCX uses and sets CF only. */
export function adcxRegRm<T>(op: usize): void {
  setCF(addWith<T>(op, getReg<T>(opRm(op)), getCF()));
}

/** `66 0F 38 F6 /r`, memory. */
export function adcxRegMem<T>(op: usize): void {
  setCF(addWith<T>(op, readOperand<T>(op), getCF()));
}

/** `F3 0F 38 F6 /r`, mod = 3: ADOX uses and sets OF only. */
export function adoxRegRm<T>(op: usize): void {
  setOF(addWith<T>(op, getReg<T>(opRm(op)), getOF()));
}

/** `F3 0F 38 F6 /r`, memory. */
export function adoxRegMem<T>(op: usize): void {
  setOF(addWith<T>(op, readOperand<T>(op), getOF()));
}
