/** LAR, LSL, VERR, VERW, ARPL: looking at selectors without loading them (SDM vol. 2; vol. 3A, 5.10). */
import { setZF } from '../flags';
import { readOperand, readSystem, writeOperand } from '../memory';
import { cpl, longMode } from '../mode';
import { opReg, opRm } from '../op';
import { getReg, setReg } from '../registers';
import {
  TYPE_CALL_GATE16, TYPE_CALL_GATE32, TYPE_LDT, TYPE_READABLE, TYPE_TASK_GATE, TYPE_TSS16, TYPE_TSS16_BUSY, TYPE_TSS32,
  TYPE_TSS32_BUSY, TYPE_WRITABLE, attributesDpl, attributesType, descriptorAddress, descriptorAttributes,
  descriptorLimit, inTable, isCode, isConformingCode, isNullSelector, isSegment,
} from './descriptor';
import { requireProtected } from './privilege';

/** The descriptor, if the selector names one and the privilege levels let the guest see it; else 0. */
function visibleDescriptor(selector: u32): u64 {
  if (isNullSelector(selector) || !inTable(selector, 8)) return 0;
  const descriptor = readSystem<u64>(descriptorAddress(selector));
  const attributes = descriptorAttributes(descriptor);
  const dpl = attributesDpl(attributes);
  if (!isConformingCode(attributes) && (dpl < cpl() || dpl < (selector & 3))) return 0;
  return descriptor;
}

/** Does LAR know this system descriptor? */
function rightsKnown(type: u32): bool {
  if (type == TYPE_LDT || type == TYPE_TSS32 || type == TYPE_TSS32_BUSY || type == TYPE_CALL_GATE32) return true;
  if (longMode()) return false;
  return type == TYPE_TSS16 || type == TYPE_TSS16_BUSY || type == TYPE_CALL_GATE16 || type == TYPE_TASK_GATE;
}

/** Does LSL? */
function limitKnown(type: u32): bool {
  if (type == TYPE_LDT || type == TYPE_TSS32 || type == TYPE_TSS32_BUSY) return true;
  return !longMode() && (type == TYPE_TSS16 || type == TYPE_TSS16_BUSY);
}

/** The upper half of a system descriptor of IA-32e mode must lie in the table too. */
function complete(selector: u32, attributes: u32): bool {
  return isSegment(attributes) || !longMode() || inTable(selector, 16);
}

function accessRights<T>(op: usize, selector: u32): void {
  requireProtected();
  const descriptor = visibleDescriptor(selector);
  const attributes = descriptorAttributes(descriptor);
  const known = isSegment(attributes) || rightsKnown(attributesType(attributes));
  if (descriptor == 0 || !known || !complete(selector, attributes)) {
    setZF(0);
    return;
  }
  setZF(1);
  setReg<T>(opReg(op), <T>(<u32>(descriptor >> 32) & 0x00ffff00));
}

function segmentLimitOf<T>(op: usize, selector: u32): void {
  requireProtected();
  const descriptor = visibleDescriptor(selector);
  const attributes = descriptorAttributes(descriptor);
  const known = isSegment(attributes) || limitKnown(attributesType(attributes));
  if (descriptor == 0 || !known || !complete(selector, attributes)) {
    setZF(0);
    return;
  }
  setZF(1);
  setReg<T>(opReg(op), <T>descriptorLimit(descriptor));
}

/** `0F 02 /r` */
export function accessRightsReg<T>(op: usize): void {
  accessRights<T>(op, getReg<u16>(opRm(op)));
}

/** `0F 02 /r` */
export function accessRightsMem<T>(op: usize): void {
  requireProtected();
  accessRights<T>(op, readOperand<u16>(op));
}

/** `0F 03 /r` */
export function segmentLimitReg<T>(op: usize): void {
  segmentLimitOf<T>(op, getReg<u16>(opRm(op)));
}

/** `0F 03 /r` */
export function segmentLimitMem<T>(op: usize): void {
  requireProtected();
  segmentLimitOf<T>(op, readOperand<u16>(op));
}

function verify(selector: u32, write: bool): void {
  const attributes = descriptorAttributes(visibleDescriptor(selector));
  let fine: bool;
  if (!isSegment(attributes)) fine = false;
  else if (isCode(attributes)) fine = !write && (attributes & TYPE_READABLE) != 0;
  else fine = !write || (attributes & TYPE_WRITABLE) != 0;
  setZF(<u32>fine);
}

/** `0F 00 /4` (read) and `0F 00 /5` (write) */
export function verifyReg(op: usize, write: bool): void {
  requireProtected();
  verify(getReg<u16>(opRm(op)), write);
}

/** The same of a selector in memory. */
export function verifyMem(op: usize, write: bool): void {
  requireProtected();
  verify(readOperand<u16>(op), write);
}

/** `63 /r`: raises the RPL of the destination to that of the source. */
export function adjustRplReg(op: usize): void {
  requireProtected();
  const selector = getReg<u16>(opRm(op));
  const rpl = getReg<u16>(opReg(op)) & 3;
  const adjust = (selector & 3) < rpl;
  if (adjust) setReg<u16>(opRm(op), (selector & ~3) | rpl);
  setZF(<u32>adjust);
}

/** `63 /r` */
export function adjustRplMem(op: usize): void {
  requireProtected();
  // Read first, and written only if it changes (as on AMD's processors): a read-only selector that fits is no fault.
  const selector = readOperand<u16>(op);
  const rpl = getReg<u16>(opReg(op)) & 3;
  const adjust = (selector & 3) < rpl;
  if (adjust) writeOperand<u16>(op, (selector & ~3) | rpl);
  setZF(<u32>adjust);
}
