/** IRET, IRETD, IRETQ (SDM vol. 2; vol. 3A, 6.12.1 and 6.14.3). */
import { VECTOR_GP, raiseGP } from '../fault';
import { checkTarget, nextRip } from '../control';
import { isAmd } from '../execute/vendor';
import {
  FLAGS_STATUS, FLAG_AC, FLAG_DF, FLAG_ID, FLAG_IF, FLAG_IOPL, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VIF, FLAG_VIP, FLAG_VM,
  materializeFlags, setFlagsWhole,
} from '../flags';
import { CPU_GPR, CPU_NMI_MASKED } from '../layout';
import { setStackPointer } from '../memory';
import { cpl, longMode, mode64, protectedMode, stackSize, virtual8086 } from '../mode';
import { opOperandSize } from '../op';
import { REG_RSP, SEG_SS, controlFlags } from '../registers';
import { accessedCode, checkCodeOffset, checkReturnCode, isCode64, setCode, setRealCode } from './code';
import { descriptorAttributes, isNullSelector, raiseSelector, readDescriptor } from './descriptor';
import { setStackPointerSized } from './frame';
import { checkStackSegment, setFromDescriptor, setNullStack } from './load';
import { dropUnreachableSegments } from './outer';
import { peekLast, peekStack } from './stack-values';
import { returnToTask } from './task-switch';
import { returnToVirtual, returnVirtual } from './virtual';

/** Flags that IRET may change at privilege `privilege` with an operand of `size` bytes. */
function changeable(size: u32, privilege: u32): u64 {
  let mask: u64 = FLAGS_STATUS | FLAG_TF | FLAG_DF | FLAG_NT;
  if (size != 2) mask |= FLAG_RF | FLAG_AC | FLAG_ID;
  if (<u64>privilege <= (controlFlags() & FLAG_IOPL) >> 12) mask |= FLAG_IF;
  if (privilege == 0) {
    mask |= FLAG_IOPL;
    if (size != 2) mask |= FLAG_VIF | FLAG_VIP;
  }
  return mask;
}

function setReturnFlags(flags: u64, mask: u64): void {
  setFlagsWhole((materializeFlags() & ~mask) | (flags & mask));
}

/** `CF`. */
export function interruptReturn(op: usize): void {
  const size = opOperandSize(op);
  if (virtual8086()) returnVirtual(size);
  else if (protectedMode()) returnProtected(size);
  else returnReal(size);
  store<u32>(CPU_NMI_MASKED, 0);
}

function returnReal(size: u32): void {
  const rip = peekStack(0, size);
  const selector = <u32>peekStack(<i32>size, size) & 0xffff;
  const flags = peekStack(<i32>(size * 2), size);
  checkTarget(rip, 4);
  setStackPointer(load<u64>(CPU_GPR + REG_RSP) + size * 3);
  setRealCode(selector, rip);
  setReturnFlags(flags, changeable(size, 0) & ~(FLAG_VIF | FLAG_VIP));
}

function returnProtected(size: u32): void {
  if ((controlFlags() & FLAG_NT) != 0) {
    if (longMode()) raiseGP(0);
    returnToTask(nextRip(), materializeFlags());
    return;
  }
  const from = cpl();
  peekLast(2, size);
  peekLast(1, size);
  const selector = <u32>peekStack(<i32>size, size) & 0xffff;
  // AMD's processors pop SS:RSP before they look at the descriptor (APM vol. 3, IRET).
  if (mode64() || (selector & 3) != from) {
    peekLast(4, size);
    peekLast(3, size);
  }
  const rip = peekStack(0, size);
  const flags = peekStack(<i32>(size * 2), size);
  if (!longMode() && size == 4 && (flags & FLAG_VM) != 0 && from == 0) {
    returnToVirtual();
    return;
  }
  if (isNullSelector(selector)) raiseGP(0);
  const descriptor = readDescriptor(selector, VECTOR_GP, 0);
  const privilege = selector & 3;
  if (privilege < from) raiseSelector(VECTOR_GP, selector, 0);
  checkReturnCode(selector, descriptorAttributes(descriptor));
  const mask = changeable(size, from);
  if (mode64() || privilege > from) {
    returnWithStack(size, selector, descriptor, rip);
  } else {
    checkCodeOffset(descriptor, rip, 0);
    const code = accessedCode(selector, descriptor);
    setStackPointer(load<u64>(CPU_GPR + REG_RSP) + size * 3);
    setCode(selector, code, privilege, rip);
  }
  setReturnFlags(flags, mask);
}

/** To an outer privilege level, and from 64-bit mode always: SS:RSP is popped too. */
function returnWithStack(size: u32, selector: u32, descriptor: u64, rip: u64): void {
  const from = cpl();
  const privilege = selector & 3;
  const pointer = peekStack(<i32>(size * 3), size);
  const stackSelector = <u32>peekStack(<i32>(size * 4), size) & 0xffff;
  const empty = isNullSelector(stackSelector);
  if (isAmd) checkCodeOffset(descriptor, rip, 0);
  let stack: u64 = 0;
  if (!empty) stack = checkStackSegment(stackSelector, privilege);
  else if (!isCode64(descriptorAttributes(descriptor)) || privilege == 3) raiseGP(0);
  checkCodeOffset(descriptor, rip, 0);
  const code = accessedCode(selector, descriptor);
  if (empty) setNullStack(stackSelector, privilege);
  else setFromDescriptor(SEG_SS, stackSelector, stack);
  setCode(selector, code, privilege, rip);
  setStackPointerSized(pointer, stackSize());
  if (privilege > from) dropUnreachableSegments(privilege);
}
