/**
 * The block cache: runs of decoded instructions within one page, keyed by guest-physical address and code size, so that aliases
 * and changes of the page tables need no thought. A header of 32 bytes, then OP_BYTES an instruction:
 *
 * ```
 *  0 u32 physical address (all ones: invalidated)   16 u32 next block of the hash bucket
 *  4 u32 code size (2, 4, 8)                        20 u32 next block of the page
 *  8 u64 number of instructions                     24 u32 length in bytes
 *        (invalidated: more than any limit)
 * ```
 *
 * Behind the last instruction stands one more record, whose function goes on to the next block (chain.ts).
 *
 * Each page with code has a list of its blocks and a mark, one bit for every 64 bytes. A write to such a page is never
 * fast, though its translation is kept (tlb.ts); where it hits a mark, the blocks that it overlaps are dropped, and the running block, if it is one of them,
 * stops after the instruction under way. Memory of blocks is never used again before all of them are forgotten, so that a link
 * to a dropped one is seen by its number of instructions. This is also the seam for a later tier: a block may get another way to execute.
 */
import { BLOCKS_BASE, BLOCKS_END, PAGE_MAP, TABLES_BASE } from './layout';
import { stopAfterCurrent } from './chain';
import { firstOp } from './control';
import { OP_BYTES } from './op';
import { armPage, tlbContext } from './tlb';
import { currentCodeSize } from './mode';
import { beginCode, forgetHash } from './trust';
import { WORK_DROP, spend } from './work';

export const BLOCK_HEADER: usize = 32;
/** Most instructions of a block. */
export const BLOCK_MAX: u32 = 64;
const INVALID: u32 = 0xffffffff;
const INVALID_COUNT: u64 = 1 << 63;

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
/** The block that LOOSE_BLOCK holds the beginning of; 0: none. */
let loosened: usize = 0;

/** LOOSE_BLOCK was written: its size, and the block that it is the beginning of, or 0. */
export function keepLoose(whole: usize, count: u32, length: u32): void {
  loosened = whole;
  store<u32>(LOOSE_BLOCK, INVALID);
  store<u64>(LOOSE_BLOCK, count, 8);
  store<u32>(LOOSE_BLOCK, length, 24);
}

/** Instructions of a block. */
// @ts-ignore: decorator
@inline
export function blockCount(block: usize): u64 {
  return load<u64>(block, 8);
}

/** Bytes of a block. */
// @ts-ignore: decorator
@inline
export function blockLength(block: usize): u64 {
  return load<u32>(block, 24);
}

/** Is the block under way, or what it was cut from? */
function isCurrent(block: usize): bool {
  return firstOp() == block + BLOCK_HEADER || (firstOp() == LOOSE_BLOCK + BLOCK_HEADER && loosened == block);
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

/** Forgets the blocks of one linear page, whose translation for fetches was forgotten: their entries are half of the table. */
export function dropJumps(page: u64): void {
  const first = JUMPS + ((jumpEntry(page) - JUMPS) & ~0xffff);
  for (let entry = first; entry < first + 0x1_0000; entry += 16) {
    if ((load<u64>(entry) & ~0xfff) == page) store<u32>(entry, INVALID, 8);
  }
}

// @ts-ignore: decorator
@inline
export function jumpEntry(linear: u64): usize {
  return JUMPS + <usize>((<u32>linear ^ (<u32>linear >>> 13)) & (JUMP_ENTRIES - 1)) * 16;
}

/** Is an entry of the right linear address valid now? */
// @ts-ignore: decorator
@inline
export function isValidJump(entry: usize): bool {
  return load<u32>(entry, 8) == jumpContext;
}

/** Its block. */
// @ts-ignore: decorator
@inline
export function jumpBlock(entry: usize): usize {
  return load<u32>(entry, 12);
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
  if (free + BLOCK_HEADER + <usize>(BLOCK_MAX + 1) * OP_BYTES > BLOCKS_LIMIT) flushBlocks();
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
  store<u64>(block, count, 8);
  store<u32>(block, length, 24);
  store<u32>(block, load<u32>(at), 16);
  store<u32>(at, <u32>block);
  const first = load<u32>(PAGE_BLOCKS + page * 4);
  store<u32>(block, first, 20);
  store<u32>(PAGE_BLOCKS + page * 4, <u32>block);
  const mark = CODE_MARKS + page * 8;
  store<u64>(mark, load<u64>(mark) | marks(physical & 0xfff, (physical & 0xfff) + length - 1));
  free = block + BLOCK_HEADER + <usize>(count + 1) * OP_BYTES;
  if (first == 0) {
    armPage(load<u32>(PAGE_MAP + page * 4) & ~0xfff);
    beginCode(<u32>page);
  }
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
  forgetHash(<u32>page);
  const mark = CODE_MARKS + page * 8;
  const first = physical & 0xfff;
  if ((load<u64>(mark) & marks(first, first + size - 1)) == 0) return;
  let left: u64 = 0;
  let dropped = false;
  let link = PAGE_BLOCKS + page * 4;
  for (let block = <usize>load<u32>(link); block != 0; block = <usize>load<u32>(link)) {
    const start = load<u32>(block) & 0xfff;
    const length = <u32>blockLength(block);
    if (start < first + size && first < start + length) {
      store<u32>(link, load<u32>(block, 20));
      unhash(block);
      store<u32>(block, INVALID);
      store<u64>(block, INVALID_COUNT, 8);
      dropped = true;
      if (isCurrent(block)) stopAfterCurrent();
    } else {
      left |= marks(start, start + length - 1);
      link = block + 20;
    }
  }
  store<u64>(mark, left);
  if (!dropped) return;
  flushJumps();
  spend(WORK_DROP);
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
