/**
 * The run loop: finds or decodes the block at RIP, executes it and what it chains to (chain.ts), and then looks at what may interrupt (SDM
 * vol. 3A, 6.9). The host calls run(); whenever an import throws (fault.ts), it calls afterUnwind(), and then, if that returned 0, resume().
 */
import {
  BLOCK_HEADER, BLOCK_MAX, LOOSE_BLOCK, blockCount, blockLength, findPhysical, jumpContext, jumpEntry, keepBlock, keepLoose, reserveBlock,
} from './block';
import { beginBlock, copyBeginning, writeEnd } from './chain';
import {
  clearPendingDebug, clearRepeatWanted, committed, currentOp, currentRip, nextRip, opsBefore, pendingDebug, releaseStep, repeatWanted,
  setCommitted, setCurrentOp, setFirstOp, setPendingDebug, shadowHoldsTraps, stepHeld,
} from './control';
import { decodeInstruction } from './decode';
import {
  UNWIND_EXCEPTION, VECTOR_DB, clearLeaving, exitRetires, faultCode, faultHasCode, faultVector, leaving, raiseGP, unwindKind,
} from './fault';
import { beginInstruction, codeLinear, fetchAborted, fetchByte, fetchCrossed, fetchLength, fetchPhysical, locate, pageLeft } from './fetch';
import { FLAG_IF, FLAG_RF, FLAG_TF, changeControlFlags, materializeFlags, setStatus } from './flags';
import { clearPendingIo, resumeIo } from './io';
import {
  CPU_DR, CPU_HALTED, CPU_INJECTED_INTERRUPT, CPU_INTERRUPT_SHADOW, CPU_NMI_MASKED, CPU_NMI_PENDING, CPU_RFLAGS, CPU_RIP,
  ENGINE_ERROR_FETCH, ENGINE_ERROR_UNIMPLEMENTED, EXIT_ADDRESS, EXIT_COMPLETED, EXIT_DEBUG, EXIT_ENGINE_ERROR, EXIT_ERROR_BYTES,
  EXIT_ERROR_CODE, EXIT_ERROR_LENGTH, EXIT_HALT, EXIT_KICKED, EXIT_LIMIT, EXIT_MMIO, EXIT_REASON, EXIT_WINDOW, HALT_HLT, RUN_COMPLETE_ONLY,
  RUN_KICK, RUN_LIMIT, RUN_RETIRED, RUN_SINGLE_STEP, RUN_WINDOW_REQUEST,
} from './layout';
import { attention, clearAttention, codeEnd, currentCodeSize, requestAttention } from './mode';
import { OP_BYTES } from './op';
import { deliverException, deliverInterrupt, deliverNmi } from './system/interrupt';

/** DR6.BS: a single step. */
const DR6: usize = CPU_DR + 32;
const DR6_BS: u64 = 1 << 14;

/** The instruction of the last I/O exit comes first, before any event. */
let finishing: bool = false;
/** RFLAGS.TF was set when the instruction under way began. */
let stepping: bool = false;
/** The instruction that ran last is a REP instruction that has iterations left. */
let unfinished: bool = false;
/** One instruction was executed, and EXIT_DEBUG is due for it. */
let debugDue: bool = false;

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
  for (;;) {
    beginInstruction(count == 0, codeEnd - (rip + start));
    const ends = decodeInstruction(op, start);
    if (fetchAborted) break;
    start += fetchLength;
    count++;
    op += OP_BYTES;
    if (fetchCrossed || ends || count == most || pageLeft() == 0) break;
  }
  if (fetchCrossed || most == 1) return finishLoose(block, start);
  writeEnd(op, start);
  keepBlock(block, physical, currentCodeSize, count, start);
  return block;
}

/** The block at `rip`, from the cache by linear address, by physical address, or new. */
function blockAt(rip: u64): usize {
  const linear = codeLinear(rip);
  const entry = jumpEntry(linear);
  let block: usize;
  if (load<u64>(entry) == linear && load<u32>(entry, 8) == jumpContext) {
    block = load<u32>(entry, 12);
  } else {
    if (rip >= codeEnd) raiseGP(0);
    locate(linear);
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

/** No instruction is under way. */
function betweenInstructions(): void {
  setCurrentOp(0);
  setFirstOp(0);
}

/** Executes at most `most` instructions from CPU_RIP on: a block or a part of it, and the blocks that chain.ts goes on to. */
function execute(most: u64): void {
  betweenInstructions();
  const rip = load<u64>(CPU_RIP);
  const block = blockAt(rip);
  unfinished = false;
  beginBlock(blockCount(block) <= most ? block : copyBeginning(block, <u32>most), rip);
  if (repeatWanted) {
    // A REP instruction is not finished: it does not count, and RIP stays.
    unfinished = true;
    clearRepeatWanted();
    store<u64>(RUN_RETIRED, load<u64>(RUN_RETIRED) - 1);
    store<u64>(CPU_RIP, currentRip());
  }
  if (!leaving) betweenInstructions();
}

/** May an interrupt be taken at this boundary? */
function canInject(): bool {
  return (load<u64>(CPU_RFLAGS) & FLAG_IF) != 0 && load<u32>(CPU_INTERRUPT_SHADOW) == 0;
}

/** Events at a boundary, in the order of their priority (SDM vol. 3A, table 6-2). Not 0: an exit. */
function takeEvents(): u32 {
  takeDebugTrap();
  if (debugDue) {
    debugDue = false;
    if (load<u32>(RUN_SINGLE_STEP) != 0) return EXIT_DEBUG;
  }
  if (load<u32>(CPU_NMI_PENDING) != 0 && load<u32>(CPU_NMI_MASKED) == 0 && load<u32>(CPU_INTERRUPT_SHADOW) == 0) {
    store<u32>(CPU_NMI_PENDING, 0);
    store<u32>(CPU_HALTED, 0);
    deliverNmi();
  }
  const injected = load<u32>(CPU_INJECTED_INTERRUPT);
  if (injected != 0 && canInject()) {
    store<u32>(CPU_INJECTED_INTERRUPT, 0);
    store<u32>(CPU_HALTED, 0);
    deliverInterrupt(injected & 0xff, unfinished);
  }
  if (load<u32>(CPU_HALTED) != 0) {
    store<u64>(EXIT_ADDRESS, HALT_HLT);
    return EXIT_HALT;
  }
  if (load<u32>(RUN_WINDOW_REQUEST) != 0 && canInject()) return EXIT_WINDOW;
  return 0;
}

/** The host replaced the state: what was due for the last instruction is not due any more. */
export function forgetInstruction(): void {
  clearLeaving();
  clearPendingIo();
  debugDue = false;
  unfinished = false;
  stepping = false;
  clearPendingDebug();
}

/** Must the next instruction be executed alone? */
function mustStep(): bool {
  const flags = load<u64>(CPU_RFLAGS);
  return (
    load<u32>(CPU_INTERRUPT_SHADOW) != 0 || (flags & (FLAG_TF | FLAG_RF)) != 0 || load<u32>(RUN_SINGLE_STEP) != 0 ||
    load<u32>(CPU_INJECTED_INTERRUPT) != 0 || load<u32>(CPU_NMI_PENDING) != 0
  );
}

/** One instruction, and what follows from it: the shadow ends, RF falls, a step traps. */
function executeOne(): void {
  stepping = (load<u64>(CPU_RFLAGS) & FLAG_TF) != 0;
  store<u32>(CPU_INTERRUPT_SHADOW, 0);
  if ((load<u64>(CPU_RFLAGS) & FLAG_RF) != 0) changeControlFlags(FLAG_RF, 0);
  releaseStep();
  execute(1);
  if (!leaving) afterOne();
}

/** What is due once an instruction that ran alone is complete. */
function afterOne(): void {
  requestAttention();
  debugDue = load<u32>(RUN_SINGLE_STEP) != 0;
  // MOV SS holds the trap back, STI does not; a software interrupt cleared TF and is not trapped.
  if (stepping && !stepHeld && !trapsHeld()) setPendingDebug(DR6_BS);
  stepping = false;
  takeDebugTrap();
}

function trapsHeld(): bool {
  return load<u32>(CPU_INTERRUPT_SHADOW) != 0 && shadowHoldsTraps;
}

/** Delivers the debug trap that the last instruction left, unless MOV SS holds it back for one instruction. */
function takeDebugTrap(): void {
  if (pendingDebug == 0 || trapsHeld()) return;
  store<u64>(DR6, load<u64>(DR6) | pendingDebug);
  clearPendingDebug();
  deliverException(VECTOR_DB, false, 0);
}

/** The host begins a run. */
export function run(): u32 {
  setStatus(load<u64>(CPU_RFLAGS));
  finishing = resumeIo();
  requestAttention();
  return resume();
}

/** Goes on until an exit. */
export function resume(): u32 {
  return leaveWith(loop());
}

/** The host sees exact registers. */
function leaveWith(reason: u32): u32 {
  store<u64>(CPU_RFLAGS, materializeFlags());
  store<u32>(EXIT_REASON, reason);
  return reason;
}

function loop(): u32 {
  if (finishing) {
    do {
      executeOne();
    } while (unfinished && !leaving);
    if (leaving) return settleExit();
    finishing = false;
    clearPendingIo();
    if (load<u32>(RUN_COMPLETE_ONLY) != 0) return EXIT_COMPLETED;
  } else if (load<u32>(RUN_COMPLETE_ONLY) != 0) return EXIT_COMPLETED;
  for (;;) {
    if (attention) {
      betweenInstructions();
      clearAttention();
      const exit = takeEvents();
      if (exit != 0) return exit;
      if (load<u32>(RUN_KICK) != 0) {
        store<u32>(RUN_KICK, 0);
        return EXIT_KICKED;
      }
      if (mustStep()) requestAttention();
    }
    const retired = load<u64>(RUN_RETIRED);
    const limit = load<u64>(RUN_LIMIT);
    if (retired >= limit) return EXIT_LIMIT;
    if (attention) executeOne();
    else execute(limit - retired);
    if (leaving) return settleExit();
  }
  return 0;
}

/** The bytes at RIP, for the report of an engine error: what of them lies in the page. */
function copyInstruction(): void {
  store<u32>(EXIT_ERROR_LENGTH, 0);
  if (load<u32>(EXIT_ERROR_CODE) == ENGINE_ERROR_FETCH) return;
  locate(codeLinear(load<u64>(CPU_RIP)));
  beginInstruction(false, 15);
  for (let i: u32 = 0; i < 15; i++) {
    const byte = fetchByte();
    if (fetchAborted) break;
    store<u8>(EXIT_ERROR_BYTES + <usize>i, <u8>byte);
    store<u32>(EXIT_ERROR_LENGTH, i + 1);
  }
}

/** An instruction left by returning: as if it had thrown. */
function settleExit(): u32 {
  clearLeaving();
  return settle();
}

/** After an import threw: puts the state at the boundary. 0: resume(); else the reason of an exit. */
export function afterUnwind(): u32 {
  const reason = settle();
  return reason == 0 ? 0 : leaveWith(reason);
}

/** After an instruction was left in its middle. */
function settle(): u32 {
  const delivering = currentOp() == 0;
  if (!delivering) {
    store<u64>(RUN_RETIRED, load<u64>(RUN_RETIRED) + opsBefore(currentOp()));
    const retires = unwindKind != UNWIND_EXCEPTION && exitRetires;
    if (committed) store<u64>(RUN_RETIRED, load<u64>(RUN_RETIRED) + 1);
    else store<u64>(CPU_RIP, retires ? nextRip() : currentRip());
    if (retires) {
      store<u64>(RUN_RETIRED, load<u64>(RUN_RETIRED) + 1);
      store<u32>(CPU_HALTED, 1);
    }
    betweenInstructions();
    clearRepeatWanted();
  }
  setCommitted(false);
  requestAttention();
  if (unwindKind != UNWIND_EXCEPTION) {
    if (delivering && load<u32>(EXIT_REASON) == EXIT_MMIO) {
      // The stack or a descriptor table lies where there is no memory: a delivery cannot be begun again.
      clearPendingIo();
      store<u32>(EXIT_REASON, EXIT_ENGINE_ERROR);
      store<u32>(EXIT_ERROR_CODE, ENGINE_ERROR_UNIMPLEMENTED);
    }
    if (load<u32>(EXIT_REASON) == EXIT_ENGINE_ERROR) copyInstruction();
    return load<u32>(EXIT_REASON);
  }
  finishing = false;
  stepping = false;
  clearPendingIo();
  clearPendingDebug();
  deliverException(faultVector, faultHasCode, faultCode);
  if (load<u32>(RUN_SINGLE_STEP) != 0) debugDue = true;
  if (load<u32>(RUN_COMPLETE_ONLY) != 0) return EXIT_COMPLETED;
  return 0;
}
