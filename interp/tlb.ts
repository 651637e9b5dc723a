/**
 * Flat, direct-mapped TLBs: one for reads, one for writes, one for fetches. An entry is 16 bytes: u64 tag, u32 addend, and of fetches a
 * u32, the physical page.
 *
 * The tag is the linear page address with the context in its low twelve bits; the context holds the privilege of the access and
 * a generation, so that flushing everything and changing privilege cost one assignment. The addend turns the low half of a
 * linear address into an offset of the memory. Only pages of plain memory are here; an entry of the write TLB that allows a write at
 * once has a page that is writable, marked dirty, and holds no decoded code.
 *
 * What is translated anew, and sets accessed and dirty bits, is a matter of what the guest did and never of which code is decoded: a run that
 * goes on from a saved state has none. So decoding forgets no translation, and no block is found by a linear address (block.ts) whose
 * fetch has lost its entry here.
 */
import { clearJumps, dropJumps, pageHoldsCode, refreshJumpContext } from './block';
import { FETCH_BASE, FETCH_ENTRIES, RAM_BASE, TLB_BASE, TLB_ENTRIES, TLB_ENTRY, TLB_SPACING } from './layout';

export const TLB_READ: usize = TLB_BASE;
export const TLB_WRITE: usize = TLB_BASE + TLB_SPACING;
const TLB_SIZE: usize = FETCH_BASE + FETCH_ENTRIES * TLB_ENTRY - TLB_BASE;
/** (linear >> 8) & TLB_INDEX is the byte offset of an entry. */
const TLB_INDEX: u32 = (TLB_ENTRIES - 1) * TLB_ENTRY;
const FETCH_INDEX: u32 = (FETCH_ENTRIES - 1) * TLB_ENTRY;
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
/** In the tag of an entry of TLB_WRITE, never in a context: the translation holds, but the next write is to be seen, as all to pages with code are. */
const TAG_ARMED: u64 = 4;
const GENERATIONS: u64 = 255;

let generation: u64 = 1;
let accessBits: u64 = 0;
let systemBits: u64 = 0;
let fetchBits: u64 = 0;
/** Context of the guest's own accesses, and of implicit supervisor accesses. */
export let tlbContext: u64 = 0x10;
export let systemContext: u64 = 0x10;
/** Of fetches, which neither SMAP nor alignment checks concern. */
export let fetchContext: u64 = 0x10;

function compose(): void {
  tlbContext = (generation << 4) | accessBits;
  systemContext = (generation << 4) | systemBits;
  fetchContext = (generation << 4) | fetchBits;
  refreshJumpContext();
}

/** From updateMode(): who accesses now. */
export function setTlbContext(user: bool, smap: bool, ac: bool, aligned: bool, mode64: bool, longMode: bool): void {
  const mode = mode64 ? CONTEXT_WIDE : 0;
  systemBits = (longMode ? CONTEXT_WIDE : 0) | (smap ? ACCESS_CLOSED : ACCESS_SUPERVISOR);
  fetchBits = mode | (user ? ACCESS_USER : ACCESS_SUPERVISOR);
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
  store<u64>(fetchEntry(linear), 0);
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

/** A page, which lies at offset `page` of the memory, has code now: every write to it is to be seen. No translation is forgotten. */
export function armPage(page: u32): void {
  const end = TLB_WRITE + TLB_INDEX + TLB_ENTRY;
  for (let entry = TLB_WRITE; entry < end; entry += TLB_ENTRY) {
    if ((load<u32>(entry) & ~0xfff) + load<u32>(entry, 8) == page) store<u64>(entry, load<u64>(entry) | TAG_ARMED);
  }
}

/** Where a write lies whose translation TLB_WRITE has, armed or not; 0: it has not. An entry without code is not armed any more. */
export function placeForWrite(linear: u64, size: u32, context: u64): usize {
  const entry = tlbEntry(TLB_WRITE, linear);
  const tag = tlbTag(linear, size, context & ~PAGE_BITS);
  if ((load<u64>(entry) & ~TAG_ARMED) != tag) return 0;
  const at = <usize>(<u32>linear + load<u32>(entry, 8));
  if (!placeHoldsCode(at)) store<u64>(entry, tag);
  return at;
}

/** Is there decoded code in the page of a place in RAM? */
export function placeHoldsCode(at: usize): bool {
  return pageHoldsCode(<u32>((at - RAM_BASE) >> 12));
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

/** Enters the page of a write likewise; armed if it holds code. */
export function fillWrite(linear: u64, context: u64, page: u32): void {
  fillTlb(TLB_WRITE, linear, context, page);
  const entry = tlbEntry(TLB_WRITE, linear);
  if (placeHoldsCode(page)) store<u64>(entry, load<u64>(entry) | TAG_ARMED);
}

/** Address of the entry of a fetch. */
// @ts-ignore: decorator
@inline
export function fetchEntry(linear: u64): usize {
  return FETCH_BASE + <usize>((<u32>linear >>> 8) & FETCH_INDEX);
}

/** Enters the page of a fetch, at offset `page` of the memory and at a guest-physical address. */
export function fillFetch(linear: u64, page: u32, physical: u32): void {
  const entry = fetchEntry(linear);
  const tag = (linear & PAGE_BITS) | fetchContext;
  const old = load<u64>(entry);
  if (old != tag && ((old >> 4) & GENERATIONS) == generation) dropJumps(old & PAGE_BITS);
  store<u64>(entry, tag);
  store<u32>(entry, page - <u32>(linear & PAGE_BITS), 8);
  store<u32>(entry, physical, 12);
}
