/**
 * From one instruction to the next, and from one block to the next. A handler ends by calling the function of the op behind it
 * (goOn), and the op behind the last of a block (endOp) calls the first of the block at RIP; scripts/build-interp.mjs makes tail calls
 * of these calls, so that nothing returns to the run loop before it has to: when a block is not known, has no room before
 * RUN_STOP_AT (the limit, or 0 when something asks for attention), or when a handler leaves by returning.
 *
 * A taken branch to its own page keeps a link to the block of its target, which any alias of the page may use; others ask the table of
 * linear addresses (block.ts). Everything here counts the instructions of the block that ends, and leaves CPU_RIP exact.
 *
 * Conditions are nested instead of joined, and none chooses between a block and nothing: a conditional move would make the next instruction
 * wait for the comparison.
 */
import { BLOCK_HEADER, blockCount, blockLength, isValidJump, jumpBlock, jumpContext, jumpEntry, keepLoose, LOOSE_BLOCK } from './block';
import { checkTarget, checkTargetOf, currentOp, opsBefore, setFirstOp } from './control';
import { codeLinear } from './fetch';
import { separate } from './fuse';
import { BLOCKS_BASE, CPU_RIP, CPU_RIP_BASE, RUN_RETIRED, RUN_STOP_AT } from './layout';
import { codeEnd } from './mode';
import { OP_BYTES, opStart } from './op';

let endHandler: u32 = 0;
let cutHandler: u32 = 0;

export function initializeChain(): void {
  endHandler = (<(op: usize) => void>endBlock).index;
  cutHandler = (<(op: usize) => void>cutBlock).index;
}

/** Executes what follows `op` in its block: the last thing that a handler does. */
// @ts-ignore: decorator
@inline
export function goOn(op: usize): void {
  call_indirect<void>(load<u32>(op, OP_BYTES), op + OP_BYTES);
}

/** Executes a block at `rip`, whatever the limit. */
// @ts-ignore: decorator
@inline
export function beginBlock(block: usize, rip: u64): void {
  store<u64>(CPU_RIP_BASE, rip);
  store<u64>(CPU_RIP, rip + blockLength(block));
  const first = block + BLOCK_HEADER;
  setFirstOp(first);
  call_indirect<void>(load<u32>(first), first);
}

/** Is there room for a block before RUN_STOP_AT when so many instructions are retired? */
// @ts-ignore: decorator
@inline
export function hasRoom(block: usize, retired: u64): bool {
  return retired + blockCount(block) <= load<u64>(RUN_STOP_AT);
}

/** Does a block at `rip` end before CS does? A branch with 64 bits is one of 64-bit mode, where CS has no end. */
// @ts-ignore: decorator
@inline
export function isWithin<T>(block: usize, rip: u64): bool {
  return sizeof<T>() == 8 ? true : rip + blockLength(block) <= codeEnd;
}

/** Linear address of the target of a branch with operand size `T`. */
// @ts-ignore: decorator
@inline
export function targetLinear<T>(rip: u64): u64 {
  return sizeof<T>() == 8 ? rip : codeLinear(rip);
}

/** Back to the run loop, `count` instructions of the block being done. */
function leaveChain(rip: u64, count: u64): void {
  store<u64>(RUN_RETIRED, load<u64>(RUN_RETIRED) + count);
  store<u64>(CPU_RIP, rip);
}

/** Goes on at `rip`, `count` instructions of the block being done. */
// @ts-ignore: decorator
@inline
export function chain<T>(rip: u64, count: u64): void {
  const linear = targetLinear<T>(rip);
  const entry = jumpEntry(linear);
  if (load<u64>(entry) == linear) {
    if (isValidJump(entry)) {
      const block = jumpBlock(entry);
      const retired = load<u64>(RUN_RETIRED) + count;
      if (hasRoom(block, retired)) {
        if (isWithin<T>(block, rip)) {
          goTo(block, rip, retired);
          return;
        }
      }
    }
  }
  leaveChain(rip, count);
}

/** Instructions that are retired when the branch `op` is. */
// @ts-ignore: decorator
@inline
export function retiredWith(op: usize): u64 {
  return load<u64>(RUN_RETIRED) + opsBefore(op) + 1;
}

/** Goes on to a block that fits when so many instructions are retired. */
// @ts-ignore: decorator
@inline
export function goTo(block: usize, rip: u64, retired: u64): void {
  store<u64>(RUN_RETIRED, retired);
  beginBlock(block, rip);
}

/** The block that a relative branch is linked to; 0: none. */
// @ts-ignore: decorator
@inline
export function linkedBlock(op: usize): usize {
  return <usize>load<u32>(op, LINK);
}

/** Behind the last instruction of a block, which has set RIP if it wants another. */
function endBlock(op: usize): void {
  chain<u16>(load<u64>(CPU_RIP), opsBefore(op));
}

/** In the place of an instruction: the block ends before it. */
function cutBlock(op: usize): void {
  leaveChain(load<u64>(CPU_RIP_BASE) + <u64>opStart(op), opsBefore(op));
}

/** The record behind the last op of a block of `length` bytes. */
export function writeEnd(op: usize, length: u32): void {
  store<u32>(op, endHandler);
  store<u16>(op, <u16>length, 12);
}

function stop(op: usize): void {}

/** The record behind an op that is executed for itself (interp/probe.ts). */
export function writeStop(op: usize): void {
  store<u32>(op, (<(op: usize) => void>stop).index);
}

/** The block under way was dropped: it ends behind the instruction under way. */
export function stopAfterCurrent(): void {
  const next = currentOp() + OP_BYTES;
  if (load<u32>(next) != endHandler) store<u32>(next, cutHandler);
}

/** The record that cutBehind() changed, 0: none, and its function. */
let cutAt: usize = 0;
let cutFrom: u32 = 0;

/** The block under way, if there is one, ends behind the instruction under way, this once. */
export function cutBehind(): void {
  const next = currentOp() + OP_BYTES;
  if (currentOp() == 0 || cutAt != 0 || load<u32>(next) == endHandler) return;
  cutAt = next;
  cutFrom = load<u32>(next);
  store<u32>(next, cutHandler);
}

/** Nothing is under way any more: the record is as it was. */
export function mendCut(): void {
  if (cutAt != 0) store<u32>(cutAt, cutFrom);
  cutAt = 0;
}

/** What no handler stores into RIP: it is not canonical. */
const NO_RIP: u64 = 0x8000000000000000;
/** The last instruction of {@link beginStep} set RIP. */
export let branched: bool = false;

/** Behind the one instruction of a step. */
function endStep(op: usize): void {
  branched = load<u64>(CPU_RIP) != NO_RIP;
  leaveChain(branched ? load<u64>(CPU_RIP) : load<u64>(CPU_RIP_BASE) + <u64>opStart(op), opsBefore(op));
}

/** Executes the first instruction of a block alone, and notes whether it is a branch that is taken. The run loop must have asked for attention. */
export function beginStep(block: usize, rip: u64): void {
  const one = copyBeginning(block, 1);
  store<u32>(one + BLOCK_HEADER + OP_BYTES, (<(op: usize) => void>endStep).index);
  store<u64>(CPU_RIP_BASE, rip);
  store<u64>(CPU_RIP, NO_RIP);
  setFirstOp(one + BLOCK_HEADER);
  branched = true;
  call_indirect<void>(load<u32>(one + BLOCK_HEADER), one + BLOCK_HEADER);
}

/** Where a relative branch keeps its link: it has no displacement of a memory operand. */
const LINK: usize = 24;

/** A relative branch is taken, after its work was done. `T` is its operand size, `target` is neither cut to it nor checked. */
// @ts-ignore: decorator
@inline
export function branchTo<T>(op: usize, target: u64): void {
  if (sizeof<T>() == 2) {
    // IP wraps elsewhere under another base of CS.
    chain<T>(checkTarget(target, 2), opsBefore(op) + 1);
    return;
  }
  const rip = sizeof<T>() == 4 ? target & 0xffffffff : target;
  const block = linkedBlock(op);
  if (block != 0) {
    const retired = retiredWith(op);
    if (hasRoom(block, retired)) {
      // Its target is allowed: it ends before the end of CS, and in 64-bit mode lies in the page of the branch.
      if (isWithin<T>(block, rip)) {
        goTo(block, rip, retired);
        return;
      }
    }
  }
  branchUnlinked<T>(op, rip);
}

/** Links the branch if its target is known now and of the same page, and takes it. The target may still be a fault. */
function branchUnlinked<T>(op: usize, rip: u64): void {
  checkTargetOf<T>(rip);
  store<u32>(op, 0, LINK);
  const linear = codeLinear(rip);
  const entry = jumpEntry(linear);
  const here = codeLinear(load<u64>(CPU_RIP_BASE));
  if (op >= <usize>BLOCKS_BASE && (linear ^ here) >> 12 == 0 && load<u64>(entry) == linear && load<u32>(entry, 8) == jumpContext) {
    store<u32>(op, load<u32>(entry, 12), LINK);
  }
  chain<T>(rip, opsBefore(op) + 1);
}

/** The first ops of a block as one of its own, for a limit or a single step. */
export function copyBeginning(block: usize, count: u32): usize {
  const ops = LOOSE_BLOCK + BLOCK_HEADER;
  memory.copy(ops, block + BLOCK_HEADER, <usize>(count + 1) * OP_BYTES);
  const last = ops + <usize>count * OP_BYTES;
  separate(last - OP_BYTES);
  store<u32>(last, cutHandler);
  keepLoose(block, count, opStart(last));
  return LOOSE_BLOCK;
}
