/** General and segment registers, control registers as bits, and the cached mode of the CPU (SDM vol. 1, chapter 3). */
import {
  CPU_CR0, CPU_CR4, CPU_EFER, CPU_GPR, CPU_RFLAGS, CPU_SEGMENTS, SEGMENT_ATTRIBUTES, SEGMENT_BASE, SEGMENT_LIMIT,
  SEGMENT_SELECTOR, SEGMENT_SIZE,
} from './layout';

/** Byte offsets in CPU_GPR. */
export const REG_RAX: usize = 0;
export const REG_RCX: usize = 8;
export const REG_RDX: usize = 16;
export const REG_RBX: usize = 24;
export const REG_RSP: usize = 32;
export const REG_RBP: usize = 40;
export const REG_RSI: usize = 48;
export const REG_RDI: usize = 56;
export const REG_R8: usize = 64;
export const REG_R11: usize = 88;
/** AH: the second byte of RAX. */
export const REG_AH: usize = 1;

/** Segment indexes. */
export const SEG_ES: u32 = 0;
export const SEG_CS: u32 = 1;
export const SEG_SS: u32 = 2;
export const SEG_DS: u32 = 3;
export const SEG_FS: u32 = 4;
export const SEG_GS: u32 = 5;
export const SEG_LDTR: u32 = 6;
export const SEG_TR: u32 = 7;

export const CR0_PE: u64 = 1;
export const CR0_MP: u64 = 1 << 1;
export const CR0_EM: u64 = 1 << 2;
export const CR0_TS: u64 = 1 << 3;
export const CR0_NE: u64 = 1 << 5;
export const CR0_WP: u64 = 1 << 16;
export const CR0_AM: u64 = 1 << 18;
export const CR0_PG: u64 = 0x80000000;
export const CR4_VME: u64 = 1;
export const CR4_PVI: u64 = 1 << 1;
export const CR4_TSD: u64 = 1 << 2;
export const CR4_DE: u64 = 1 << 3;
export const CR4_PSE: u64 = 1 << 4;
export const CR4_PAE: u64 = 1 << 5;
export const CR4_PGE: u64 = 1 << 7;
export const CR4_OSFXSR: u64 = 1 << 9;
export const CR4_UMIP: u64 = 1 << 11;
export const CR4_FSGSBASE: u64 = 1 << 16;
export const CR4_PCIDE: u64 = 1 << 17;
export const CR4_OSXSAVE: u64 = 1 << 18;
export const CR4_SMEP: u64 = 1 << 20;
export const CR4_SMAP: u64 = 1 << 21;
export const EFER_SCE: u64 = 1;
export const EFER_LME: u64 = 1 << 8;
export const EFER_LMA: u64 = 1 << 10;
export const EFER_NXE: u64 = 1 << 11;

/** Attribute bits of a segment, as layout.ts SEGMENT_ATTRIBUTES says. */
export const ATTRIBUTE_TYPE: u32 = 15;
export const ATTRIBUTE_S: u32 = 1 << 4;
export const ATTRIBUTE_DPL_SHIFT: u32 = 5;
export const ATTRIBUTE_P: u32 = 1 << 7;
export const ATTRIBUTE_L: u32 = 1 << 13;
export const ATTRIBUTE_DB: u32 = 1 << 14;
export const ATTRIBUTE_G: u32 = 1 << 15;
export const ATTRIBUTE_UNUSABLE: u32 = 1 << 16;

/** Reads a general register at a byte offset in CPU_GPR (opReg, REG_…). */
// @ts-ignore: decorator
@inline
export function getReg<T>(offset: usize): T {
  return load<T>(CPU_GPR + offset);
}

/** Writes one: u8 and u16 merge, u32 clears the upper half (SDM vol. 1, 3.4.1.1). */
// @ts-ignore: decorator
@inline
export function setReg<T>(offset: usize, value: T): void {
  if (sizeof<T>() == 4) store<u64>(CPU_GPR + offset, <u64>(<u32>value));
  else store<T>(CPU_GPR + offset, value);
}

/** Address of a segment's record. */
// @ts-ignore: decorator
@inline
export function segmentAt(index: u32): usize {
  return CPU_SEGMENTS + <usize>index * SEGMENT_SIZE;
}

// @ts-ignore: decorator
@inline
export function segmentBase(index: u32): u64 {
  return load<u64>(segmentAt(index), SEGMENT_BASE);
}

// @ts-ignore: decorator
@inline
export function segmentLimit(index: u32): u32 {
  return load<u32>(segmentAt(index), SEGMENT_LIMIT);
}

// @ts-ignore: decorator
@inline
export function segmentAttributes(index: u32): u32 {
  return load<u32>(segmentAt(index), SEGMENT_ATTRIBUTES);
}

// @ts-ignore: decorator
@inline
export function segmentSelector(index: u32): u16 {
  return load<u16>(segmentAt(index), SEGMENT_SELECTOR);
}

/** Writes a segment register's hidden and visible parts. After CS or SS, call updateMode() too when all is in place. */
export function setSegment(index: u32, selector: u16, base: u64, limit: u32, attributes: u32): void {
  const at = segmentAt(index);
  store<u64>(at, base, SEGMENT_BASE);
  store<u32>(at, limit, SEGMENT_LIMIT);
  store<u32>(at, attributes, SEGMENT_ATTRIBUTES);
  store<u16>(at, selector, SEGMENT_SELECTOR);
  refreshSegment(index);
}

/** Writes a base only (FS.base, GS.base by MSR, SWAPGS, WRFSBASE). */
export function setSegmentBase(index: u32, base: u64): void {
  store<u64>(segmentAt(index), base, SEGMENT_BASE);
  refreshSegment(index);
}

/** Any other direct change of a segment's record: recomputes what memory accesses look at. */
export { refreshSegment } from './mode';
import { refreshSegment } from './mode';

// @ts-ignore: decorator
@inline
export function cr0(): u64 {
  return load<u64>(CPU_CR0);
}

// @ts-ignore: decorator
@inline
export function cr4(): u64 {
  return load<u64>(CPU_CR4);
}

// @ts-ignore: decorator
@inline
export function efer(): u64 {
  return load<u64>(CPU_EFER);
}

/** The non-status bits of RFLAGS (IF, DF, IOPL, AC …): exact at all times. For status flags see flags.ts. */
// @ts-ignore: decorator
@inline
export function controlFlags(): u64 {
  return load<u64>(CPU_RFLAGS);
}
