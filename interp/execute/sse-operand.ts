/** Operands of SSE instructions: XMM registers and memory (SDM vol. 1, chapter 10), and the checks that come before all else. */
import { raiseNM, raiseUD } from '../fault';
import { CPU_FXSAVE } from '../layout';
import { readOperand, writeOperand } from '../memory';
import { readAligned128, readMasked128, readMaskedLow128, readOperand128, writeAligned128, writeOperand128 } from '../memory128';
import { opReg, opRegIndex, opRm } from '../op';
import { CR0_EM, CR0_TS, CR4_OSFXSR, cr0, cr4, getReg, setReg } from '../registers';

/** XMM0 in the FXSAVE64 image. */
export const XMM: usize = CPU_FXSAVE + 160;

function refuseSse(): void {
  if ((cr0() & CR0_EM) != 0 || (cr4() & CR4_OSFXSR) == 0) raiseUD();
  raiseNM();
}

/** #UD under CR0.EM or without CR4.OSFXSR, #NM under CR0.TS (SDM vol. 3A, table 14-1). */
// @ts-ignore: decorator
@inline
export function checkSse(): void {
  if (((cr0() & (CR0_EM | CR0_TS)) | ((cr4() & CR4_OSFXSR) ^ CR4_OSFXSR)) != 0) refuseSse();
}

/** The register that ModRM.reg names. */
// @ts-ignore: decorator
@inline
export function getXmm(op: usize): v128 {
  return v128.load(opReg(op) << 1, XMM);
}

// @ts-ignore: decorator
@inline
export function setXmm(op: usize, value: v128): void {
  v128.store(opReg(op) << 1, value, XMM);
}

/** The register that ModRM.rm names. */
// @ts-ignore: decorator
@inline
export function rmXmm(op: usize): v128 {
  return v128.load(opRm(op) << 1, XMM);
}

// @ts-ignore: decorator
@inline
export function setRmXmm(op: usize, value: v128): void {
  v128.store(opRm(op) << 1, value, XMM);
}

/** XMM0, the third operand of BLENDV, SHA256RNDS2. */
// @ts-ignore: decorator
@inline
export function xmm0(): v128 {
  return v128.load(0, XMM);
}

/** A memory operand of 16 bytes that must be aligned, unless MXCSR.MM is set. */
export function memXmm(op: usize): v128 {
  return readMasked128(op);
}

/** The same where its upper half does not count; that is then undefined here. */
export function memLowHalf(op: usize): v128 {
  return readMaskedLow128(op);
}

/** One that must be aligned in any case (MOVAPS, MOVNTDQA). */
export function memAligned(op: usize): v128 {
  return readAligned128(op);
}

/** One that need not be (MOVUPS, LDDQU, PCMPxSTRx). */
export function memLoose(op: usize): v128 {
  return readOperand128(op);
}

export function setMemXmm(op: usize, value: v128): void {
  writeAligned128(op, value);
}

export function setMemLoose(op: usize, value: v128): void {
  writeOperand128(op, value);
}

/** The low `T` of the register in ModRM.reg, ModRM.rm, or of memory, above it zeros. */
// @ts-ignore: decorator
@inline
export function lowReg<T>(op: usize): T {
  return load<T>(opReg(op) << 1, XMM);
}

// @ts-ignore: decorator
@inline
export function lowRm<T>(op: usize): T {
  return load<T>(opRm(op) << 1, XMM);
}

/** Bits 127:64 of the register in ModRM.reg. */
// @ts-ignore: decorator
@inline
export function highReg(op: usize): u64 {
  return load<u64>(opReg(op) << 1, XMM + 8);
}

// @ts-ignore: decorator
@inline
export function highRm(op: usize): u64 {
  return load<u64>(opRm(op) << 1, XMM + 8);
}

/** Writes the low `T` and leaves the rest. */
// @ts-ignore: decorator
@inline
export function setLow<T>(op: usize, value: T): void {
  store<T>(opReg(op) << 1, value, XMM);
}

// @ts-ignore: decorator
@inline
export function setHigh(op: usize, value: u64): void {
  store<u64>(opReg(op) << 1, value, XMM + 8);
}

// @ts-ignore: decorator
@inline
export function setLowRm<T>(op: usize, value: T): void {
  store<T>(opRm(op) << 1, value, XMM);
}

/** Writes the low 64 bits and clears those above. */
// @ts-ignore: decorator
@inline
export function setWide(op: usize, value: u64): void {
  v128.store(opReg(op) << 1, i64x2(value, 0), XMM);
}

// @ts-ignore: decorator
@inline
export function setWideRm(op: usize, value: u64): void {
  v128.store(opRm(op) << 1, i64x2(value, 0), XMM);
}

/** A memory operand of a scalar. */
// @ts-ignore: decorator
@inline
export function memLow<T>(op: usize): T {
  return readOperand<T>(op);
}

// @ts-ignore: decorator
@inline
export function setMemLow<T>(op: usize, value: T): void {
  writeOperand<T>(op, value);
}

/** A memory operand of 2, 4 or 8 bytes as the low part of a vector. */
// @ts-ignore: decorator
@inline
export function memVector<T>(op: usize): v128 {
  return i64x2(<u64>readOperand<T>(op), 0);
}

/** The general register in ModRM.rm or ModRM.reg; never a byte register. */
// @ts-ignore: decorator
@inline
export function rmGeneral<T>(op: usize): T {
  return getReg<T>(opRm(op));
}

// @ts-ignore: decorator
@inline
export function setGeneral<T>(op: usize, value: T): void {
  setReg<T>(<usize>opRegIndex(op) << 3, value);
}

// @ts-ignore: decorator
@inline
export function setRmGeneral<T>(op: usize, value: T): void {
  setReg<T>(opRm(op), value);
}
