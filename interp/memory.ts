/**
 * Memory accesses of instructions: effective addresses, segment checks, the fast path through the TLBs, stack helpers,
 * read-modify-write. What is not fast is in access.ts.
 */
import { canonical } from './control';
import { raiseGP, raiseSS } from './fault';
import { CPU_GPR } from './layout';
import { opAddressSize, opSegment } from './op';
import { REG_RSP, SEG_SS } from './registers';
import { currentStackSize, flatSegments, flatStack, SEGMENT_VIEWS } from './mode';
import { CONTEXT_STACK, CONTEXT_WIDE, looseContext, systemContext, TLB_READ, TLB_WRITE, tlbContext, tlbEntry, tlbTag } from './tlb';
import { checkAlignment, checkSegment, probeSpan, readSlow, rmwBeginMissed, rmwReadSlow, rmwWriteSlow, writeMissed, writeSlow } from './access';

export { flushTlb, flushTlbPage } from './tlb';
export { checkAlignment, probeRead, probeSpan, probeWrite } from './access';
export { loadPdptes } from './paging';

/** op byte 31: a 64-bit address in a segment without base: the linear address is the effective address. */
export const ADDRESSING_FLAT: u8 = 1;
/** A 32-bit address outside 64-bit mode: without further ado where the segment is flat (mode.ts). */
export const ADDRESSING_32: u8 = 2;

/** base + index * scale + displacement, not yet cut to the address size. */
// @ts-ignore: decorator
@inline
function rawAddress(op: usize): u64 {
  return (
    load<u64>(CPU_GPR + <usize>load<u8>(op, 6)) +
    (load<u64>(CPU_GPR + <usize>load<u8>(op, 7)) << load<u8>(op, 8)) +
    <u64>(<i64>load<i32>(op, 24))
  );
}

/** Cuts an offset to an address size of 2, 4 or 8 bytes. */
// @ts-ignore: decorator
@inline
export function cutAddress(offset: u64, size: u32): u64 {
  return size == 8 ? offset : size == 4 ? offset & 0xffffffff : offset & 0xffff;
}

/** The memory operand's offset within its segment. */
// @ts-ignore: decorator
@inline
export function effectiveAddress(op: usize): u64 {
  return cutAddress(rawAddress(op), opAddressSize(op));
}

/** Linear address of `size` bytes at an offset of a segment, checked. Outside 64-bit mode it may exceed 32 bits: accesses cut it. */
// @ts-ignore: decorator
@inline
function segmentedRead(segment: u32, offset: u64, size: u32): u64 {
  const view = SEGMENT_VIEWS + <usize>segment * 32;
  if (offset + size > load<u64>(view, 8)) checkSegment(segment, offset, size, false);
  return offset + load<u64>(view);
}

// @ts-ignore: decorator
@inline
function segmentedWrite(segment: u32, offset: u64, size: u32): u64 {
  const view = SEGMENT_VIEWS + <usize>segment * 32;
  if (offset + size > load<u64>(view, 16)) checkSegment(segment, offset, size, true);
  return offset + load<u64>(view);
}

/** In 64-bit mode, an address that is not canonical is #SS(0) through the stack segment (SDM vol. 3, 5.3.1) and else #GP(0). */
function checkCanonical(segment: u32, linear: u64, size: u32): void {
  if ((tlbContext & CONTEXT_WIDE) == 0 || (canonical(linear) && canonical(linear + size - 1))) return;
  if (segment == SEG_SS) raiseSS(0);
  raiseGP(0);
}

/** Linear address for reading `size` bytes of a segment, all checks but paging's done (for what accesses in several pieces). */
export function linearForRead(segment: u32, offset: u64, size: u32): u64 {
  const linear = segmentedRead(segment, offset, size);
  checkCanonical(segment, linear, size);
  return linear;
}

/** Linear address for writing. */
export function linearForWrite(segment: u32, offset: u64, size: u32): u64 {
  const linear = segmentedWrite(segment, offset, size);
  checkCanonical(segment, linear, size);
  return linear;
}

function operandReadSegmented(op: usize, raw: u64, size: u32): u64 {
  return segmentedRead(opSegment(op), cutAddress(raw, opAddressSize(op)), size);
}

function operandWriteSegmented(op: usize, raw: u64, size: u32): u64 {
  return segmentedWrite(opSegment(op), cutAddress(raw, opAddressSize(op)), size);
}

// @ts-ignore: decorator
@inline
function operandRead(op: usize, size: u32): u64 {
  const raw = rawAddress(op);
  const kind = load<u8>(op, 31);
  if (kind == ADDRESSING_FLAT) return raw;
  if (kind == ADDRESSING_32 && ((flatSegments >> opSegment(op)) & 1) != 0 && <u32>raw <= 0 - size) {
    return <u64>(<u32>raw);
  }
  return operandReadSegmented(op, raw, size);
}

// @ts-ignore: decorator
@inline
function operandWrite(op: usize, size: u32): u64 {
  const raw = rawAddress(op);
  const kind = load<u8>(op, 31);
  if (kind == ADDRESSING_FLAT) return raw;
  if (kind == ADDRESSING_32 && ((flatSegments >> (opSegment(op) + 8)) & 1) != 0 && <u32>raw <= 0 - size) {
    return <u64>(<u32>raw);
  }
  return operandWriteSegmented(op, raw, size);
}

/** Reads at a linear address with the privilege of the guest. */
// @ts-ignore: decorator
@inline
export function readLinear<T>(linear: u64): T {
  const entry = tlbEntry(TLB_READ, linear);
  if (load<u64>(entry) == tlbTag(linear, sizeof<T>(), tlbContext)) return load<T>(<usize>(<u32>linear + load<u32>(entry, 8)));
  return <T>readSlow(linear, sizeof<T>(), tlbContext);
}

/** Of the stack segment: what paging does not allow is the same, a non-canonical address is #SS(0). */
// @ts-ignore: decorator
@inline
function segmentContext(segment: u32): u64 {
  return segment == SEG_SS ? tlbContext | CONTEXT_STACK : tlbContext;
}

// @ts-ignore: decorator
@inline
function readLinearOf<T>(segment: u32, linear: u64): T {
  const entry = tlbEntry(TLB_READ, linear);
  if (load<u64>(entry) == tlbTag(linear, sizeof<T>(), tlbContext)) return load<T>(<usize>(<u32>linear + load<u32>(entry, 8)));
  return <T>readSlow(linear, sizeof<T>(), segmentContext(segment));
}

// @ts-ignore: decorator
@inline
function writeLinearOf<T>(segment: u32, linear: u64, value: T): void {
  const entry = tlbEntry(TLB_WRITE, linear);
  if (load<u64>(entry) == tlbTag(linear, sizeof<T>(), tlbContext)) {
    store<T>(<usize>(<u32>linear + load<u32>(entry, 8)), value);
  } else writeMissed(linear, sizeof<T>(), <u64>value, segmentContext(segment));
}

/** Writes likewise. */
// @ts-ignore: decorator
@inline
export function writeLinear<T>(linear: u64, value: T): void {
  const entry = tlbEntry(TLB_WRITE, linear);
  if (load<u64>(entry) == tlbTag(linear, sizeof<T>(), tlbContext)) {
    store<T>(<usize>(<u32>linear + load<u32>(entry, 8)), value);
  } else writeMissed(linear, sizeof<T>(), <u64>value, tlbContext);
}

/** A part of an operand whose alignment was checked as a whole (access.ts, checkAlignment). */
export function readPart<T>(linear: u64): T {
  const context = looseContext();
  const entry = tlbEntry(TLB_READ, linear);
  if (load<u64>(entry) == tlbTag(linear, sizeof<T>(), context)) return load<T>(<usize>(<u32>linear + load<u32>(entry, 8)));
  return <T>readSlow(linear, sizeof<T>(), context);
}

/** Writes one likewise. */
export function writePart<T>(linear: u64, value: T): void {
  const context = looseContext();
  const entry = tlbEntry(TLB_WRITE, linear);
  if (load<u64>(entry) == tlbTag(linear, sizeof<T>(), context)) store<T>(<usize>(<u32>linear + load<u32>(entry, 8)), value);
  else writeMissed(linear, sizeof<T>(), <u64>value, context);
}

/** The memory operand of an instruction. */
// @ts-ignore: decorator
@inline
export function readOperand<T>(op: usize): T {
  return readLinearOf<T>(opSegment(op), operandRead(op, sizeof<T>()));
}

// @ts-ignore: decorator
@inline
export function writeOperand<T>(op: usize, value: T): void {
  writeLinearOf<T>(opSegment(op), operandWrite(op, sizeof<T>()), value);
}

/** Reads at an offset of a segment, with limit, type and canonical checks (#GP, #SS). */
// @ts-ignore: decorator
@inline
export function readSegment<T>(segment: u32, offset: u64): T {
  return readLinearOf<T>(segment, segmentedRead(segment, offset, sizeof<T>()));
}

// @ts-ignore: decorator
@inline
export function writeSegment<T>(segment: u32, offset: u64, value: T): void {
  writeLinearOf<T>(segment, segmentedWrite(segment, offset, sizeof<T>()), value);
}

/**
 * A memory operand to be read and then written: translated for writing, so that every fault is a write's and comes first. Then
 * rmwRead and rmwWrite with what this returns (0: not plain memory).
 */
// @ts-ignore: decorator
@inline
export function rmwBegin<T>(op: usize): usize {
  const linear = operandWrite(op, sizeof<T>());
  const entry = tlbEntry(TLB_WRITE, linear);
  if (load<u64>(entry) == tlbTag(linear, sizeof<T>(), tlbContext)) return <usize>(<u32>linear + load<u32>(entry, 8));
  return rmwBeginMissed(linear, sizeof<T>(), segmentContext(opSegment(op)));
}

/** The same for a linear address (linearForWrite). */
// @ts-ignore: decorator
@inline
export function rmwBeginLinear<T>(linear: u64): usize {
  const entry = tlbEntry(TLB_WRITE, linear);
  if (load<u64>(entry) == tlbTag(linear, sizeof<T>(), tlbContext)) return <usize>(<u32>linear + load<u32>(entry, 8));
  return rmwBeginMissed(linear, sizeof<T>(), tlbContext);
}

// @ts-ignore: decorator
@inline
export function rmwRead<T>(at: usize): T {
  return at != 0 ? load<T>(at) : <T>rmwReadSlow(sizeof<T>());
}

// @ts-ignore: decorator
@inline
export function rmwWrite<T>(at: usize, value: T): void {
  if (at != 0) store<T>(at, value);
  else rmwWriteSlow(sizeof<T>(), <u64>value);
}

/** Memory offset of the operand if its address and the TLB allow the access at once; 0: they do not. */
// @ts-ignore: decorator
@inline
export function operandReadAt<T>(op: usize): usize {
  let linear = rawAddress(op);
  if (load<u8>(op, 31) != ADDRESSING_FLAT) {
    if (((flatSegments >> opSegment(op)) & 1) == 0 || <u32>linear > 0 - <u32>sizeof<T>()) return 0;
    linear = <u64>(<u32>linear);
  }
  return offsetOf<T>(TLB_READ, linear);
}

/** The same for a write. Nothing that is written so is code or watched: nothing follows from it for the next instruction. */
// @ts-ignore: decorator
@inline
export function operandWriteAt<T>(op: usize): usize {
  let linear = rawAddress(op);
  if (load<u8>(op, 31) != ADDRESSING_FLAT) {
    if (((flatSegments >> (opSegment(op) + 8)) & 1) == 0 || <u32>linear > 0 - <u32>sizeof<T>()) return 0;
    linear = <u64>(<u32>linear);
  }
  return offsetOf<T>(TLB_WRITE, linear);
}

/** The same for what a push writes. */
// @ts-ignore: decorator
@inline
export function pushAddress<T>(): usize {
  return stackOffset<T>(TLB_WRITE, load<u64>(CPU_GPR + REG_RSP) - sizeof<T>());
}

/** The same for what a pop reads. */
// @ts-ignore: decorator
@inline
export function popAddress<T>(): usize {
  return stackOffset<T>(TLB_READ, load<u64>(CPU_GPR + REG_RSP));
}

// @ts-ignore: decorator
@inline
function stackOffset<T>(tlb: usize, raw: u64): usize {
  if (sizeof<T>() == 8) return offsetOf<T>(tlb, raw);
  if (!flatStack || <u32>raw > 0 - <u32>sizeof<T>()) return 0;
  return offsetOf<T>(tlb, <u64>(<u32>raw));
}

// @ts-ignore: decorator
@inline
function offsetOf<T>(tlb: usize, linear: u64): usize {
  const entry = tlbEntry(tlb, linear);
  if (load<u64>(entry) != tlbTag(linear, sizeof<T>(), tlbContext)) return 0;
  return <usize>(<u32>linear + load<u32>(entry, 8));
}

/** Implicit accesses at supervisor privilege: descriptor tables, TSS, IDT, stacks of event delivery. */
export function readSystem<T>(linear: u64): T {
  const entry = tlbEntry(TLB_READ, linear);
  if (load<u64>(entry) == tlbTag(linear, sizeof<T>(), systemContext)) {
    return load<T>(<usize>(<u32>linear + load<u32>(entry, 8)));
  }
  return <T>readSlow(linear, sizeof<T>(), systemContext);
}

export function writeSystem<T>(linear: u64, value: T): void {
  writeSlow(linear, sizeof<T>(), <u64>value, systemContext);
}

/** The stack pointer, cut to the width of the stack. */
// @ts-ignore: decorator
@inline
export function stackPointer(): u64 {
  return cutAddress(load<u64>(CPU_GPR + REG_RSP), currentStackSize);
}

/** Writes it: a 16-bit stack leaves the upper bits of RSP, a 32-bit stack clears them. */
// @ts-ignore: decorator
@inline
export function setStackPointer(value: u64): void {
  if (currentStackSize == 8) store<u64>(CPU_GPR + REG_RSP, value);
  else if (currentStackSize == 4) store<u64>(CPU_GPR + REG_RSP, value & 0xffffffff);
  else store<u16>(CPU_GPR + REG_RSP, <u16>value);
}

/** Reads the stack at SP + displacement; SP stays. With 64 bits: in 64-bit mode only. */
// @ts-ignore: decorator
@inline
export function popPeek<T>(displacement: i32): T {
  const raw = load<u64>(CPU_GPR + REG_RSP) + <i64>displacement;
  if (sizeof<T>() == 8) return readLinearOf<T>(SEG_SS, raw);
  if (flatStack && <u32>raw <= 0 - <u32>sizeof<T>()) return readLinearOf<T>(SEG_SS, <u64>(<u32>raw));
  return <T>popSegmented(raw, sizeof<T>());
}

/** Writes the stack at SP + displacement; SP stays. With 64 bits: in 64-bit mode only. */
// @ts-ignore: decorator
@inline
export function pushAt<T>(displacement: i32, value: T): void {
  const raw = load<u64>(CPU_GPR + REG_RSP) + <i64>displacement;
  if (sizeof<T>() == 8) writeLinearOf<T>(SEG_SS, raw, value);
  else if (flatStack && <u32>raw <= 0 - <u32>sizeof<T>()) writeLinearOf<T>(SEG_SS, <u64>(<u32>raw), value);
  else pushSegmented(raw, sizeof<T>(), <u32>value);
}

/** The same through the segment's limits, for sizes of less than 8. */
function popSegmented(raw: u64, size: u32): u32 {
  const offset = cutAddress(raw, currentStackSize);
  return size == 4 ? readSegment<u32>(SEG_SS, offset) : <u32>readSegment<u16>(SEG_SS, offset);
}

function pushSegmented(raw: u64, size: u32, value: u32): void {
  const offset = cutAddress(raw, currentStackSize);
  if (size == 4) writeSegment<u32>(SEG_SS, offset, value);
  else writeSegment<u16>(SEG_SS, offset, <u16>value);
}

/** Raises what a push of `size` bytes would raise. */
export function probePush(size: u32): void {
  const linear = linearForWrite(SEG_SS, cutAddress(load<u64>(CPU_GPR + REG_RSP) - size, currentStackSize), size);
  checkAlignment(linear, size);
  probeSpan((tlbContext & CONTEXT_WIDE) != 0 ? linear : linear & 0xffffffff, size, true);
}

/** SP += delta, behind an access of `T`. */
// @ts-ignore: decorator
@inline
export function moveStackPointerOf<T>(delta: i32): void {
  const value = load<u64>(CPU_GPR + REG_RSP) + <i64>delta;
  if (sizeof<T>() == 8) store<u64>(CPU_GPR + REG_RSP, value);
  else if (flatStack) store<u64>(CPU_GPR + REG_RSP, <u64>(<u32>value));
  else setStackPointer(value);
}

/** SP += delta, with no access. */
// @ts-ignore: decorator
@inline
export function moveStackPointer(delta: i32): void {
  setStackPointer(load<u64>(CPU_GPR + REG_RSP) + <i64>delta);
}

/** A whole push of one value: the write first, then SP. */
// @ts-ignore: decorator
@inline
export function pushValue<T>(value: T): void {
  pushAt<T>(-(<i32>sizeof<T>()), value);
  moveStackPointerOf<T>(-(<i32>sizeof<T>()));
}
