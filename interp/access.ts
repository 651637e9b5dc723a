/** Memory accesses that are not fast: segment checks in full, translations, page crossings, MMIO, writes to pages with code. */
import { PAGE_DIRTY, PAGE_MAP, PAGE_PRESENT, PAGE_WRITABLE, RAM_BASE } from './layout';
import { raiseAC, raiseGP, raiseSS } from './fault';
import { isMode64, isProtected } from './mode';
import {
  accessOf, ACCESS_ALIGNED, ACCESS_CLOSED, ACCESS_USER, CONTEXT_STACK, CONTEXT_WIDE, fillTlb, fillWrite, looseContext, placeForWrite,
  placeHoldsCode, TLB_READ, tlbContext,
} from './tlb';
import { ATTRIBUTE_DB, ATTRIBUTE_P, ATTRIBUTE_S, ATTRIBUTE_UNUSABLE, SEG_SS, segmentAttributes, segmentLimit } from './registers';
import { canonical } from './control';
import { PAGE_CLOSED, PAGE_USER, PAGE_WRITE, translate } from './paging';
import { mmioRead, mmioWrite } from './io';
import { noteWrite, pageHoldsCode } from './block';
import { isWatched, noteAccess } from './debug';

/** #SS(0) for SS, #GP(0) for the others. */
function raiseSegment(segment: u32): void {
  if (segment == SEG_SS) raiseSS(0);
  else raiseGP(0);
}

/** The whole check of an access outside 64-bit mode (SDM vol. 3, 5.3 and 5.4); returns if it is allowed. */
export function checkSegment(segment: u32, offset: u64, size: u32, write: bool): void {
  if (isMode64) return;
  const attributes = segmentAttributes(segment);
  const type = attributes & 15;
  let expandDown = false;
  if (isProtected) {
    const usable = (attributes & (ATTRIBUTE_UNUSABLE | ATTRIBUTE_S | ATTRIBUTE_P)) == (ATTRIBUTE_S | ATTRIBUTE_P);
    // A null or absent segment: #GP even for SS only where SS is null, which is #SS as the manual's tables have it.
    if (!usable) raiseSegment(segment);
    if (type & 8) {
      if (write || (type & 2) == 0) raiseSegment(segment);
    } else {
      if (write && (type & 2) == 0) raiseSegment(segment);
      expandDown = (type & 4) != 0;
    }
  }
  const limit = <u64>segmentLimit(segment);
  if (expandDown) {
    const top: u64 = attributes & ATTRIBUTE_DB ? 0xffffffff : 0xffff;
    if (offset <= limit || offset + size - 1 > top) raiseSegment(segment);
  } else if (offset + size - 1 > limit) raiseSegment(segment);
}

/** What paging is asked for, from a TLB context. */
function accessFlags(context: u64, write: bool): u32 {
  const access = accessOf(context);
  let flags: u32 = write ? PAGE_WRITE : 0;
  if (access == ACCESS_USER || access == ACCESS_ALIGNED) flags |= PAGE_USER;
  else if (access == ACCESS_CLOSED) flags |= PAGE_CLOSED;
  return flags;
}

/** Cuts a linear address to the mode, or checks that it is canonical; then checks alignment where that is on. */
function settle(linear: u64, size: u32, context: u64): u64 {
  if ((context & CONTEXT_WIDE) != 0 && (!canonical(linear) || !canonical(linear + size - 1))) {
    // Through the stack segment it is #SS(0) (SDM vol. 3, 5.3.1).
    if ((context & CONTEXT_STACK) != 0) raiseSS(0);
    raiseGP(0);
  }
  if (accessOf(context) == ACCESS_ALIGNED && (linear & <u64>(size - 1)) != 0) raiseAC();
  return (context & CONTEXT_WIDE) != 0 ? linear : linear & 0xffffffff;
}

/**
 * #AC(0) where alignment is checked and `linear` is not a multiple of `size`, a power of two: for operands of several accesses, whose
 * address counts as a whole (SDM vol. 3A, table 6-7). The accesses themselves then have looseContext().
 */
export function checkAlignment(linear: u64, size: u32): void {
  if (accessOf(tlbContext) == ACCESS_ALIGNED && (linear & <u64>(size - 1)) != 0) raiseAC();
}

/** Linear address of the page after that of `linear`. */
function nextPage(linear: u64, context: u64): u64 {
  const next = (linear & ~0xfff) + 0x1000;
  return (context & CONTEXT_WIDE) != 0 ? next : next & 0xffffffff;
}

/** PAGE_MAP entry of a physical address; 0 where there is no memory. */
export function pageEntry(physical: u64): u32 {
  return physical >> 32 != 0 ? 0 : load<u32>(PAGE_MAP + <usize>(physical >> 12) * 4);
}

function loadBytes(at: usize, size: u32): u64 {
  if (size == 8) return load<u64>(at);
  if (size == 4) return load<u32>(at);
  if (size == 2) return load<u16>(at);
  if (size == 1) return load<u8>(at);
  let value: u64 = 0;
  for (let i: u32 = 0; i < size; i++) value |= <u64>load<u8>(at + i) << (i * 8);
  return value;
}

function storeBytes(at: usize, size: u32, value: u64): void {
  if (size == 8) store<u64>(at, value);
  else if (size == 4) store<u32>(at, <u32>value);
  else if (size == 2) store<u16>(at, <u16>value);
  else for (let i: u32 = 0; i < size; i++) store<u8>(at + i, <u8>(value >> (i * 8)));
}

/** A piece within a page. */
export function readPhysical(physical: u64, size: u32): u64 {
  const entry = pageEntry(physical);
  if ((entry & PAGE_PRESENT) == 0) return mmioRead(physical, size);
  return loadBytes(<usize>(entry & ~0xfff) + (<usize>physical & 0xfff), size);
}

export function writePhysical(physical: u64, size: u32, value: u64): void {
  const entry = pageEntry(physical);
  if ((entry & PAGE_WRITABLE) == 0) {
    mmioWrite(physical, size, value);
    return;
  }
  store<u8>(PAGE_DIRTY + <usize>(physical >> 12), 1);
  storeBytes(<usize>(entry & ~0xfff) + (<usize>physical & 0xfff), size, value);
  if (pageHoldsCode(<u32>(physical >> 12))) noteWrite(<u32>physical, size);
}

/** A read that the TLB does not allow at once. */
export function readSlow(address: u64, size: u32, context: u64): u64 {
  const linear = settle(address, size, context);
  const flags = accessFlags(context, false);
  const first: u32 = 0x1000 - (<u32>linear & 0xfff);
  const physical = translate(linear, flags);
  noteAccess(linear, size, false);
  if (first < size) {
    const second = translate(nextPage(linear, context), flags);
    const low = readPhysical(physical, first);
    return low | (readPhysical(second, size - first) << (first * 8));
  }
  const entry = pageEntry(physical);
  if (entry & PAGE_PRESENT && !isWatched(linear)) fillTlb(TLB_READ, linear, context, entry & ~0xfff);
  return readPhysical(physical, size);
}

/** Marks the page of a place in RAM as written. */
function markPlace(at: usize): void {
  store<u8>(PAGE_DIRTY + ((at - RAM_BASE) >> 12), 1);
}

/** A write for which TLB_WRITE has no entry, or one whose next write is to be seen. */
export function writeMissed(address: u64, size: u32, value: u64, context: u64): void {
  const at = placeForWrite(address, size, context);
  if (at == 0) {
    writeSlow(address, size, value, context);
    return;
  }
  markPlace(at);
  storeBytes(at, size, value);
  if (placeHoldsCode(at)) noteWrite(<u32>(at - RAM_BASE), size);
}

/** The same for the start of a read-modify-write. */
export function rmwBeginMissed(address: u64, size: u32, context: u64 = tlbContext): usize {
  const at = placeForWrite(address, size, context);
  if (at == 0) return rmwBeginSlow(address, size, context);
  if (placeHoldsCode(at)) {
    rmwAddress = address;
    return 0;
  }
  markPlace(at);
  return at;
}

/** A write that is translated anew. */
export function writeSlow(address: u64, size: u32, value: u64, context: u64): void {
  const linear = settle(address, size, context);
  const flags = accessFlags(context, true);
  const first: u32 = 0x1000 - (<u32>linear & 0xfff);
  const physical = translate(linear, flags);
  noteAccess(linear, size, true);
  if (first < size) {
    const second = translate(nextPage(linear, context), flags);
    writePhysical(physical, first, value & ((<u64>1 << (first * 8)) - 1));
    writePhysical(second, size - first, value >> (first * 8));
    return;
  }
  writePhysical(physical, size, value);
  const entry = pageEntry(physical);
  if (entry & PAGE_WRITABLE && !isWatched(linear)) fillWrite(linear, context, entry & ~0xfff);
}

let rmwAddress: u64 = 0;

/** The start of a read-modify-write: translates for writing; 0 where it must be done in two steps. */
export function rmwBeginSlow(address: u64, size: u32, context: u64 = tlbContext): usize {
  const linear = settle(address, size, context);
  const flags = accessFlags(context, true);
  const physical = translate(linear, flags);
  rmwAddress = linear;
  if (<u32>0x1000 - (<u32>linear & 0xfff) < size) {
    translate(nextPage(linear, tlbContext), flags);
    return 0;
  }
  const entry = pageEntry(physical);
  if ((entry & PAGE_WRITABLE) == 0 || isWatched(linear)) return 0;
  fillWrite(linear, tlbContext, entry & ~0xfff);
  if (pageHoldsCode(<u32>(physical >> 12))) return 0;
  store<u8>(PAGE_DIRTY + <usize>(physical >> 12), 1);
  return <usize>(entry & ~0xfff) + (<usize>physical & 0xfff);
}

/** Its read, with the rights of a write, which were checked. */
export function rmwReadSlow(size: u32): u64 {
  const linear = rmwAddress;
  const at = placeForWrite(linear, size, tlbContext);
  if (at != 0) return loadBytes(at, size);
  const flags = accessFlags(tlbContext, true);
  const first: u32 = 0x1000 - (<u32>linear & 0xfff);
  const physical = translate(linear, flags);
  if (first >= size) return readPhysical(physical, size);
  const second = translate(nextPage(linear, tlbContext), flags);
  const low = readPhysical(physical, first);
  return low | (readPhysical(second, size - first) << (first * 8));
}

export function rmwWriteSlow(size: u32, value: u64): void {
  writeMissed(rmwAddress, size, value, tlbContext);
}

/** Raises what a read of `size` bytes at `linear` would raise, and does nothing else. */
export function probeRead(linear: u64, size: u32, user: bool): void {
  probe(linear, size, user, 0);
}

/** The same for a write; accessed and dirty bits are set as by the write. */
export function probeWrite(linear: u64, size: u32, user: bool): void {
  probe(linear, size, user, PAGE_WRITE);
}

/**
 * Raises #PF as an access of `size` bytes at `linear` with the guest's own rights would; segment, canonical and alignment checks are done. CR2
 * of an access across pages is the first byte of the page that is missing.
 */
export function probeSpan(linear: u64, size: u32, write: bool): void {
  const flags = accessFlags(looseContext(), write);
  translate(linear, flags);
  if (<u32>0x1000 - (<u32>linear & 0xfff) < size) translate(nextPage(linear, tlbContext), flags);
}

function probe(address: u64, size: u32, user: bool, access: u32): void {
  const linear = settle(address, size, user ? tlbContext : tlbContext & CONTEXT_WIDE);
  const closed = accessOf(tlbContext) == ACCESS_CLOSED ? PAGE_CLOSED : 0;
  const flags = access | (user ? PAGE_USER : closed);
  translate(linear, flags);
  if (<u32>0x1000 - (<u32>linear & 0xfff) < size) translate(nextPage(linear, tlbContext), flags);
}
