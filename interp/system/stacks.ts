/** Inner stacks from the TSS (SDM vol. 3A, 5.8.5, 7.2.1 to 7.2.3 and 7.7). */
import { VECTOR_SS, VECTOR_TS } from '../fault';
import { readSystem } from '../memory';
import { SEG_TR, segmentAttributes, segmentBase, segmentLimit, segmentSelector } from '../registers';
import {
  attributesDpl, attributesType, descriptorAttributes, isNullSelector, isPresent, isWritableData, markAccessed,
  raiseSelector, readDescriptor, wrapLinear,
} from './descriptor';

/** What {@link readInnerStack} read. */
export let innerSelector: u32 = 0;
export let innerPointer: u64 = 0;

/** Linear address of `size` bytes at `offset` in the TSS; past its limit: #TS(TSS selector). */
function taskStateAddress(offset: u32, size: u32, ext: u32): u64 {
  if (offset + size - 1 > segmentLimit(SEG_TR)) raiseSelector(VECTOR_TS, segmentSelector(SEG_TR), ext);
  return wrapLinear(segmentBase(SEG_TR) + offset);
}

/** Reads SS:SP (16-bit TSS) or SS:ESP of privilege `privilege`. */
export function readInnerStack(privilege: u32, ext: u32): void {
  // Bit 3 of the type tells the 32-bit TSS from the 16-bit one.
  if ((attributesType(segmentAttributes(SEG_TR)) & 8) != 0) {
    const at = taskStateAddress(privilege * 8 + 4, 6, ext);
    innerPointer = readSystem<u32>(at);
    innerSelector = readSystem<u16>(wrapLinear(at + 4));
  } else {
    const at = taskStateAddress(privilege * 4 + 2, 4, ext);
    innerPointer = readSystem<u16>(at);
    innerSelector = readSystem<u16>(wrapLinear(at + 2));
  }
}

/** The descriptor of the stack segment that {@link readInnerStack} found, with all checks, marked accessed. */
export function checkInnerStack(privilege: u32, ext: u32): u64 {
  const selector = innerSelector;
  if (isNullSelector(selector)) raiseSelector(VECTOR_TS, 0, ext);
  const descriptor = readDescriptor(selector, VECTOR_TS, ext);
  const attributes = descriptorAttributes(descriptor);
  if ((selector & 3) != privilege || attributesDpl(attributes) != privilege || !isWritableData(attributes)) {
    raiseSelector(VECTOR_TS, selector, ext);
  }
  if (!isPresent(attributes)) raiseSelector(VECTOR_SS, selector, ext);
  return markAccessed(selector, descriptor);
}

/** RSP0 to RSP2 of the 64-bit TSS. */
export function readPrivilegeStack64(privilege: u32, ext: u32): u64 {
  return readSystem<u64>(taskStateAddress(privilege * 8 + 4, 8, ext));
}

/** IST1 to IST7. */
export function readInterruptStack64(index: u32, ext: u32): u64 {
  return readSystem<u64>(taskStateAddress(index * 8 + 28, 8, ext));
}
