/** Returning to an outer privilege level (SDM vol. 3A, 5.8.6). */
import { ATTRIBUTE_UNUSABLE, SEG_DS, SEG_ES, SEG_FS, SEG_GS, segmentAttributes, segmentBase, setSegment } from '../registers';
import { attributesDpl, isConformingCode } from './descriptor';

function dropSegment(index: u32, privilege: u32): void {
  const attributes = segmentAttributes(index);
  if ((attributes & ATTRIBUTE_UNUSABLE) != 0) return;
  if (attributesDpl(attributes) >= privilege || isConformingCode(attributes)) return;
  // The base stays: 64-bit mode uses that of FS and GS whatever the selector is.
  setSegment(index, 0, segmentBase(index), 0, ATTRIBUTE_UNUSABLE);
}

/** Makes ES, DS, FS and GS null where privilege `privilege` may not use what they hold. */
export function dropUnreachableSegments(privilege: u32): void {
  dropSegment(SEG_ES, privilege);
  dropSegment(SEG_DS, privilege);
  dropSegment(SEG_FS, privilege);
  dropSegment(SEG_GS, privilege);
}
