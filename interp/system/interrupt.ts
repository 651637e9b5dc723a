/**
 * Event delivery: exceptions, external interrupts, NMI and software interrupts through the real-mode vector table, 16- and
 * 32-bit gates with TSS stacks, and the 64-bit IDT with IST (SDM vol. 3A, chapter 6; 21.1.4 for real mode).
 *
 * All checks and pushes come before any change of state, so that a fault on the way finds the boundary before the event.
 */
import { holdStep, setRip } from '../control';
import { enterDebugHandler, reportDebug } from '../debug';
import {
  VECTOR_DB, VECTOR_DE, VECTOR_DF, VECTOR_GP, VECTOR_NMI, VECTOR_NP, VECTOR_PF, VECTOR_TS, leaveShutdown, raiseVector,
} from '../fault';
import {
  FLAG_AC, FLAG_IF, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VM, materializeFlags, setFlagsWhole,
} from '../flags';
import { CPU_GPR, CPU_IDTR, CPU_INTERRUPT_SHADOW, CPU_NMI_MASKED, CPU_RIP } from '../layout';
import { readSystem } from '../memory';
import { cpl, longMode, protectedMode, virtual8086 } from '../mode';
import { ATTRIBUTE_DB, ATTRIBUTE_L, REG_RSP, SEG_CS, SEG_SS, segmentSelector } from '../registers';
import { accessedCode, checkCodeOffset, setCode, setRealCode } from './code';
import {
  TYPE_INTERRUPT_GATE16, TYPE_INTERRUPT_GATE32, TYPE_TASK_GATE, TYPE_TRAP_GATE16, TYPE_TRAP_GATE32, attributesDpl,
  attributesType, descriptorAttributes, isCode, isConformingCode, isNullSelector, isPresent, isSegment, raiseSelector,
  readDescriptor, wrapLinear,
} from './descriptor';
import { beginFrame, beginFrame64, beginInnerFrame, commitFrame, pushFrame } from './frame';
import { setFromDescriptor, setNullStack } from './load';
import { checkInnerStack, innerPointer, innerSelector, readInnerStack, readInterruptStack64, readPrivilegeStack64 } from './stacks';
import { SWITCH_EVENT, pushTaskError, readGateTask, switchTask } from './task-switch';
import { dropVirtualSegments, pushVirtualSegments } from './virtual';

/** No exception is being delivered. */
const NONE: u32 = 0xffffffff;
/** The exception whose delivery is under way: an exception that it raises is judged by it. */
let underDelivery: u32 = NONE;

/** The event under way. */
let eventVector: u32 = 0;
let eventHasCode: bool = false;
let eventCode: u32 = 0;
/** INT n, INT3, INTO: the gate's DPL counts. */
let eventSoftware: bool = false;
/** EXT bit of error codes that the delivery itself raises (SDM vol. 3A, 6.13). */
let eventExt: u32 = 0;
/** RIP and RFLAGS to push. */
let eventRip: u64 = 0;
let eventFlags: u64 = 0;

/** Contributory exceptions (SDM vol. 3A, table 6-4). */
function isContributory(vector: u32): bool {
  return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/** Table 6-5: do `first` and then `second` make a double fault? */
function makesDoubleFault(first: u32, second: u32): bool {
  if (isContributory(first)) return isContributory(second);
  return first == VECTOR_PF && (second == VECTOR_PF || isContributory(second));
}

/**
 * Delivers an exception at the boundary CPU_RIP. If the delivery of another exception raised it, the two combine to a double
 * fault or to a shutdown (SDM vol. 3A, 6.15).
 */
export function deliverException(vector: u32, hasCode: bool, code: u32): void {
  // Faults push RF set, so that the instruction does not meet its breakpoint again (SDM vol. 3B, 17.3.1.1).
  deliverWith(vector, hasCode, code, FLAG_RF);
}

/**
 * Delivers a debug trap, or the fault of an instruction breakpoint, which leaves RF to its handler: DR6 gets `bits`. RF is pushed set
 * only between the iterations of a REP instruction (17.3.1.1).
 */
export function deliverDebug(bits: u64, betweenIterations: bool): void {
  reportDebug(bits);
  deliverWith(VECTOR_DB, false, 0, betweenIterations ? FLAG_RF : 0);
}

function deliverWith(vector: u32, hasCode: bool, code: u32, resume: u64): void {
  let actual = vector;
  let actualHasCode = hasCode;
  let actualCode = code;
  const first = underDelivery;
  underDelivery = NONE;
  if (first == VECTOR_DF) leaveShutdown();
  if (first != NONE && makesDoubleFault(first, vector)) {
    actual = VECTOR_DF;
    actualHasCode = true;
    actualCode = 0;
  }
  underDelivery = actual;
  const flags = materializeFlags();
  beginEvent(actual, false, 1, load<u64>(CPU_RIP), actual == VECTOR_DF ? flags : flags | resume);
  eventHasCode = actualHasCode;
  eventCode = actualCode;
  deliver();
  if (actual == VECTOR_DB) enterDebugHandler();
  underDelivery = NONE;
}

/**
 * Delivers an external interrupt at the boundary CPU_RIP; `betweenIterations`: of a REP instruction, where RF is pushed set (SDM vol. 3B,
 * 17.3.1.1).
 */
export function deliverInterrupt(vector: u32, betweenIterations: bool): void {
  underDelivery = NONE;
  const flags = materializeFlags();
  beginEvent(vector, false, 1, load<u64>(CPU_RIP), betweenIterations ? flags | FLAG_RF : flags);
  deliver();
}

/** Delivers a non-maskable interrupt; further ones wait for IRET. */
export function deliverNmi(betweenIterations: bool): void {
  deliverInterrupt(VECTOR_NMI, betweenIterations);
  store<u32>(CPU_NMI_MASKED, 1);
}

/** INT n, INT3, INTO (`software`), or INT1, which no DPL guards. `back` is RIP of the instruction behind. */
export function deliverSoftware(vector: u32, software: bool, back: u64): void {
  underDelivery = NONE;
  holdStep();
  beginEvent(vector, software, software ? 0 : 1, back, materializeFlags());
  deliver();
}

function beginEvent(vector: u32, software: bool, ext: u32, rip: u64, flags: u64): void {
  eventVector = vector;
  eventSoftware = software;
  eventExt = ext;
  eventRip = rip;
  eventFlags = flags;
  eventHasCode = false;
  eventCode = 0;
}

function deliver(): void {
  if (protectedMode() || virtual8086()) deliverThroughGate();
  else deliverReal();
  store<u32>(CPU_INTERRUPT_SHADOW, 0);
}

/** An error that the IDT entry itself is the cause of. */
function raiseEntry(vector: u32): void {
  raiseVector(vector, true, eventVector * 8 + 2 + eventExt);
}

function deliverReal(): void {
  const vector = eventVector;
  if (vector * 4 + 3 > load<u32>(CPU_IDTR, 8)) raiseEntry(VECTOR_GP);
  const entry = readSystem<u32>(wrapLinear(load<u64>(CPU_IDTR) + vector * 4));
  beginFrame(0);
  pushFrame(2, eventFlags);
  pushFrame(2, segmentSelector(SEG_CS));
  pushFrame(2, eventRip);
  const target = entry >> 16;
  const rip = <u64>(entry & 0xffff);
  setRealCode(target, rip);
  commitFrame();
  setFlagsWhole(materializeFlags() & ~(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF));
  setRip(rip);
}

/** Size of what a gate type pushes: 2, 4 or 8; 0 for a task gate; anything else is #GP. */
function gateSize(type: u32): u32 {
  if (type == TYPE_INTERRUPT_GATE32 || type == TYPE_TRAP_GATE32) return longMode() ? 8 : 4;
  if (!longMode() && (type == TYPE_INTERRUPT_GATE16 || type == TYPE_TRAP_GATE16)) return 2;
  if (longMode() || type != TYPE_TASK_GATE) raiseEntry(VECTOR_GP);
  return 0;
}

function deliverThroughGate(): void {
  const ext = eventExt;
  const entryBytes: u32 = longMode() ? 16 : 8;
  const at = eventVector * entryBytes;
  if (at + entryBytes - 1 > load<u32>(CPU_IDTR, 8)) raiseEntry(VECTOR_GP);
  const linear = wrapLinear(load<u64>(CPU_IDTR) + at);
  const gate = readSystem<u64>(linear);
  const gateAttributes = descriptorAttributes(gate);
  const type = attributesType(gateAttributes);
  if (isSegment(gateAttributes)) raiseEntry(VECTOR_GP);
  const size = gateSize(type);
  if (eventSoftware && attributesDpl(gateAttributes) < cpl()) raiseEntry(VECTOR_GP);
  if (!isPresent(gateAttributes)) raiseEntry(VECTOR_NP);
  if (size == 0) {
    deliverToTask(<u32>(gate >> 16) & 0xffff);
    return;
  }

  const selector = <u32>(gate >> 16) & 0xffff;
  let offset = gate & 0xffff;
  if (size >= 4) offset |= (gate >> 32) & 0xffff0000;
  if (size == 8) offset |= <u64>readSystem<u32>(linear + 8) << 32;
  if (isNullSelector(selector)) raiseVector(VECTOR_GP, true, ext);
  const descriptor = readDescriptor(selector, VECTOR_GP, ext);
  const attributes = descriptorAttributes(descriptor);
  const dpl = attributesDpl(attributes);
  if (!isCode(attributes) || dpl > cpl()) raiseSelector(VECTOR_GP, selector, ext);
  // From virtual-8086 mode only to privilege 0 (SDM vol. 3A, 21.3.1).
  if (virtual8086() && (isConformingCode(attributes) || dpl != 0)) raiseSelector(VECTOR_GP, selector, ext);
  const wide = attributes & (ATTRIBUTE_L | ATTRIBUTE_DB);
  if (size == 8 && wide != ATTRIBUTE_L) raiseSelector(VECTOR_GP, selector, ext);
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, ext);
  const privilege = isConformingCode(attributes) ? cpl() : dpl;

  if (size == 8) enter64(selector, descriptor, privilege, offset, <u32>(gate >> 32) & 7);
  else if (privilege < cpl()) enterInner(selector, descriptor, privilege, offset, size);
  else enterSame(selector, descriptor, privilege, offset, size);

  const cleared = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | ((type & 1) == 0 ? FLAG_IF : 0);
  setFlagsWhole(materializeFlags() & ~cleared);
}

/** Through a task gate (SDM vol. 3A, 6.12.2). */
function deliverToTask(selector: u32): void {
  const ext = eventExt;
  const hasCode = eventHasCode;
  const code = eventCode;
  switchTask(selector, readGateTask(selector, ext), SWITCH_EVENT, eventRip, eventFlags, ext);
  if (hasCode) pushTaskError(code, ext);
}

/** Flags, return address and error code: the part of the frame that every gate pushes. */
function pushReturn(size: u32): void {
  pushFrame(size, eventFlags);
  pushFrame(size, segmentSelector(SEG_CS));
  pushFrame(size, eventRip);
  if (eventHasCode) pushFrame(size, eventCode);
}

function enterSame(selector: u32, descriptor: u64, privilege: u32, offset: u64, size: u32): void {
  checkCodeOffset(descriptor, offset, eventExt);
  const code = accessedCode(selector, descriptor);
  beginFrame(eventExt);
  pushReturn(size);
  commitFrame();
  setCode(selector, code, privilege, offset);
}

function enterInner(selector: u32, descriptor: u64, privilege: u32, offset: u64, size: u32): void {
  const ext = eventExt;
  readInnerStack(privilege, ext);
  const stackSelector = innerSelector;
  const stack = checkInnerStack(privilege, ext);
  checkCodeOffset(descriptor, offset, ext);
  const code = accessedCode(selector, descriptor);
  beginInnerFrame(stack, innerPointer, (stackSelector & 0xfffc) | ext);
  const virtual = virtual8086();
  if (virtual) pushVirtualSegments(size);
  pushFrame(size, segmentSelector(SEG_SS));
  pushFrame(size, load<u64>(CPU_GPR + REG_RSP));
  pushReturn(size);
  if (virtual) dropVirtualSegments();
  setFromDescriptor(SEG_SS, stackSelector, stack);
  commitFrame();
  setCode(selector, code, privilege, offset);
}

/** IA-32e mode (SDM vol. 3A, 6.14.2 to 6.14.5): the stack is always pushed, and aligned before. */
function enter64(selector: u32, descriptor: u64, privilege: u32, offset: u64, ist: u32): void {
  const ext = eventExt;
  const inner = privilege < cpl();
  let pointer = load<u64>(CPU_GPR + REG_RSP);
  if (ist != 0) pointer = readInterruptStack64(ist, ext);
  else if (inner) pointer = readPrivilegeStack64(privilege, ext);
  checkCodeOffset(descriptor, offset, ext);
  const code = accessedCode(selector, descriptor);
  beginFrame64(pointer & ~0xf, privilege, ext);
  pushFrame(8, segmentSelector(SEG_SS));
  pushFrame(8, load<u64>(CPU_GPR + REG_RSP));
  pushReturn(8);
  if (inner) setNullStack(privilege, privilege);
  commitFrame();
  setCode(selector, code, privilege, offset);
}
