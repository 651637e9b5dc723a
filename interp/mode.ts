/** What follows from CR0, CR4, EFER, CS, SS and RFLAGS, computed once per change: the mode, CPL, limits of fast accesses. */
import { CPU_CR0, CPU_CR4, CPU_EFER, CPU_RFLAGS, RUN_LIMIT, RUN_STOP_AT, TABLES_BASE } from './layout';
import { FLAG_AC, FLAG_VM } from './flags';
import {
  ATTRIBUTE_DB, ATTRIBUTE_L, ATTRIBUTE_S, ATTRIBUTE_P, ATTRIBUTE_UNUSABLE, CR0_AM, CR0_PE, CR0_PG, CR4_SMAP, EFER_LMA, SEG_CS, SEG_FS, SEG_SS,
  segmentAttributes, segmentBase, segmentLimit,
} from './registers';
import { setTlbContext } from './tlb';

export let isMode64: bool = false;
export let isLongMode: bool = false;
export let isProtected: bool = false;
export let isPaging: bool = false;
export let currentCpl: u32 = 0;
/** 2, 4 or 8. */
export let currentCodeSize: u32 = 2;
export let currentStackSize: u32 = 2;
/** First RIP that CS does not allow (2^64 - 1 in 64-bit mode). */
export let codeEnd: u64 = 0;
export let codeBase: u64 = 0;
/** The bits of a linear address of code. */
export let codeMask: u64 = 0xffffffff;
/** The run loop must look before the next block: events, single step, shadow. */
export let attention: bool = true;

/** 64-bit mode: EFER.LMA and CS.L. */
// @ts-ignore: decorator
@inline
export function mode64(): bool {
  return isMode64;
}

/** EFER.LMA: 64-bit or compatibility mode. */
// @ts-ignore: decorator
@inline
export function longMode(): bool {
  return isLongMode;
}

/** CR0.PE and not virtual-8086. */
// @ts-ignore: decorator
@inline
export function protectedMode(): bool {
  return isProtected;
}

/** RFLAGS.VM under CR0.PE. */
// @ts-ignore: decorator
@inline
export function virtual8086(): bool {
  return !isProtected && (load<u64>(CPU_CR0) & CR0_PE) != 0;
}

// @ts-ignore: decorator
@inline
export function cpl(): u32 {
  return currentCpl;
}

/** 2, 4 or 8: the default of CS. */
// @ts-ignore: decorator
@inline
export function codeSize(): u32 {
  return currentCodeSize;
}

/** 2, 4 or 8: width of the stack pointer. */
// @ts-ignore: decorator
@inline
export function stackSize(): u32 {
  return currentStackSize;
}

/** More than any count of instructions, and less than the size of a block that is not valid (block.ts). */
const STOP_MAX: u64 = 1 << 62;

/** The run loop looks at events before the next block. */
// @ts-ignore: decorator
@inline
export function requestAttention(): void {
  attention = true;
  store<u64>(RUN_STOP_AT, 0);
}

// @ts-ignore: decorator
@inline
export function clearAttention(): void {
  attention = false;
  const limit = load<u64>(RUN_LIMIT);
  store<u64>(RUN_STOP_AT, limit < STOP_MAX ? limit : STOP_MAX);
}

/**
 * What a memory access through a segment looks at, 32 bytes a segment: u64 base as the mode uses it, u64 end of reads, u64 end
 * of writes. An access is fine if offset + size <= end; an end of 0 sends every access to the slow check.
 */
export const SEGMENT_VIEWS: usize = TABLES_BASE;

/**
 * Outside 64-bit mode: bit i says that segment i has base 0 and reads of all 4 GiB, bit i + 8 that it has writes too: its
 * offsets are linear addresses.
 */
export let flatSegments: u32 = 0;

/** A 32-bit stack in a segment that is flat for reads and writes, outside 64-bit mode: ESP is the linear address. */
export let flatStack: bool = false;

function refreshFlatStack(): void {
  const both: u32 = 0x101 << SEG_SS;
  flatStack = !isMode64 && currentStackSize == 4 && (flatSegments & both) == both;
}

function noteFlat(index: u32, base: u64, readEnd: u64, writeEnd: u64): void {
  let bits: u32 = 0;
  if (base == 0 && readEnd > 0xffffffff) bits |= 1;
  if (base == 0 && writeEnd > 0xffffffff) bits |= 0x100;
  flatSegments = (flatSegments & ~(<u32>0x101 << index)) | (bits << index);
  if (index == SEG_SS) refreshFlatStack();
}

/** Recomputes the view of one segment. */
export function refreshSegment(index: u32): void {
  if (index > 5) return;
  const view = SEGMENT_VIEWS + <usize>index * 32;
  if (isMode64) {
    store<u64>(view, index >= SEG_FS ? segmentBase(index) : 0);
    store<u64>(view, u64.MAX_VALUE, 8);
    store<u64>(view, u64.MAX_VALUE, 16);
    return;
  }
  const attributes = segmentAttributes(index);
  let readEnd: u64 = <u64>segmentLimit(index) + 1;
  let writeEnd = readEnd;
  if (isProtected) {
    const type = attributes & 15;
    const code = (type & 8) != 0;
    const usable = (attributes & (ATTRIBUTE_UNUSABLE | ATTRIBUTE_S | ATTRIBUTE_P)) == (ATTRIBUTE_S | ATTRIBUTE_P);
    if (!usable || (!code && (type & 4) != 0)) readEnd = 0;
    if (code && (type & 2) == 0) readEnd = 0;
    writeEnd = code || (type & 2) == 0 ? 0 : readEnd;
  }
  noteFlat(index, segmentBase(index) & 0xffffffff, readEnd, writeEnd);
  store<u64>(view, segmentBase(index) & 0xffffffff);
  store<u64>(view, readEnd, 8);
  store<u64>(view, writeEnd, 16);
}

/** To be called after any change of CR0, CR4, EFER, CS, SS or of RFLAGS.VM, TF, IF, AC. */
export function updateMode(): void {
  const cr0 = load<u64>(CPU_CR0);
  const cs = segmentAttributes(SEG_CS);
  const ss = segmentAttributes(SEG_SS);
  const flags = load<u64>(CPU_RFLAGS);
  const enabled = (cr0 & CR0_PE) != 0;
  const vm86 = enabled && (flags & FLAG_VM) != 0;
  const was64 = isMode64;
  const wasProtected = isProtected;
  isProtected = enabled && !vm86;
  isPaging = (cr0 & CR0_PG) != 0;
  isLongMode = (load<u64>(CPU_EFER) & EFER_LMA) != 0;
  isMode64 = isLongMode && (cs & ATTRIBUTE_L) != 0;
  currentCpl = !enabled ? 0 : vm86 ? 3 : (ss >> 5) & 3;
  currentCodeSize = isMode64 ? 8 : cs & ATTRIBUTE_DB ? 4 : 2;
  currentStackSize = isMode64 ? 8 : ss & ATTRIBUTE_DB ? 4 : 2;
  codeBase = isMode64 ? 0 : segmentBase(SEG_CS) & 0xffffffff;
  codeMask = isMode64 ? u64.MAX_VALUE : 0xffffffff;
  codeEnd = isMode64 ? u64.MAX_VALUE : <u64>segmentLimit(SEG_CS) + 1;
  if (was64 != isMode64 || wasProtected != isProtected) for (let i: u32 = 0; i < 6; i++) refreshSegment(i);
  refreshFlatStack();
  const user = currentCpl == 3;
  const aligned = user && (flags & FLAG_AC) != 0 && (cr0 & CR0_AM) != 0;
  setTlbContext(user, (load<u64>(CPU_CR4) & CR4_SMAP) != 0, (flags & FLAG_AC) != 0, aligned, isMode64, isLongMode);
  requestAttention();
}

/** Everything from scratch: after the host changed the state. */
export function refreshAll(): void {
  updateMode();
  for (let i: u32 = 0; i < 6; i++) refreshSegment(i);
}
