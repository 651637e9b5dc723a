/**
 * Segment descriptors and gates in memory (SDM vol. 3A, 3.4 and 3.5; gates 5.8.3 and 6.11; 64-bit forms 5.8.3.1, 6.14.1
 * and 7.2.3). A descriptor is handled as the u64 that stands in the table.
 */
import { raiseVector } from '../fault';
import { CPU_GDTR } from '../layout';
import { readSystem, writeSystem } from '../memory';
import { longMode } from '../mode';
import {
  ATTRIBUTE_G, ATTRIBUTE_P, ATTRIBUTE_S, ATTRIBUTE_UNUSABLE, SEG_LDTR, segmentAttributes, segmentBase, segmentLimit,
} from '../registers';

/** Types of system descriptors (S = 0), SDM vol. 3A, table 3-2. */
export const TYPE_TSS16: u32 = 1;
export const TYPE_LDT: u32 = 2;
export const TYPE_TSS16_BUSY: u32 = 3;
export const TYPE_CALL_GATE16: u32 = 4;
export const TYPE_TASK_GATE: u32 = 5;
export const TYPE_INTERRUPT_GATE16: u32 = 6;
export const TYPE_TRAP_GATE16: u32 = 7;
export const TYPE_TSS32: u32 = 9;
export const TYPE_TSS32_BUSY: u32 = 11;
export const TYPE_CALL_GATE32: u32 = 12;
export const TYPE_INTERRUPT_GATE32: u32 = 14;
export const TYPE_TRAP_GATE32: u32 = 15;

/** Type bits of code and data descriptors (S = 1). */
export const TYPE_ACCESSED: u32 = 1;
/** Data: writable. Code: readable. */
export const TYPE_WRITABLE: u32 = 2;
export const TYPE_READABLE: u32 = 2;
export const TYPE_EXPAND_DOWN: u32 = 4;
export const TYPE_CONFORMING: u32 = 4;
export const TYPE_CODE: u32 = 8;

/** A selector whose index is 0 in the GDT. */
// @ts-ignore: decorator
@inline
export function isNullSelector(selector: u32): bool {
  return (selector & 0xfffc) == 0;
}

/** The descriptor's attributes in the form of layout.ts SEGMENT_ATTRIBUTES. */
// @ts-ignore: decorator
@inline
export function descriptorAttributes(descriptor: u64): u32 {
  return <u32>(descriptor >> 40) & 0xf0ff;
}

/** Bits 31:0 of the base. */
export function descriptorBase(descriptor: u64): u32 {
  return (<u32>(descriptor >> 16) & 0xffffff) | (<u32>(descriptor >> 32) & 0xff000000);
}

/** The limit in bytes, granularity applied. */
export function descriptorLimit(descriptor: u64): u32 {
  const limit = <u32>(descriptor & 0xffff) | (<u32>(descriptor >> 32) & 0xf0000);
  return (descriptorAttributes(descriptor) & ATTRIBUTE_G) != 0 ? (limit << 12) | 0xfff : limit;
}

// @ts-ignore: decorator
@inline
export function attributesType(attributes: u32): u32 {
  return attributes & 15;
}

// @ts-ignore: decorator
@inline
export function attributesDpl(attributes: u32): u32 {
  return (attributes >> 5) & 3;
}

// @ts-ignore: decorator
@inline
export function isPresent(attributes: u32): bool {
  return (attributes & ATTRIBUTE_P) != 0;
}

/** S = 1: a code or data segment. */
// @ts-ignore: decorator
@inline
export function isSegment(attributes: u32): bool {
  return (attributes & ATTRIBUTE_S) != 0;
}

// @ts-ignore: decorator
@inline
export function isCode(attributes: u32): bool {
  return (attributes & (ATTRIBUTE_S | TYPE_CODE)) == (ATTRIBUTE_S | TYPE_CODE);
}

// @ts-ignore: decorator
@inline
export function isConformingCode(attributes: u32): bool {
  return isCode(attributes) && (attributes & TYPE_CONFORMING) != 0;
}

/** A data segment that can be written: what SS must be. */
// @ts-ignore: decorator
@inline
export function isWritableData(attributes: u32): bool {
  return (attributes & (ATTRIBUTE_S | TYPE_CODE | TYPE_WRITABLE)) == (ATTRIBUTE_S | TYPE_WRITABLE);
}

/** Linear addresses have 32 bits outside IA-32e mode. */
// @ts-ignore: decorator
@inline
export function wrapLinear(linear: u64): u64 {
  return longMode() ? linear : linear & 0xffffffff;
}

/** Linear address of the descriptor that a selector names. */
export function descriptorAddress(selector: u32): u64 {
  const base = (selector & 4) != 0 ? segmentBase(SEG_LDTR) : load<u64>(CPU_GDTR);
  return wrapLinear(base + (selector & 0xfff8));
}

/** Whether `size` bytes at the selector's index lie within its table; an LDT that is not loaded has no bytes. */
export function inTable(selector: u32, size: u32): bool {
  const last = (selector & 0xfff8) + size - 1;
  if ((selector & 4) == 0) return last <= load<u32>(CPU_GDTR, 8);
  if ((segmentAttributes(SEG_LDTR) & ATTRIBUTE_UNUSABLE) != 0) return false;
  return last <= segmentLimit(SEG_LDTR);
}

/** Raises `vector` with the selector as error code; `ext` is the EXT bit (SDM vol. 3A, 6.13). */
export function raiseSelector(vector: u32, selector: u32, ext: u32): void {
  raiseVector(vector, true, (selector & 0xfffc) | ext);
}

/** Reads the descriptor of a selector; outside its table: `vector`(selector). */
export function readDescriptor(selector: u32, vector: u32, ext: u32): u64 {
  if (!inTable(selector, 8)) raiseSelector(vector, selector, ext);
  return readSystem<u64>(descriptorAddress(selector));
}

/** The upper eight bytes of a 16-byte descriptor of IA-32e mode; the selector was found in its table before. */
export function readDescriptorUpper(selector: u32, vector: u32, ext: u32): u64 {
  if (!inTable(selector, 16)) raiseSelector(vector, selector, ext);
  return readSystem<u64>(wrapLinear(descriptorAddress(selector) + 8));
}

/** Sets the accessed bit in the table if it is not set, and returns the descriptor with it. */
export function markAccessed(selector: u32, descriptor: u64): u64 {
  const accessed: u64 = <u64>TYPE_ACCESSED << 40;
  if ((descriptor & accessed) == 0) {
    const at = wrapLinear(descriptorAddress(selector) + 5);
    writeSystem<u8>(at, <u8>(descriptor >> 40) | <u8>TYPE_ACCESSED);
  }
  return descriptor | accessed;
}
