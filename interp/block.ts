/**
 * The block cache: runs of decoded instructions within one page, keyed by guest-physical address and code size, so that aliases
 * and changes of the page tables need no thought. A header of 32 bytes, then OP_BYTES an instruction:
 *
 * ```
 *  0 u32 physical address (all ones: invalidated)   12 u32 length in bytes
 *  4 u32 code size (2, 4, 8)                        16 u32 next block of the hash bucket
 *  8 u32 number of instructions                     20 u32 next block of the page
 * ```
 *
 * Each page with code has a list of its blocks and a mark, one bit for every 64 bytes. A write to such a page is never
 * fast (tlb.ts); where it hits a mark, the blocks that it overlaps are dropped, and the running block, if it is one of them,
 * stops after the instruction under way. This is also the seam for a later tier: a block may get another way to execute.
 */
import { BLOCKS_BASE, BLOCKS_END, TABLES_BASE } from './layout';
import { OP_BYTES } from './op';
import { flushTlb, tlbContext } from './tlb';
import { currentCodeSize } from './mode';

export const BLOCK_HEADER: usize = 32;
/** Most instructions of a block. */
export const BLOCK_MAX: u32 = 64;
const INVALID: u32 = 0xffffffff;

/** u32 a bucket. */
const HASH: usize = TABLES_BASE + 0x1_0000;
const HASH_BUCKETS: u32 = 0x1_0000;
/** Blocks by linear address, 16 bytes: u64 linear address, u32 context, u32 block. */
const JUMPS: usize = TABLES_BASE + 0x10_0000;
const JUMP_ENTRIES: u32 = 0x2000;
/** u32 a page: its first block. */
const PAGE_BLOCKS: usize = BLOCKS_END - 0xc0_0000;
/** u64 a page: the marks. */
const CODE_MARKS: usize = BLOCKS_END - 0x80_0000;
const BLOCKS_LIMIT: usize = PAGE_BLOCKS;
const PAGES: usize = 0x10_0000;
/** A block of one instruction that is not kept: it crosses pages. */
export const LOOSE_BLOCK: usize = TABLES_BASE + 0x1000;

let free: usize = BLOCKS_BASE;
let jumpGeneration: u32 = 0;
/** The third word of JUMPS entries that are valid now. */
export let jumpContext: u32 = 0;
/** A value of {@link blockEnd}: stop after the instruction under way, which has set RIP. */
export const BLOCK_LEFT: usize = 1;
/** The block under way, and where it ends: 0 or BLOCK_LEFT stop it after the instruction under way. */
export let currentBlock: usize = 0;
export let blockEnd: usize = 0;

/** A taken branch within the block: RIP is set. */
// @ts-ignore: decorator
@inline
export function leaveBlock(): void {
  blockEnd = BLOCK_LEFT;
}

// @ts-ignore: decorator
@inline
export function setCurrentBlock(block: usize, end: usize): void {
  currentBlock = block;
  blockEnd = end;
}

/** After a change of the TLB's context or of the code size. */
export function refreshJumpContext(): void {
  jumpContext = (jumpGeneration << 16) | (currentCodeSize << 12) | <u32>tlbContext;
}

/** Forgets which linear address leads to which block. */
export function flushJumps(): void {
  jumpGeneration = (jumpGeneration + 1) & 0xffff;
  if (jumpGeneration == 0) clearJumps();
  refreshJumpContext();
}

/** The same without trust in generations. */
export function clearJumps(): void {
  memory.fill(JUMPS, 0xff, <usize>JUMP_ENTRIES * 16);
}

// @ts-ignore: decorator
@inline
export function jumpEntry(linear: u64): usize {
  return JUMPS + <usize>((<u32>linear ^ (<u32>linear >>> 13)) & (JUMP_ENTRIES - 1)) * 16;
}

function bucket(physical: u32, size: u32): usize {
  return HASH + <usize>(((physical ^ (physical >>> 15) ^ (size << 9)) & (HASH_BUCKETS - 1)) * 4);
}

/** The block of a physical address, or 0. */
export function findPhysical(physical: u32, size: u32): usize {
  let block = <usize>load<u32>(bucket(physical, size));
  while (block != 0 && (load<u32>(block) != physical || load<u32>(block, 4) != size)) block = load<u32>(block, 16);
  return block;
}

/** Room for the largest block; forgets all others first if there is none. */
export function reserveBlock(): usize {
  if (free + BLOCK_HEADER + <usize>BLOCK_MAX * OP_BYTES > BLOCKS_LIMIT) flushBlocks();
  return free;
}

/** Marks of bytes [first, last] of a page. */
function marks(first: u32, last: u32): u64 {
  return (u64.MAX_VALUE << (first >> 6)) & (u64.MAX_VALUE >> (63 - (last >> 6)));
}

/** Keeps the block that was built where reserveBlock() said. */
export function keepBlock(block: usize, physical: u32, size: u32, count: u32, length: u32): void {
  const at = bucket(physical, size);
  const page = <usize>(physical >> 12);
  store<u32>(block, physical);
  store<u32>(block, size, 4);
  store<u32>(block, count, 8);
  store<u32>(block, length, 12);
  store<u32>(block, load<u32>(at), 16);
  store<u32>(at, <u32>block);
  const first = load<u32>(PAGE_BLOCKS + page * 4);
  store<u32>(block, first, 20);
  store<u32>(PAGE_BLOCKS + page * 4, <u32>block);
  const mark = CODE_MARKS + page * 8;
  store<u64>(mark, load<u64>(mark) | marks(physical & 0xfff, (physical & 0xfff) + length - 1));
  free = block + BLOCK_HEADER + <usize>count * OP_BYTES;
  // The page leaves the fast write TLB.
  if (first == 0) flushTlb();
}

/** Is there decoded code in this page? */
// @ts-ignore: decorator
@inline
export function pageHoldsCode(page: u32): bool {
  return load<u32>(PAGE_BLOCKS + <usize>page * 4) != 0;
}

function unhash(block: usize): void {
  let at = bucket(load<u32>(block), load<u32>(block, 4));
  while (<usize>load<u32>(at) != block) at = <usize>load<u32>(at) + 16;
  store<u32>(at, load<u32>(block, 16));
}

/** Bytes [physical, physical + size) of one page were written, and the page holds code. */
export function noteWrite(physical: u32, size: u32): void {
  const page = <usize>(physical >> 12);
  const mark = CODE_MARKS + page * 8;
  const first = physical & 0xfff;
  if ((load<u64>(mark) & marks(first, first + size - 1)) == 0) return;
  let left: u64 = 0;
  let dropped = false;
  let link = PAGE_BLOCKS + page * 4;
  for (let block = <usize>load<u32>(link); block != 0; block = <usize>load<u32>(link)) {
    const start = load<u32>(block) & 0xfff;
    const length = load<u32>(block, 12);
    if (start < first + size && first < start + length) {
      store<u32>(link, load<u32>(block, 20));
      unhash(block);
      store<u32>(block, INVALID);
      dropped = true;
      if (block == currentBlock) blockEnd = 0;
    } else {
      left |= marks(start, start + length - 1);
      link = block + 20;
    }
  }
  store<u64>(mark, left);
  if (dropped) flushJumps();
}

/** The host wrote [physical, physical + length). */
export function invalidateCode(physical: u32, length: u32): void {
  let at = physical;
  let left = length;
  while (left != 0) {
    const here: u32 = 0x1000 - (at & 0xfff);
    const size = here < left ? here : left;
    if (pageHoldsCode(at >> 12)) noteWrite(at, size);
    at += size;
    left -= size;
  }
}

/** Forgets everything decoded. Never while an instruction executes. */
export function flushBlocks(): void {
  free = BLOCKS_BASE;
  memory.fill(HASH, 0, <usize>HASH_BUCKETS * 4);
  memory.fill(PAGE_BLOCKS, 0, PAGES * 12);
  flushJumps();
}
