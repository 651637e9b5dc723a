/**
 * Task switches by JMP, CALL, IRET and events (SDM vol. 3A, 7.3, table 7-1 and 7-2). Up to the commit a fault is one of the
 * old task, which is unchanged; from then on it is one of the new task, at the RIP that its TSS holds.
 */
import { setCommitted, setPendingDebug } from '../control';
import { DR6_BT, refreshDebug } from '../debug';
import { VECTOR_GP, VECTOR_NP, VECTOR_SS, VECTOR_TS, raiseVector } from '../fault';
import { FLAG_NT, FLAG_VM } from '../flags';
import { CPU_CR0, CPU_DR } from '../layout';
import { probeRead, probeWrite, readSystem, writeSystem } from '../memory';
import { updateMode } from '../mode';
import { WORK_TASK, spend } from '../work';
import {
  ATTRIBUTE_DPL_SHIFT, ATTRIBUTE_UNUSABLE, CR0_TS, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_LDTR, SEG_SS, SEG_TR, cr0,
  segmentAttributes, segmentBase, segmentLimit, segmentSelector, setSegment,
} from '../registers';
import {
  TYPE_LDT, TYPE_READABLE, TYPE_TSS16, TYPE_TSS16_BUSY, TYPE_TSS32, TYPE_TSS32_BUSY, attributesDpl, attributesType,
  descriptorAddress, descriptorAttributes, descriptorBase, descriptorLimit, isCode, isConformingCode, isNullSelector,
  isPresent, isSegment, isWritableData, markAccessed, raiseSelector, readDescriptor, wrapLinear,
} from './descriptor';
import { beginFrame, commitFrame, pushFrame } from './frame';
import { setFromDescriptor, setNullSegment, setVirtualSegment } from './load';
import {
  leastLimit, loadTaskDirectory, loadTaskRegisters, readTask, saveTask, savedOffset, savedSize, taskFlags, taskLdt,
  taskRip, taskSelector, taskTrap,
} from './task-state';

/** What makes the switch. */
export const SWITCH_JUMP: u32 = 0;
export const SWITCH_CALL: u32 = 1;
export const SWITCH_RETURN: u32 = 2;
export const SWITCH_EVENT: u32 = 3;

const BUSY: u32 = 2;
/** DR7.L0 to L3 and LE. */
const DR7_LOCAL: u64 = 0x155;

/** The TSS that a task gate names: in the GDT, available, present. Returns its descriptor. */
export function readGateTask(selector: u32, ext: u32): u64 {
  if ((selector & 4) != 0 || isNullSelector(selector)) raiseSelector(VECTOR_GP, selector, ext);
  const descriptor = readDescriptor(selector, VECTOR_GP, ext);
  const attributes = descriptorAttributes(descriptor);
  const type = attributesType(attributes);
  if (isSegment(attributes) || (type != TYPE_TSS16 && type != TYPE_TSS32)) raiseSelector(VECTOR_GP, selector, ext);
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, ext);
  return descriptor;
}

/** IRET under NT: back to the task that the link field of the current TSS names (SDM vol. 3A, 7.4). */
export function returnToTask(rip: u64, flags: u64): void {
  const selector = <u32>readSystem<u16>(wrapLinear(segmentBase(SEG_TR)));
  if ((selector & 4) != 0 || isNullSelector(selector)) raiseSelector(VECTOR_TS, selector, 0);
  const descriptor = readDescriptor(selector, VECTOR_TS, 0);
  const attributes = descriptorAttributes(descriptor);
  const type = attributesType(attributes);
  if (isSegment(attributes) || (type != TYPE_TSS16_BUSY && type != TYPE_TSS32_BUSY)) {
    raiseSelector(VECTOR_TS, selector, 0);
  }
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, 0);
  switchTask(selector, descriptor, SWITCH_RETURN, rip, flags & ~FLAG_NT, 0);
}

/** Bit 3 of the type tells the 32-bit TSS from the 16-bit one. */
function isWide(attributes: u32): bool {
  return (attributes & 8) != 0;
}

function setBusy(selector: u32, busy: bool): void {
  const at = wrapLinear(descriptorAddress(selector) + 5);
  const access = readSystem<u8>(at);
  writeSystem<u8>(at, busy ? access | <u8>BUSY : access & ~<u8>BUSY);
}

/** Switches to the task of a TSS descriptor whose type and presence were checked; the old task goes on at `rip` with `flags`. */
export function switchTask(selector: u32, descriptor: u64, cause: u32, rip: u64, flags: u64, ext: u32): void {
  spend(WORK_TASK);
  const attributes = descriptorAttributes(descriptor);
  const wide = isWide(attributes);
  const base = <u64>descriptorBase(descriptor);
  const limit = descriptorLimit(descriptor);
  const old = <u32>segmentSelector(SEG_TR);
  const oldBase = segmentBase(SEG_TR);
  const oldWide = isWide(segmentAttributes(SEG_TR));
  const nests = cause == SWITCH_CALL || cause == SWITCH_EVENT;
  const frees = cause == SWITCH_JUMP || cause == SWITCH_RETURN;
  if (limit < leastLimit(wide)) raiseSelector(VECTOR_TS, selector, ext);
  const oldEnd = savedOffset(oldWide) + savedSize(oldWide);
  if (segmentLimit(SEG_TR) < oldEnd - 1) raiseSelector(VECTOR_TS, old, ext);

  // Everything that is to be touched must be in memory (SDM vol. 3A, 7.3).
  probeWrite(wrapLinear(oldBase + savedOffset(oldWide)), savedSize(oldWide), false);
  probeRead(base, leastLimit(wide) + 1, false);
  if (nests) probeWrite(base, 2, false);
  if (frees) probeWrite(wrapLinear(descriptorAddress(old) + 5), 1, false);
  if (cause != SWITCH_RETURN) probeWrite(wrapLinear(descriptorAddress(selector) + 5), 1, false);

  if (frees) setBusy(old, false);
  saveTask(oldBase, oldWide, rip, flags);
  readTask(base, wide);
  if (nests) writeSystem<u16>(base, <u16>old);
  if (cause != SWITCH_RETURN) setBusy(selector, true);
  enterTask(selector, base, limit, attributes | BUSY, nests, ext);
}

/** The commit, and what is done and checked in the new task. */
function enterTask(selector: u32, base: u64, limit: u32, attributes: u32, nests: bool, ext: u32): void {
  setCommitted(true);
  setSegment(SEG_TR, <u16>selector, base, limit, attributes);
  store<u64>(CPU_CR0, cr0() | CR0_TS);
  store<u64>(CPU_DR + 40, load<u64>(CPU_DR + 40) & ~DR7_LOCAL);
  refreshDebug();
  loadTaskRegisters(nests ? FLAG_NT : 0);
  const privilege: u32 = (taskFlags & FLAG_VM) != 0 ? 3 : taskSelector(SEG_CS) & 3;
  // The visible parts are loaded; nothing can be used until its descriptor is found fine.
  for (let i: u32 = 0; i < 6; i++) {
    setSegment(i, <u16>taskSelector(i), 0, 0, ATTRIBUTE_UNUSABLE | (privilege << ATTRIBUTE_DPL_SHIFT));
  }
  setSegment(SEG_LDTR, <u16>taskLdt, 0, 0, ATTRIBUTE_UNUSABLE);
  updateMode();
  if (isWide(attributes)) loadTaskDirectory();
  loadTaskLdt(ext);
  if ((taskFlags & FLAG_VM) != 0) {
    for (let i: u32 = 0; i < 6; i++) setVirtualSegment(i, taskSelector(i));
  } else loadTaskSegments(privilege, ext);
  updateMode();
  if (taskTrap) setPendingDebug(DR6_BT);
  if (taskRip > <u64>segmentLimit(SEG_CS)) raiseVector(VECTOR_GP, true, ext);
  setCommitted(false);
}

function loadTaskLdt(ext: u32): void {
  const selector = taskLdt;
  if (isNullSelector(selector)) return;
  if ((selector & 4) != 0) raiseSelector(VECTOR_TS, selector, ext);
  const descriptor = readDescriptor(selector, VECTOR_TS, ext);
  const attributes = descriptorAttributes(descriptor);
  if (isSegment(attributes) || attributesType(attributes) != TYPE_LDT || !isPresent(attributes)) {
    raiseSelector(VECTOR_TS, selector, ext);
  }
  setSegment(SEG_LDTR, <u16>selector, descriptorBase(descriptor), descriptorLimit(descriptor), attributes);
}

function loadTaskSegments(privilege: u32, ext: u32): void {
  const selector = taskSelector(SEG_CS);
  if (isNullSelector(selector)) raiseSelector(VECTOR_TS, selector, ext);
  const code = readDescriptor(selector, VECTOR_TS, ext);
  const attributes = descriptorAttributes(code);
  const dpl = attributesDpl(attributes);
  if (!isCode(attributes)) raiseSelector(VECTOR_TS, selector, ext);
  if (isConformingCode(attributes) ? dpl > privilege : dpl != privilege) raiseSelector(VECTOR_TS, selector, ext);
  loadTaskStack(privilege, ext);
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, ext);
  setFromDescriptor(SEG_CS, selector, markAccessed(selector, code));
  updateMode();
  loadTaskData(SEG_DS, privilege, ext);
  loadTaskData(SEG_ES, privilege, ext);
  loadTaskData(SEG_FS, privilege, ext);
  loadTaskData(SEG_GS, privilege, ext);
}

function loadTaskStack(privilege: u32, ext: u32): void {
  const selector = taskSelector(SEG_SS);
  if (isNullSelector(selector)) raiseSelector(VECTOR_TS, selector, ext);
  const descriptor = readDescriptor(selector, VECTOR_TS, ext);
  const attributes = descriptorAttributes(descriptor);
  if (!isWritableData(attributes)) raiseSelector(VECTOR_TS, selector, ext);
  if (!isPresent(attributes)) raiseSelector(VECTOR_SS, selector, ext);
  if (attributesDpl(attributes) != privilege || (selector & 3) != privilege) raiseSelector(VECTOR_TS, selector, ext);
  setFromDescriptor(SEG_SS, selector, markAccessed(selector, descriptor));
  updateMode();
}

function loadTaskData(index: u32, privilege: u32, ext: u32): void {
  const selector = taskSelector(index);
  if (isNullSelector(selector)) {
    setNullSegment(index, selector);
    return;
  }
  const descriptor = readDescriptor(selector, VECTOR_TS, ext);
  const attributes = descriptorAttributes(descriptor);
  const unreadable = isCode(attributes) && (attributes & TYPE_READABLE) == 0;
  if (!isSegment(attributes) || unreadable) raiseSelector(VECTOR_TS, selector, ext);
  if (!isConformingCode(attributes)) {
    const dpl = attributesDpl(attributes);
    if (dpl < (selector & 3) || dpl < privilege) raiseSelector(VECTOR_TS, selector, ext);
  }
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, ext);
  setFromDescriptor(index, selector, markAccessed(selector, descriptor));
}

/** The error code of an exception goes to the new task's stack: 4 bytes, or 2 with a 16-bit TSS. */
export function pushTaskError(code: u32, ext: u32): void {
  setCommitted(true);
  beginFrame(ext);
  pushFrame(isWide(segmentAttributes(SEG_TR)) ? 4 : 2, code);
  commitFrame();
  setCommitted(false);
}
