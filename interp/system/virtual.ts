/**
 * Virtual-8086 mode (SDM vol. 3A, chapter 21): entry by IRET, leaving through gates, IRET and INT n within it, and its extensions
 * (CR4.VME): the virtual interrupt flag and the interrupt redirection bitmap.
 */
import { holdStep, nextRip, setRip } from '../control';
import { raiseGP } from '../fault';
import {
  FLAGS_STATUS, FLAG_AC, FLAG_DF, FLAG_ID, FLAG_IF, FLAG_IOPL, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VIF, FLAG_VIP, FLAG_VM,
  changeControlFlags, materializeFlags, setFlagsWhole,
} from '../flags';
import { popPeek, readSystem, setStackPointer } from '../memory';
import { updateMode } from '../mode';
import {
  CR4_VME, REG_RSP, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS, SEG_TR, controlFlags, cr4, getReg, segmentBase,
  segmentLimit, segmentSelector, setReg,
} from '../registers';
import { setRealCode } from './code';
import { wrapLinear } from './descriptor';
import { beginFrame, commitFrame, pushFrame } from './frame';
import { setNullSegment, setVirtualSegment } from './load';
import { ioPrivilege } from './privilege';
import { peekStack } from './stack-values';

/** The flags that an IRET at privilege 0 with a 32-bit operand loads on the way to virtual-8086 mode: all. */
const ENTRY_FLAGS: u64 = 0x3f7fd5;
const IO_MAP_BASE: u64 = 102;

/** IRET of privilege 0 whose EFLAGS image has VM: nine values are popped. */
export function returnToVirtual(): void {
  const rip = popPeek<u32>(0);
  const code = <u32>popPeek<u16>(4);
  const flags = <u64>popPeek<u32>(8);
  const pointer = popPeek<u32>(12);
  const stack = <u32>popPeek<u16>(16);
  const extra = <u32>popPeek<u16>(20);
  const data = <u32>popPeek<u16>(24);
  const fs = <u32>popPeek<u16>(28);
  const gs = <u32>popPeek<u16>(32);
  if (rip > 0xffff) raiseGP(0);
  setFlagsWhole((flags & ENTRY_FLAGS) | FLAG_VM | 2);
  setVirtualSegment(SEG_CS, code);
  setVirtualSegment(SEG_SS, stack);
  setVirtualSegment(SEG_ES, extra);
  setVirtualSegment(SEG_DS, data);
  setVirtualSegment(SEG_FS, fs);
  setVirtualSegment(SEG_GS, gs);
  setReg<u32>(REG_RSP, pointer);
  updateMode();
  setRip(rip);
}

/** What an event through a gate pushes before SS:ESP. */
export function pushVirtualSegments(size: u32): void {
  pushFrame(size, segmentSelector(SEG_GS));
  pushFrame(size, segmentSelector(SEG_FS));
  pushFrame(size, segmentSelector(SEG_DS));
  pushFrame(size, segmentSelector(SEG_ES));
}

/** And what it leaves: the data segments are null. */
export function dropVirtualSegments(): void {
  setNullSegment(SEG_ES, 0);
  setNullSegment(SEG_DS, 0);
  setNullSegment(SEG_FS, 0);
  setNullSegment(SEG_GS, 0);
}

/** The extensions are on. */
export function extensionsOn(): bool {
  return (cr4() & CR4_VME) != 0;
}

/** Flags as the guest of the extensions sees them: IF is VIF, IOPL is 3. */
export function virtualFlags(flags: u64): u64 {
  const seen = flags & ~FLAG_IF;
  return seen | FLAG_IOPL | ((flags & FLAG_VIF) != 0 ? FLAG_IF : 0);
}

/** #GP(0) where POPF or IRET of 16 bits under the extensions would set TF, or IF with an interrupt waiting. */
export function checkVirtualFlags(flags: u64): void {
  if ((flags & FLAG_TF) != 0) raiseGP(0);
  if ((flags & FLAG_IF) != 0 && (controlFlags() & FLAG_VIP) != 0) raiseGP(0);
}

/** Loads FLAGS under the extensions: VIF takes IF's place; IF and IOPL stay. */
export function setVirtualFlags(flags: u64): void {
  const mask = FLAGS_STATUS | FLAG_DF | FLAG_NT | FLAG_TF;
  const kept = materializeFlags() & ~(mask | FLAG_VIF);
  setFlagsWhole(kept | (flags & mask) | ((flags & FLAG_IF) != 0 ? FLAG_VIF : 0));
}

/** IRET in virtual-8086 mode. */
export function returnVirtual(size: u32): void {
  const virtualized = ioPrivilege() < 3;
  if (virtualized && (!extensionsOn() || size != 2)) raiseGP(0);
  const rip = peekStack(0, size);
  const selector = <u32>peekStack(<i32>size, size) & 0xffff;
  const flags = peekStack(<i32>(size * 2), size);
  if (virtualized) checkVirtualFlags(flags);
  const pointer = getReg<u64>(REG_RSP) + size * 3;
  setRealCode(selector, rip);
  setStackPointer(pointer);
  if (virtualized) {
    setVirtualFlags(flags);
    return;
  }
  let mask: u64 = FLAGS_STATUS | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_NT;
  if (size != 2) mask |= FLAG_RF | FLAG_AC | FLAG_ID;
  setFlagsWhole((materializeFlags() & ~mask) | (flags & mask));
}

/** Does the bitmap below the I/O map send INT `vector` to the guest's own handler? */
function redirected(vector: u32): bool {
  const base = segmentBase(SEG_TR);
  if (segmentLimit(SEG_TR) < 103) raiseGP(0);
  const at = <u64>readSystem<u16>(wrapLinear(base + IO_MAP_BASE)) - 32 + (vector >> 3);
  if (at > <u64>segmentLimit(SEG_TR)) raiseGP(0);
  return ((readSystem<u8>(wrapLinear(base + at)) >> <u8>(vector & 7)) & 1) == 0;
}

/**
 * INT n in virtual-8086 mode (SDM vol. 3A, 21.3, table 21-2). True: it was delivered as in real mode, through the table at linear
 * address 0. False: it goes through the IDT.
 */
export function interruptedVirtual(vector: u32): bool {
  if (!extensionsOn() || !redirected(vector)) {
    if (ioPrivilege() < 3) raiseGP(0);
    return false;
  }
  holdStep();
  const entry = readSystem<u32>(vector * 4);
  const flags = materializeFlags();
  const virtualized = ioPrivilege() < 3;
  beginFrame(0);
  pushFrame(2, virtualized ? virtualFlags(flags) : flags);
  pushFrame(2, segmentSelector(SEG_CS));
  pushFrame(2, nextRip());
  setRealCode(entry >> 16, entry & 0xffff);
  commitFrame();
  changeControlFlags(FLAG_TF | FLAG_NT | FLAG_RF | (virtualized ? FLAG_VIF : FLAG_IF), 0);
  return true;
}
