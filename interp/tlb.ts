/**
 * Flat, direct-mapped TLBs: one for reads, one for writes, one for fetches. An entry is 16 bytes: u64 tag, u32 addend, u32 unused.
 *
 * The tag is the linear page address with the context in its low twelve bits; the context holds the privilege of the access and
 * a generation, so that flushing everything and changing privilege cost one assignment. The addend turns the low half of a
 * linear address into an offset of the memory. Only pages of plain memory are here; the write TLB only has pages that are
 * writable, marked dirty, and hold no decoded code.
 */
import { clearJumps, refreshJumpContext } from './block';
import { TLB_BASE } from './layout';

export const TLB_READ: usize = TLB_BASE;
export const TLB_WRITE: usize = TLB_BASE + 0x1_0000;
export const TLB_FETCH: usize = TLB_BASE + 0x2_0000;
const TLB_SIZE: usize = 0x3_0000;
/** (linear >> 8) & TLB_INDEX is the byte offset of an entry: 1,024 entries. */
const TLB_INDEX: u32 = 0x3ff0;
const PAGE_BITS: u64 = ~0xfff;

/** Low bits of a context: who accesses. */
export const ACCESS_SUPERVISOR: u64 = 0;
export const ACCESS_USER: u64 = 1;
/** Supervisor under SMAP with AC clear. */
export const ACCESS_CLOSED: u64 = 2;
/** User with alignment checks: its entries are never filled. */
export const ACCESS_ALIGNED: u64 = 3;
const ACCESS_MASK: u64 = 7;
/** Linear addresses have 64 bits; implicit accesses have them in compatibility mode too. */
export const CONTEXT_WIDE: u64 = 8;
/** Never in an entry: the access is of the stack segment (access.ts). */
export const CONTEXT_STACK: u64 = 0x1000;
/** In the tag of an entry of TLB_WRITE, never in a context: the translation holds, but the next write is to be seen. */
const TAG_ARMED: u64 = 4;
const GENERATIONS: u64 = 255;

let generation: u64 = 1;
let accessBits: u64 = 0;
let systemBits: u64 = 0;
/** Context of the guest's own accesses, and of implicit supervisor accesses. */
export let tlbContext: u64 = 0x10;
export let systemContext: u64 = 0x10;

function compose(): void {
  tlbContext = (generation << 4) | accessBits;
  systemContext = (generation << 4) | systemBits;
  refreshJumpContext();
}

/** From updateMode(): who accesses now. */
export function setTlbContext(user: bool, smap: bool, ac: bool, aligned: bool, mode64: bool, longMode: bool): void {
  const mode = mode64 ? CONTEXT_WIDE : 0;
  systemBits = (longMode ? CONTEXT_WIDE : 0) | (smap ? ACCESS_CLOSED : ACCESS_SUPERVISOR);
  if (user) accessBits = mode | (aligned ? ACCESS_ALIGNED : ACCESS_USER);
  else accessBits = mode | (smap && !ac ? ACCESS_CLOSED : ACCESS_SUPERVISOR);
  compose();
}

/** Entries of other generations are forgotten ones. */
export function tlbGeneration(): u32 {
  return <u32>generation;
}

/** Forgets every translation. */
export function flushTlb(): void {
  generation++;
  if (generation > GENERATIONS) {
    memory.fill(TLB_BASE, 0, TLB_SIZE);
    clearJumps();
    generation = 1;
  }
  compose();
}

/** Forgets the translations of one page (INVLPG). */
export function flushTlbPage(linear: u64): void {
  const index = <usize>((<u32>linear >>> 8) & TLB_INDEX);
  store<u64>(TLB_READ + index, 0);
  store<u64>(TLB_WRITE + index, 0);
  store<u64>(TLB_FETCH + index, 0);
  // Blocks are found by linear address under this generation, so it must go too.
  flushTlb();
}

/**
 * The next write to each page comes to the slow path once. No translation is forgotten: a page walk may set accessed and dirty bits that
 * the guest has cleared, and when the host looks at the marks of written pages must not be seen by the guest.
 */
export function armWrites(): void {
  const end = TLB_WRITE + TLB_INDEX + 16;
  for (let entry = TLB_WRITE; entry < end; entry += 16) store<u64>(entry, load<u64>(entry) | TAG_ARMED);
}

/** Where an access lies that an armed entry of TLB_WRITE allows, which then is not armed any more; 0: there is none. */
export function takeArmed(linear: u64, size: u32, context: u64): usize {
  const entry = tlbEntry(TLB_WRITE, linear);
  const tag = tlbTag(linear, size, context & ~PAGE_BITS);
  if (load<u64>(entry) != (tag | TAG_ARMED)) return 0;
  store<u64>(entry, tag);
  return <usize>(<u32>linear + load<u32>(entry, 8));
}

/** ACCESS_… of a context. */
// @ts-ignore: decorator
@inline
export function accessOf(context: u64): u64 {
  return context & ACCESS_MASK;
}

/** The guest's own context without alignment checks: for the parts of an operand whose address was checked as a whole. */
export function looseContext(): u64 {
  return accessOf(tlbContext) == ACCESS_ALIGNED ? tlbContext ^ (ACCESS_ALIGNED ^ ACCESS_USER) : tlbContext;
}

/** Address of the entry of `tlb` for a linear address. */
// @ts-ignore: decorator
@inline
export function tlbEntry(tlb: usize, linear: u64): usize {
  return tlb + <usize>((<u32>linear >>> 8) & TLB_INDEX);
}

/** The tag that allows `size` bytes at `linear`: another page's, and so none, if they cross into it. */
// @ts-ignore: decorator
@inline
export function tlbTag(linear: u64, size: u64, context: u64): u64 {
  return ((linear + (size - 1)) & PAGE_BITS) | context;
}

/** Enters the page of `linear`, which lies at offset `page` of the memory. */
export function fillTlb(tlb: usize, linear: u64, context: u64, page: u32): void {
  if ((context & ACCESS_MASK) == ACCESS_ALIGNED) return;
  const entry = tlbEntry(tlb, linear);
  store<u64>(entry, (linear & PAGE_BITS) | (context & ~PAGE_BITS));
  store<u32>(entry, page - <u32>(linear & PAGE_BITS), 8);
}
