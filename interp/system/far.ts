/** Far JMP, CALL and RET (SDM vol. 2; vol. 3A, 5.8). */
import { CPU_GPR } from '../layout';
import { VECTOR_GP, VECTOR_NP, raiseGP } from '../fault';
import { nextRip } from '../control';
import { materializeFlags } from '../flags';
import { isAmd } from '../execute/vendor';
import { cutAddress, effectiveAddress, readSegment, setStackPointer } from '../memory';
import { cpl, longMode, mode64, protectedMode, stackSize } from '../mode';
import { opAddressSize, opImm, opImm2, opOperandSize, opSegment } from '../op';
import { REG_RSP, SEG_CS, SEG_SS, segmentLimit, segmentSelector } from '../registers';
import {
  accessedCode, checkCodeOffset, checkDirectCode, checkReturnCode, isCode64, setCode, setRealCode,
} from './code';
import {
  TYPE_CALL_GATE16, TYPE_CALL_GATE32, TYPE_TASK_GATE, TYPE_TSS16, TYPE_TSS16_BUSY, TYPE_TSS32, TYPE_TSS32_BUSY,
  attributesDpl, attributesType, descriptorAttributes, isCode, isConformingCode, isNullSelector, isPresent, isSegment,
  raiseSelector, readDescriptor, readDescriptorUpper,
} from './descriptor';
import { beginFrame, beginFrame64, beginInnerFrame, commitFrame, pushFrame, setStackPointerSized } from './frame';
import { checkStackSegment, setFromDescriptor, setNullStack } from './load';
import { dropUnreachableSegments } from './outer';
import { peekLast, peekStack } from './stack-values';
import { checkInnerStack, innerPointer, innerSelector, readInnerStack, readPrivilegeStack64 } from './stacks';
import { SWITCH_CALL, SWITCH_JUMP, readGateTask, switchTask } from './task-switch';

/** The gate or task descriptor that a far transfer met instead of code. */
function checkSystemTarget(selector: u32, attributes: u32): void {
  const type = attributesType(attributes);
  const gate = type == TYPE_CALL_GATE32 || (!longMode() && (type == TYPE_CALL_GATE16 || type == TYPE_TASK_GATE));
  const task = !longMode() && (type == TYPE_TSS16 || type == TYPE_TSS32);
  const busy = type == TYPE_TSS16_BUSY || type == TYPE_TSS32_BUSY;
  if (!gate && !task) raiseSelector(VECTOR_GP, selector, 0);
  if (busy) raiseSelector(VECTOR_GP, selector, 0);
  const dpl = attributesDpl(attributes);
  if (dpl < cpl() || dpl < (selector & 3)) raiseSelector(VECTOR_GP, selector, 0);
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, 0);
}

/** Switches tasks if the descriptor that a far transfer met, checked by {@link checkSystemTarget}, is a TSS or a task gate. */
function enteredTask(selector: u32, descriptor: u64, cause: u32): bool {
  const type = attributesType(descriptorAttributes(descriptor));
  if (type == TYPE_TASK_GATE) {
    const target = <u32>(descriptor >> 16) & 0xffff;
    switchTask(target, readGateTask(target, 0), cause, nextRip(), materializeFlags(), 0);
  } else if (type == TYPE_TSS16 || type == TYPE_TSS32) {
    if ((selector & 4) != 0) raiseSelector(VECTOR_GP, selector, 0);
    switchTask(selector, descriptor, cause, nextRip(), materializeFlags(), 0);
  } else return false;
  return true;
}

let gateOffset: u64 = 0;
let gateSelector: u32 = 0;

/** Reads the call gate, and returns the descriptor of the code segment behind it, checked but for DPL. */
function readCallGate(selector: u32, gate: u64): u64 {
  gateSelector = <u32>(gate >> 16) & 0xffff;
  gateOffset = gate & 0xffff;
  if (attributesType(descriptorAttributes(gate)) == TYPE_CALL_GATE32) gateOffset |= (gate >> 32) & 0xffff0000;
  if (longMode()) {
    const upper = readDescriptorUpper(selector, VECTOR_GP, 0);
    if (((upper >> 40) & 0x1f) != 0) raiseSelector(VECTOR_GP, selector, 0);
    gateOffset |= upper << 32;
  }
  if (isNullSelector(gateSelector)) raiseGP(0);
  const code = readDescriptor(gateSelector, VECTOR_GP, 0);
  const attributes = descriptorAttributes(code);
  if (!isCode(attributes) || attributesDpl(attributes) > cpl()) raiseSelector(VECTOR_GP, gateSelector, 0);
  if (longMode() && (attributes & 0x6000) != 0x2000) raiseSelector(VECTOR_GP, gateSelector, 0);
  return code;
}

function farJump(selector: u32, offset: u64): void {
  if (!protectedMode()) {
    setRealCode(selector, offset);
    return;
  }
  if (isNullSelector(selector)) raiseGP(0);
  let descriptor = readDescriptor(selector, VECTOR_GP, 0);
  let target = selector;
  let rip = offset;
  let attributes = descriptorAttributes(descriptor);
  if (isSegment(attributes)) {
    if (!isCode(attributes)) raiseSelector(VECTOR_GP, selector, 0);
    checkDirectCode(selector, attributes, cpl());
  } else {
    checkSystemTarget(selector, attributes);
    if (enteredTask(selector, descriptor, SWITCH_JUMP)) return;
    descriptor = readCallGate(selector, descriptor);
    target = gateSelector;
    rip = gateOffset;
    attributes = descriptorAttributes(descriptor);
    if (!isConformingCode(attributes) && attributesDpl(attributes) != cpl()) raiseSelector(VECTOR_GP, target, 0);
    if (!isPresent(attributes)) raiseSelector(VECTOR_NP, target, 0);
  }
  checkCodeOffset(descriptor, rip, 0);
  setCode(target, accessedCode(target, descriptor), cpl(), rip);
}

function farCall(selector: u32, offset: u64, size: u32): void {
  const back = nextRip();
  if (!protectedMode()) {
    if (offset > <u64>segmentLimit(SEG_CS)) raiseGP(0);
    beginFrame(0);
    pushFrame(size, segmentSelector(SEG_CS));
    pushFrame(size, back);
    commitFrame();
    setRealCode(selector, offset);
    return;
  }
  if (isNullSelector(selector)) raiseGP(0);
  const descriptor = readDescriptor(selector, VECTOR_GP, 0);
  const attributes = descriptorAttributes(descriptor);
  if (!isSegment(attributes)) {
    checkSystemTarget(selector, attributes);
    if (!enteredTask(selector, descriptor, SWITCH_CALL)) callGate(selector, descriptor, back);
    return;
  }
  if (!isCode(attributes)) raiseSelector(VECTOR_GP, selector, 0);
  checkDirectCode(selector, attributes, cpl());
  // AMD's processors have pushed when they look at the offset.
  if (!isAmd) checkCodeOffset(descriptor, offset, 0);
  const code = accessedCode(selector, descriptor);
  // And they push as the mode does that the new CS makes.
  beginFrame(0, mode64() && (!isAmd || isCode64(attributes)));
  pushFrame(size, segmentSelector(SEG_CS));
  pushFrame(size, back);
  if (isAmd) checkCodeOffset(descriptor, offset, 0);
  commitFrame();
  setCode(selector, code, cpl(), offset);
}

/** CALL through a call gate (SDM vol. 3A, 5.8.4 and 5.8.5). */
function callGate(selector: u32, gate: u64, back: u64): void {
  const type = attributesType(descriptorAttributes(gate));
  const size: u32 = longMode() ? 8 : type == TYPE_CALL_GATE32 ? 4 : 2;
  const parameters = <u32>(gate >> 32) & 31;
  const descriptor = readCallGate(selector, gate);
  const attributes = descriptorAttributes(descriptor);
  const target = gateSelector;
  const rip = gateOffset;
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, target, 0);
  const dpl = attributesDpl(attributes);
  if (isConformingCode(attributes) || dpl == cpl()) {
    checkCodeOffset(descriptor, rip, 0);
    const code = accessedCode(target, descriptor);
    if (size == 8) beginFrame64(load<u64>(CPU_GPR + REG_RSP), cpl(), 0);
    else beginFrame(0);
    pushFrame(size, segmentSelector(SEG_CS));
    pushFrame(size, back);
    commitFrame();
    setCode(target, code, cpl(), rip);
  } else if (size == 8) callInner64(target, descriptor, dpl, rip, back);
  else callInner(target, descriptor, dpl, rip, back, size, parameters);
}

function callInner64(target: u32, descriptor: u64, dpl: u32, rip: u64, back: u64): void {
  const stack = readPrivilegeStack64(dpl, 0);
  checkCodeOffset(descriptor, rip, 0);
  const code = accessedCode(target, descriptor);
  beginFrame64(stack, dpl, 0);
  pushFrame(8, segmentSelector(SEG_SS));
  pushFrame(8, load<u64>(CPU_GPR + REG_RSP));
  pushFrame(8, segmentSelector(SEG_CS));
  pushFrame(8, back);
  setNullStack(dpl, dpl);
  commitFrame();
  setCode(target, code, dpl, rip);
}

function callInner(
  target: u32, descriptor: u64, dpl: u32, rip: u64, back: u64, size: u32, parameters: u32,
): void {
  readInnerStack(dpl, 0);
  const stackSelector = innerSelector;
  const stack = checkInnerStack(dpl, 0);
  checkCodeOffset(descriptor, rip, 0);
  const code = accessedCode(target, descriptor);
  const pointer = load<u64>(CPU_GPR + REG_RSP);
  beginInnerFrame(stack, innerPointer, stackSelector & 0xfffc);
  pushFrame(size, segmentSelector(SEG_SS));
  pushFrame(size, pointer);
  for (let i: u32 = parameters; i > 0; i--) {
    const at = cutAddress(pointer + (i - 1) * size, stackSize());
    pushFrame(size, size == 4 ? <u64>readSegment<u32>(SEG_SS, at) : <u64>readSegment<u16>(SEG_SS, at));
  }
  pushFrame(size, segmentSelector(SEG_CS));
  pushFrame(size, back);
  setFromDescriptor(SEG_SS, stackSelector, stack);
  commitFrame();
  setCode(target, code, dpl, rip);
}

function farReturn(size: u32, release: u32): void {
  peekLast(1, size);
  const rip = peekStack(0, size);
  const selector = <u32>peekStack(<i32>size, size) & 0xffff;
  if (!protectedMode()) {
    setRealCode(selector, rip);
    setStackPointer(load<u64>(CPU_GPR + REG_RSP) + size * 2 + release);
    return;
  }
  const privilege = selector & 3;
  // Another privilege: AMD's processors pop SS:RSP before they look at the descriptor (APM vol. 3, RET far).
  if (isAmd && privilege != cpl()) {
    peekStack(<i32>(size * 3 + release), size);
    peekStack(<i32>(size * 2 + release), size);
  }
  if (isNullSelector(selector)) raiseGP(0);
  const descriptor = readDescriptor(selector, VECTOR_GP, 0);
  if (privilege < cpl()) raiseSelector(VECTOR_GP, selector, 0);
  checkReturnCode(selector, descriptorAttributes(descriptor));
  if (privilege == cpl()) {
    checkCodeOffset(descriptor, rip, 0);
    const code = accessedCode(selector, descriptor);
    setStackPointer(load<u64>(CPU_GPR + REG_RSP) + size * 2 + release);
    setCode(selector, code, privilege, rip);
    return;
  }
  const pointer = peekStack(<i32>(size * 2 + release), size);
  const stackSelector = <u32>peekStack(<i32>(size * 3 + release), size) & 0xffff;
  const to64 = isCode64(descriptorAttributes(descriptor));
  // AMD's processors look at RIP before SS (APM vol. 3, RET far).
  if (isAmd) checkCodeOffset(descriptor, rip, 0);
  let stack: u64 = 0;
  if (!isNullSelector(stackSelector)) stack = checkStackSegment(stackSelector, privilege);
  else if (!to64 || privilege == 3 || (stackSelector & 3) != privilege) raiseGP(0);
  checkCodeOffset(descriptor, rip, 0);
  const code = accessedCode(selector, descriptor);
  if (stack != 0) setFromDescriptor(SEG_SS, stackSelector, stack);
  else setNullStack(stackSelector, privilege);
  setCode(selector, code, privilege, rip);
  setStackPointerSized(size == 2 && stackSize() != 2 ? (pointer + release) & 0xffff : pointer + release, stackSize());
  dropUnreachableSegments(privilege);
}

/** `EA ptr`. */
export function jumpFarImmediate(op: usize): void {
  farJump(opImm2(op), farOffset(<u64>opImm(op), opOperandSize(op)));
}

/** `9A ptr`. */
export function callFarImmediate(op: usize): void {
  farCall(opImm2(op), farOffset(<u64>opImm(op), opOperandSize(op)), opOperandSize(op));
}

function farOffset(offset: u64, size: u32): u64 {
  return cutAddress(offset, size);
}

/** Bytes of the offset: AMD's processors have no 16:64 pointers, REX.W is 16:32 (APM vol. 3, LFS). */
// @ts-ignore: decorator
@inline
function farPointerSize(op: usize): u32 {
  const size = opOperandSize(op);
  return isAmd && size == 8 ? 4 : size;
}

/** The selector that follows the offset in a far pointer in memory; its address wraps at the address size. */
export function farPointerSelector(op: usize): u32 {
  return readSegment<u16>(opSegment(op), cutAddress(effectiveAddress(op) + farPointerSize(op), opAddressSize(op)));
}

/** The offset of a far pointer in memory. */
export function farPointerOffset(op: usize): u64 {
  const at = effectiveAddress(op);
  const size = farPointerSize(op);
  if (size == 8) return readSegment<u64>(opSegment(op), at);
  return size == 4 ? <u64>readSegment<u32>(opSegment(op), at) : <u64>readSegment<u16>(opSegment(op), at);
}

/** `FF /5`. */
export function jumpFarMemory(op: usize): void {
  const offset = farPointerOffset(op);
  farJump(farPointerSelector(op), offset);
}

/** `FF /3`. */
export function callFarMemory(op: usize): void {
  const offset = farPointerOffset(op);
  farCall(farPointerSelector(op), offset, opOperandSize(op));
}

/** `CB`. */
export function returnFar(op: usize): void {
  farReturn(opOperandSize(op), 0);
}

/** `CA iw`. */
export function returnFarRelease(op: usize): void {
  farReturn(opOperandSize(op), <u32>opImm(op) & 0xffff);
}
