/**
 * Loading segment registers (SDM vol. 3A, 3.4.3 and 5.5 to 5.7; vol. 2, MOV, POP, LDS/LES/LFS/LGS/LSS). Every function here
 * either raises and has changed nothing, or has loaded the register.
 */
import { VECTOR_GP, VECTOR_NP, VECTOR_SS, raiseGP } from '../fault';
import { cpl, mode64, protectedMode, updateMode } from '../mode';
import {
  ATTRIBUTE_DPL_SHIFT, ATTRIBUTE_UNUSABLE, SEG_SS, segmentAttributes, segmentLimit, setSegment,
} from '../registers';
import {
  TYPE_READABLE, attributesDpl, descriptorAttributes, descriptorBase, descriptorLimit, isCode, isConformingCode,
  isNullSelector, isPresent, isSegment, isWritableData, markAccessed, raiseSelector, readDescriptor,
} from './descriptor';

/** Real and virtual-8086 mode: the base follows the selector; limit and attributes stay (SDM vol. 3A, 21.1.1). */
export function loadRealSegment(index: u32, selector: u32): void {
  setSegment(index, <u16>selector, <u64>selector << 4, segmentLimit(index), segmentAttributes(index));
}

/** What virtual-8086 mode's segments are: 64 KiB, readable and writable data of ring 3 (SDM vol. 3A, 21.2.1). */
const VIRTUAL_ATTRIBUTES: u32 = 0xf3;

/** A segment register on entry to virtual-8086 mode. */
export function setVirtualSegment(index: u32, selector: u32): void {
  setSegment(index, <u16>selector, <u64>selector << 4, 0xffff, VIRTUAL_ATTRIBUTES);
}

/** Puts a descriptor that has passed all checks into a segment register. */
export function setFromDescriptor(index: u32, selector: u32, descriptor: u64): void {
  setSegment(
    index, <u16>selector, descriptorBase(descriptor), descriptorLimit(descriptor), descriptorAttributes(descriptor),
  );
}

/** A null selector in DS, ES, FS or GS. */
export function setNullSegment(index: u32, selector: u32): void {
  setSegment(index, <u16>selector, 0, 0, ATTRIBUTE_UNUSABLE);
}

/** A null selector in SS, which 64-bit mode allows: it keeps the privilege level as its DPL. */
export function setNullStack(selector: u32, privilege: u32): void {
  setSegment(SEG_SS, <u16>selector, 0, 0, ATTRIBUTE_UNUSABLE | (privilege << ATTRIBUTE_DPL_SHIFT));
}

/** Checks a stack segment for privilege `privilege`, of a far return or a load of SS; returns it marked as accessed. */
export function checkStackSegment(selector: u32, privilege: u32): u64 {
  const descriptor = readDescriptor(selector, VECTOR_GP, 0);
  const attributes = descriptorAttributes(descriptor);
  if ((selector & 3) != privilege || !isWritableData(attributes) || attributesDpl(attributes) != privilege) {
    raiseSelector(VECTOR_GP, selector, 0);
  }
  if (!isPresent(attributes)) raiseSelector(VECTOR_SS, selector, 0);
  return markAccessed(selector, descriptor);
}

function loadStackSegment(selector: u32): void {
  const privilege = cpl();
  if (isNullSelector(selector)) {
    if (!mode64() || privilege == 3 || (selector & 3) != privilege) raiseGP(0);
    setNullStack(selector, privilege);
  } else {
    setFromDescriptor(SEG_SS, selector, checkStackSegment(selector, privilege));
  }
  updateMode();
}

function loadDataSegment(index: u32, selector: u32): void {
  if (isNullSelector(selector)) {
    setNullSegment(index, selector);
    return;
  }
  const descriptor = readDescriptor(selector, VECTOR_GP, 0);
  const attributes = descriptorAttributes(descriptor);
  const unreadable = isCode(attributes) && (attributes & TYPE_READABLE) == 0;
  if (!isSegment(attributes) || unreadable) raiseSelector(VECTOR_GP, selector, 0);
  if (!isConformingCode(attributes)) {
    const dpl = attributesDpl(attributes);
    if (dpl < (selector & 3) || dpl < cpl()) raiseSelector(VECTOR_GP, selector, 0);
  }
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, 0);
  setFromDescriptor(index, selector, markAccessed(selector, descriptor));
}

/** Loads ES, SS, DS, FS or GS with all checks of the current mode. */
export function loadSegment(index: u32, selector: u32): void {
  if (!protectedMode()) {
    loadRealSegment(index, selector);
    if (index == SEG_SS) updateMode();
  } else if (index == SEG_SS) loadStackSegment(selector);
  else loadDataSegment(index, selector);
}
