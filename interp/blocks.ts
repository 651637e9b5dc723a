/** Finding the block at RIP, or decoding it. */
import {
  BLOCK_HEADER, BLOCK_MAX, LOOSE_BLOCK, blockLength, findPhysical, jumpContext, jumpEntry, keepBlock, keepLoose, reserveBlock,
} from './block';
import { writeEnd } from './chain';
import { decodeInstruction } from './decode';
import { raiseGP } from './fault';
import { beginInstruction, codeLinear, fetchAborted, fetchCrossed, fetchLength, fetchPhysical, locate, pageLeft } from './fetch';
import { beginFusing, fuse } from './fuse';
import { codeEnd, currentCodeSize, isMode64 } from './mode';
import { OP_BYTES } from './op';
import { beginsAtSeek, gate, prepareSeek, seeking } from './seek';
import { WORK_DECODE, spend } from './work';

/** Moves the one instruction of a block that is not kept to its own place. */
function finishLoose(block: usize, length: u32): usize {
  memory.copy(LOOSE_BLOCK + BLOCK_HEADER, block + BLOCK_HEADER, OP_BYTES);
  writeEnd(LOOSE_BLOCK + BLOCK_HEADER + OP_BYTES, length);
  keepLoose(0, 1, length);
  return LOOSE_BLOCK;
}

/** Decodes from `rip` on; the code of its first byte was located. */
function decodeBlock(rip: u64, most: u32): usize {
  const physical = fetchPhysical;
  const block = reserveBlock();
  let op = block + BLOCK_HEADER;
  let start: u32 = 0;
  let count: u32 = 0;
  beginFusing();
  for (;;) {
    beginInstruction(count == 0, codeEnd - (rip + start));
    const ends = decodeInstruction(op, start);
    if (fetchAborted) break;
    fuse(op);
    start += fetchLength;
    count++;
    op += OP_BYTES;
    if (fetchCrossed || ends || count == most || pageLeft() == 0 || beginsAtSeek(physical + start)) break;
  }
  spend(WORK_DECODE * count);
  if (fetchCrossed || most == 1) return finishLoose(block, start);
  writeEnd(op, start);
  keepBlock(block, physical, currentCodeSize, count, start);
  if (beginsAtSeek(physical)) gate(block);
  return block;
}

/** The block at `rip`, from the cache by linear address, by physical address, or new. */
export function blockAt(rip: u64): usize {
  const linear = codeLinear(rip);
  const entry = jumpEntry(linear);
  let block: usize;
  if (load<u64>(entry) == linear && load<u32>(entry, 8) == jumpContext) {
    block = load<u32>(entry, 12);
  } else {
    // The last address of all has no end behind it: in 64-bit mode only paging says no.
    if (rip >= codeEnd && !isMode64) raiseGP(0);
    locate(linear);
    if (seeking) prepareSeek(linear, fetchPhysical);
    block = findPhysical(fetchPhysical, currentCodeSize);
    if (block == 0) block = decodeBlock(rip, BLOCK_MAX);
    if (block == LOOSE_BLOCK) return block;
    store<u64>(entry, linear);
    store<u32>(entry, jumpContext, 8);
    store<u32>(entry, <u32>block, 12);
  }
  if (rip + blockLength(block) > codeEnd) {
    locate(linear);
    return decodeBlock(rip, 1);
  }
  return block;
}
