/** Loading CS and RIP together (SDM vol. 3A, 5.8 and 5.8.1; vol. 2, JMP, CALL, RET, IRET). */
import { canonical, setRip } from '../control';
import { VECTOR_GP, VECTOR_NP, raiseGP, raiseVector } from '../fault';
import { longMode, updateMode } from '../mode';
import { ATTRIBUTE_DB, ATTRIBUTE_L, SEG_CS, segmentAttributes, segmentLimit, setSegment } from '../registers';
import {
  attributesDpl, descriptorAttributes, descriptorBase, descriptorLimit, isCode, isConformingCode, isPresent,
  markAccessed, raiseSelector,
} from './descriptor';

/** CS descriptor of 64-bit mode: IA-32e mode is active and L is set. */
export function isCode64(attributes: u32): bool {
  return longMode() && (attributes & ATTRIBUTE_L) != 0;
}

/** L and D both set are reserved in IA-32e mode: #GP(selector) (SDM vol. 3A, 5.2.1). */
export function checkCodeLong(selector: u32, attributes: u32): void {
  if (longMode() && (attributes & ATTRIBUTE_L) != 0 && (attributes & ATTRIBUTE_DB) != 0) {
    raiseSelector(VECTOR_GP, selector, 0);
  }
}

/** The rules of a direct far JMP or CALL to a code segment at the current privilege `privilege`. */
export function checkDirectCode(selector: u32, attributes: u32, privilege: u32): void {
  const dpl = attributesDpl(attributes);
  if (isConformingCode(attributes)) {
    if (dpl > privilege) raiseSelector(VECTOR_GP, selector, 0);
  } else if ((selector & 3) > privilege || dpl != privilege) raiseSelector(VECTOR_GP, selector, 0);
  checkCodeLong(selector, attributes);
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, 0);
}

/** The rules of a far return or IRET: the selector's RPL is the privilege to return to. */
export function checkReturnCode(selector: u32, attributes: u32): void {
  const rpl = selector & 3;
  const dpl = attributesDpl(attributes);
  if (!isCode(attributes)) raiseSelector(VECTOR_GP, selector, 0);
  if (isConformingCode(attributes) ? dpl > rpl : dpl != rpl) raiseSelector(VECTOR_GP, selector, 0);
  checkCodeLong(selector, attributes);
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, 0);
}

/** The new RIP must lie in the new code segment, or be canonical: else #GP(ext). */
export function checkCodeOffset(descriptor: u64, offset: u64, ext: u32): void {
  const inside = isCode64(descriptorAttributes(descriptor)) ? canonical(offset) : offset <= descriptorLimit(descriptor);
  if (!inside) raiseVector(VECTOR_GP, true, ext);
}

/** Loads CS (its RPL field becomes `privilege`) and RIP; everything was checked. The caller loads SS first if it changes. */
export function setCode(selector: u32, descriptor: u64, privilege: u32, rip: u64): void {
  setSegment(
    SEG_CS, <u16>((selector & 0xfffc) | privilege), descriptorBase(descriptor), descriptorLimit(descriptor),
    descriptorAttributes(descriptor),
  );
  updateMode();
  setRip(rip);
}

/** Real and virtual-8086 mode: CS and IP; IP past the limit is #GP(0). */
export function setRealCode(selector: u32, offset: u64): void {
  if (offset > <u64>segmentLimit(SEG_CS)) raiseGP(0);
  setSegment(SEG_CS, <u16>selector, <u64>selector << 4, segmentLimit(SEG_CS), segmentAttributes(SEG_CS));
  updateMode();
  setRip(offset);
}

/** Marks a code descriptor accessed, returning what to load. */
export function accessedCode(selector: u32, descriptor: u64): u64 {
  return markAccessed(selector, descriptor);
}
