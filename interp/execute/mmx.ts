/**
 * MMX registers (SDM vol. 1, chapter 9): the mantissas of the x87's physical registers. The FXSAVE image holds them in stack
 * order, so that with TOP = 0, as every MMX instruction leaves it, MMi is ST(i).
 */
import { raiseNM, raiseUD } from '../fault';
import { CPU_FXSAVE } from '../layout';
import { readOperand, writeOperand } from '../memory';
import { opRegIndex, opRm, opRmIndex } from '../op';
import { CR0_EM, CR0_TS, cr0, setReg } from '../registers';
import { checkPendingX87 } from './x87-state';

const STATUS: usize = CPU_FXSAVE + 2;
const TAGS: usize = CPU_FXSAVE + 4;
const REGISTERS: usize = CPU_FXSAVE + 32;
const TOP: u16 = 0x3800;
const COPY: usize = memory.data(128, 16);

/** #UD under CR0.EM, #NM under CR0.TS, #MF if an x87 exception waits (SDM vol. 3A, 13.1). */
export function checkMmx(): void {
  const control = cr0();
  if ((control & CR0_EM) != 0) raiseUD();
  if ((control & CR0_TS) != 0) raiseNM();
  checkPendingX87();
}

/** Every MMX instruction but EMMS: TOP = 0, all tags valid. */
export function enterMmx(): void {
  const status = load<u16>(STATUS);
  const top = <usize>((status & TOP) >> 11);
  if (top != 0) {
    memory.copy(COPY, REGISTERS, 128);
    for (let i: usize = 0; i < 8; i++) memory.copy(REGISTERS + ((i + top) & 7) * 16, COPY + i * 16, 16);
    store<u16>(STATUS, status & ~TOP);
  }
  store<u8>(TAGS, 0xff);
}

/** `value`, after {@link enterMmx}: for what may raise #XM, which finds TOP and tags changed already (as AMD's processors do). */
export function enteringMmx(value: u64): u64 {
  enterMmx();
  return value;
}

/** The same for 16 bytes. */
export function enteringMmxWide(value: v128): v128 {
  enterMmx();
  return value;
}

/** Where a physical register lies now. */
// @ts-ignore: decorator
@inline
function placeOf(index: u32): usize {
  const top = <u32>((load<u16>(STATUS) & TOP) >> 11);
  return REGISTERS + <usize>((index - top) & 7) * 16;
}

/** The register in ModRM.reg as the low half of a vector. REX.R is ignored. */
// @ts-ignore: decorator
@inline
export function getMm(op: usize): v128 {
  return i64x2(load<u64>(placeOf(opRegIndex(op))), 0);
}

// @ts-ignore: decorator
@inline
export function rmMm(op: usize): v128 {
  return i64x2(load<u64>(placeOf(opRmIndex(op))), 0);
}

// @ts-ignore: decorator
@inline
export function rmMm64(op: usize): u64 {
  return load<u64>(placeOf(opRmIndex(op)));
}

// @ts-ignore: decorator
@inline
export function getMm64(op: usize): u64 {
  return load<u64>(placeOf(opRegIndex(op)));
}

/** The memory operand of 8 bytes. */
// @ts-ignore: decorator
@inline
export function memMm(op: usize): v128 {
  return i64x2(readOperand<u64>(op), 0);
}

function put(index: u32, value: u64): void {
  enterMmx();
  const place = REGISTERS + <usize>(index & 7) * 16;
  store<u64>(place, value);
  store<u16>(place, 0xffff, 8);
}

/** Writes the register in ModRM.reg: the low half of `value`; sign and exponent become ones. */
// @ts-ignore: decorator
@inline
export function setMm(op: usize, value: v128): void {
  put(opRegIndex(op), i64x2.extract_lane(value, 0));
}

// @ts-ignore: decorator
@inline
export function setMm64(op: usize, value: u64): void {
  put(opRegIndex(op), value);
}

// @ts-ignore: decorator
@inline
export function setRmMm(op: usize, value: v128): void {
  put(opRmIndex(op), i64x2.extract_lane(value, 0));
}

/** Writes memory. */
// @ts-ignore: decorator
@inline
export function setMemMm<T>(op: usize, value: u64): void {
  writeOperand<T>(op, <T>value);
  enterMmx();
}

/** MOVD and MOVQ to a general register; PMOVMSKB and PEXTRW. */
// @ts-ignore: decorator
@inline
export function setRmGeneralMm<T>(op: usize, value: u64): void {
  setReg<T>(opRm(op), <T>value);
  enterMmx();
}

// @ts-ignore: decorator
@inline
export function setGeneralMm(op: usize, value: u32): void {
  setReg<u32>(<usize>opRegIndex(op) << 3, value);
  enterMmx();
}
