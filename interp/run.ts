/**
 * The run loop: executes the block at RIP (blocks.ts) and what it chains to (chain.ts), and then looks at what may interrupt (SDM vol. 3A,
 * 6.9). The host calls run(); whenever an import throws (fault.ts), it calls afterUnwind(), and then, if that returned 0, resume().
 */
import { BLOCK_HEADER, blockCount, blockLength } from './block';
import { blockAt } from './blocks';
import { beginBlock, beginStep, branched, copyBeginning, mendCut } from './chain';
import {
  clearPendingDebug, clearRepeatWanted, committed, currentOp, currentRip, nextRip, opsBefore, pendingDebug, releaseStep, repeatWanted,
  setCommitted, setCurrentOp, setFirstOp, setPendingDebug, stepHeld, trapsHeld,
} from './control';
import { DEBUGCTL_BTF, DR6_BS, armedCode, clearDebugHits, codeBreakpoints, debugHits, nextBreakpoint } from './debug';
import { isAmd } from './execute/vendor';
import {
  UNWIND_EXCEPTION, clearLeaving, exitRetires, faultCode, faultHasCode, faultVector, leaving, unwindKind,
} from './fault';
import { beginInstruction, codeLinear, fetchAborted, fetchByte, locate } from './fetch';
import { FLAG_IF, FLAG_RF, FLAG_TF, changeControlFlags, materializeFlags, setStatus } from './flags';
import { clearPendingIo, resumeIo } from './io';
import {
  CPU_HALTED, CPU_INJECTED_INTERRUPT, CPU_INTERRUPT_SHADOW, CPU_MSR_DEBUGCTL, CPU_NMI_MASKED, CPU_NMI_PENDING, CPU_RFLAGS, CPU_RIP,
  ENGINE_ERROR_FETCH, ENGINE_ERROR_UNIMPLEMENTED, EXIT_ADDRESS, EXIT_ARRIVED, EXIT_COMPLETED, EXIT_DEBUG, EXIT_ENGINE_ERROR, EXIT_ERROR_BYTES,
  EXIT_ERROR_CODE, EXIT_ERROR_LENGTH, EXIT_HALT, EXIT_KICKED, EXIT_LEFT_USER, EXIT_LIMIT, EXIT_MMIO, EXIT_REASON, EXIT_WINDOW, HALT_HLT, RUN_COMPLETE_ONLY,
  RUN_KICK, RUN_LIMIT, RUN_RETIRED, RUN_SINGLE_STEP, RUN_STAY_USER, RUN_WINDOW_REQUEST,
} from './layout';
import { attention, clearAttention, currentCpl, requestAttention } from './mode';
import { OP_BYTES, opStart } from './op';
import { arrived, seeking, skipGate } from './seek';
import { deliverDebug, deliverException, deliverInterrupt, deliverNmi } from './system/interrupt';
import { WORK_FAULT, WORK_TURN, spend } from './work';

/** The instruction of the last I/O exit comes first, before any event. */
let finishing: bool = false;
/** RFLAGS.TF was set when the instruction under way began. */
let stepping: bool = false;
/** And IA32_DEBUGCTL.BTF: only a taken branch traps. */
let branchStepping: bool = false;
/** RFLAGS.RF was set when the instruction under way began. */
let resuming: bool = false;
/** The instruction that ran last is a REP instruction that has iterations left. */
let unfinished: bool = false;
/** One instruction was executed, and EXIT_DEBUG is due for it. */
let debugDue: bool = false;

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
  if (branchStepping) beginStep(block, rip);
  else beginBlock(blockCount(block) <= most ? block : copyBeginning(block, <u32>most), rip);
  if (debugHits != 0) mendCut();
  if (repeatWanted) {
    // A REP instruction is not finished: it does not count, and RIP stays.
    unfinished = true;
    clearRepeatWanted();
    store<u64>(RUN_RETIRED, load<u64>(RUN_RETIRED) - 1);
    store<u64>(CPU_RIP, currentRip());
  }
  if (!leaving) betweenInstructions();
}

/** Executes at most `most` instructions, none of which has a breakpoint, or delivers the debug exception of the first one's. */
function executeWatched(most: u64): void {
  if (tookBreakpoint()) return;
  const rip = load<u64>(CPU_RIP);
  const block = blockAt(rip);
  const first = block + BLOCK_HEADER;
  const room = nextBreakpoint(codeLinear(rip), <u32>blockLength(block));
  let free: u64 = 1;
  while (free < blockCount(block) && opStart(first + <usize>free * OP_BYTES) < room) free++;
  // Attention keeps the block from going on to the next.
  requestAttention();
  execute(free < most ? free : most);
}

/** Delivers the fault of an instruction breakpoint at RIP, unless RF keeps it back, or MOV SS (on AMD's processors it does not). */
function tookBreakpoint(): bool {
  if (armedCode == 0 || finishing || unfinished || (load<u64>(CPU_RFLAGS) & FLAG_RF) != 0) return false;
  if (trapsHeld() && !isAmd) return false;
  const bits = codeBreakpoints(codeLinear(load<u64>(CPU_RIP)));
  if (bits == 0) return false;
  betweenInstructions();
  deliverDebug(bits, false);
  requestAttention();
  return true;
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
    deliverNmi(takeUnfinished());
  }
  const injected = load<u32>(CPU_INJECTED_INTERRUPT);
  if (injected != 0 && canInject()) {
    store<u32>(CPU_INJECTED_INTERRUPT, 0);
    store<u32>(CPU_HALTED, 0);
    deliverInterrupt(injected & 0xff, takeUnfinished());
  }
  if (load<u32>(CPU_HALTED) != 0) {
    store<u64>(EXIT_ADDRESS, HALT_HLT);
    return EXIT_HALT;
  }
  if (load<u32>(RUN_WINDOW_REQUEST) != 0 && canInject()) return EXIT_WINDOW;
  return 0;
}

/** Does the event come between the iterations of a REP instruction? What follows is none of it. */
function takeUnfinished(): bool {
  const between = unfinished;
  unfinished = false;
  return between;
}

/** The host replaced the state: what was due for the last instruction is not due any more. */
export function forgetInstruction(): void {
  clearLeaving();
  clearPendingIo();
  debugDue = false;
  unfinished = false;
  stepping = false;
  clearDebugHits();
}

/** The vCPU stands between two iterations of a REP instruction. The host says so of a state that it restored. */
export function isUnfinished(): bool {
  return unfinished;
}
export function setUnfinished(value: bool): void {
  unfinished = value;
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
  if (tookBreakpoint()) return;
  stepping = (load<u64>(CPU_RFLAGS) & FLAG_TF) != 0;
  branchStepping = stepping && (load<u64>(CPU_MSR_DEBUGCTL) & DEBUGCTL_BTF) != 0;
  resuming = (load<u64>(CPU_RFLAGS) & FLAG_RF) != 0;
  store<u32>(CPU_INTERRUPT_SHADOW, 0);
  if (resuming) changeControlFlags(FLAG_RF, 0);
  releaseStep();
  execute(1);
  if (leaving) return;
  // RF holds for all iterations of a REP instruction.
  if (unfinished && resuming) changeControlFlags(0, FLAG_RF);
  afterOne();
}

/** What is due once an instruction that ran alone is complete. */
function afterOne(): void {
  requestAttention();
  debugDue = load<u32>(RUN_SINGLE_STEP) != 0;
  // MOV SS holds the trap back, STI does not; a software interrupt cleared TF and is not trapped.
  if (stepping && !stepHeld && !trapsHeld() && (!branchStepping || branched)) setPendingDebug(DR6_BS);
  stopStepping();
  takeDebugTrap();
}

function stopStepping(): void {
  stepping = false;
  branchStepping = false;
}

/** Delivers the debug trap that the last instruction left, unless MOV SS holds it back for one instruction. */
function takeDebugTrap(): void {
  if (debugHits != 0) {
    setPendingDebug(debugHits);
    clearDebugHits();
  }
  const bits = pendingDebug();
  if (bits == 0 || trapsHeld()) return;
  clearPendingDebug();
  store<u32>(CPU_HALTED, 0);
  deliverDebug(bits, takeUnfinished());
}

/**
 * The landmark is reached: an interrupt that is delivered here pushes RF as the processor of the recording did, which between two
 * iterations of a REP instruction is its own matter.
 */
export function settleLandmark(resumeFlag: bool): void {
  unfinished = false;
  changeControlFlags(FLAG_RF, resumeFlag ? FLAG_RF : 0);
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
    skipGate();
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
      spend(WORK_TURN);
      const exit = takeEvents();
      if (exit != 0) return exit;
      if (load<u32>(RUN_STAY_USER) != 0 && currentCpl != 3) return EXIT_LEFT_USER;
      if (load<u32>(RUN_KICK) != 0) {
        store<u32>(RUN_KICK, 0);
        return EXIT_KICKED;
      }
      // The delivery of an event hit a data breakpoint: its trap is due before the handler's first instruction.
      if (debugHits != 0) {
        requestAttention();
        continue;
      }
      if (mustStep()) requestAttention();
    }
    const retired = load<u64>(RUN_RETIRED);
    const limit = load<u64>(RUN_LIMIT);
    if (retired >= limit) return EXIT_LIMIT;
    if (seeking && arrived()) return EXIT_ARRIVED;
    if (attention) executeOne();
    else if (armedCode != 0) executeWatched(limit - retired);
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
  const isFinal = delivering || committed;
  if (!delivering) {
    store<u64>(RUN_RETIRED, load<u64>(RUN_RETIRED) + opsBefore(currentOp()));
    const retires = unwindKind != UNWIND_EXCEPTION && exitRetires;
    if (committed) store<u64>(RUN_RETIRED, load<u64>(RUN_RETIRED) + 1);
    else store<u64>(CPU_RIP, retires ? nextRip() : currentRip());
    if (retires) {
      store<u64>(RUN_RETIRED, load<u64>(RUN_RETIRED) + 1);
      store<u32>(CPU_HALTED, 1);
      if (stepping && !branchStepping) setPendingDebug(DR6_BS);
    } else if (resuming && unwindKind != UNWIND_EXCEPTION) changeControlFlags(0, FLAG_RF);
    betweenInstructions();
    clearRepeatWanted();
  }
  resuming = false;
  stopStepping();
  mendCut();
  clearDebugHits();
  setCommitted(false);
  requestAttention();
  if (unwindKind != UNWIND_EXCEPTION) {
    if (isFinal && load<u32>(EXIT_REASON) == EXIT_MMIO) {
      // The stack or a descriptor table lies where there is no memory: neither a delivery nor a new task can be begun again.
      clearPendingIo();
      store<u32>(EXIT_REASON, EXIT_ENGINE_ERROR);
      store<u32>(EXIT_ERROR_CODE, ENGINE_ERROR_UNIMPLEMENTED);
    }
    if (load<u32>(EXIT_REASON) == EXIT_ENGINE_ERROR) copyInstruction();
    // A trap that is due ends HLT at once.
    if (load<u32>(EXIT_REASON) == EXIT_HALT && pendingDebug() != 0) return 0;
    return load<u32>(EXIT_REASON);
  }
  spend(WORK_FAULT);
  finishing = false;
  clearPendingIo();
  // A trap of the instruction before (MOV SS) is lost, as the manual allows (SDM vol. 3C, 26.7.3).
  clearPendingDebug();
  deliverException(faultVector, faultHasCode, faultCode);
  if (load<u32>(RUN_SINGLE_STEP) != 0) debugDue = true;
  if (load<u32>(RUN_COMPLETE_ONLY) != 0) return EXIT_COMPLETED;
  return 0;
}
