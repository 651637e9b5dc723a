/** Where the CPU is: the instruction under way, its RIP, near jumps, and what a handler may ask of the run loop. */
import { DR6_BS } from './debug';
import {
  CPU_INTERRUPT_SHADOW, CPU_PENDING_DEBUG, CPU_RFLAGS, CPU_RIP, CPU_RIP_BASE, CPU_TSC_OFFSET, RUN_CURRENT_OP, RUN_FIRST_OP, RUN_RETIRED,
  RUN_SINGLE_STEP,
} from './layout';
import { raiseGP } from './fault';
import { FLAG_TF } from './flags';
import { codeEnd, isMode64, requestAttention } from './mode';
import { OP_BYTES, opLength, opStart } from './op';
import { clearPendingIo } from './io';
import { iterationsToSeek, seekRip, seeking } from './seek';
import { noteUnhookedSite } from './unhooked';

/** The op under way. 0 outside instructions. */
// @ts-ignore: decorator
@inline
export function currentOp(): usize {
  return load<u32>(RUN_CURRENT_OP);
}

/** The first op of its block. */
// @ts-ignore: decorator
@inline
export function firstOp(): usize {
  return load<u32>(RUN_FIRST_OP);
}

/** Instructions of the block before `op`. */
// @ts-ignore: decorator
@inline
export function opsBefore(op: usize): u64 {
  return <u64>((op - firstOp()) / OP_BYTES);
}

/** A REP instruction returned before it was finished: RIP stays at it. */
export let repeatWanted: bool = false;

// @ts-ignore: decorator
@inline
export function setCurrentOp(op: usize): void {
  store<u32>(RUN_CURRENT_OP, <u32>op);
}

// @ts-ignore: decorator
@inline
export function setFirstOp(op: usize): void {
  store<u32>(RUN_FIRST_OP, <u32>op);
}

/** A task switch is committed: a fault from here on is one of the new task, at CPU_RIP, and the instruction counts. */
export let committed: bool = false;

export function setCommitted(value: bool): void {
  committed = value;
}

/** A debug trap is due at the next instruction boundary, with these bits in DR6. */
export function setPendingDebug(bits: u64): void {
  store<u32>(CPU_PENDING_DEBUG, load<u32>(CPU_PENDING_DEBUG) | <u32>bits);
  requestAttention();
}

/** These bits, 0 if none is due. */
export function pendingDebug(): u64 {
  return load<u32>(CPU_PENDING_DEBUG);
}

export function clearPendingDebug(): void {
  store<u32>(CPU_PENDING_DEBUG, 0);
}

export function clearRepeatWanted(): void {
  repeatWanted = false;
}

/** RIP of the instruction under way. */
// @ts-ignore: decorator
@inline
export function currentRip(): u64 {
  return load<u64>(CPU_RIP_BASE) + <u64>opStart(currentOp());
}

/** RIP of the instruction after it. */
// @ts-ignore: decorator
@inline
export function nextRip(): u64 {
  const op = currentOp();
  return load<u64>(CPU_RIP_BASE) + <u64>(opStart(op) + opLength(op));
}

/** Counts an instruction whose answer another processor would give differently, at RUN_UNHOOKED_…, and keeps its place. */
export function noteUnhooked(counter: usize, kind: u32): void {
  noteUnhookedSite(currentRip(), kind);
  const count = load<u32>(counter);
  if (count == 0) store<u64>(counter, currentRip(), 8);
  if (count != 0xffffffff) store<u32>(counter, count + 1);
}

/** Sets RIP without any check: the row must have `ends`. */
// @ts-ignore: decorator
@inline
export function setRip(rip: u64): void {
  store<u64>(CPU_RIP, rip);
}

/** Is the address canonical (48 bits)? */
// @ts-ignore: decorator
@inline
export function canonical(linear: u64): bool {
  return (<i64>(linear << 16)) >> 16 == <i64>linear;
}

/** `target` cut to `size` (2, 4 or 8) bytes and checked: #GP(0) past CS.limit or not canonical. Returns what to jump to. */
// @ts-ignore: decorator
@inline
export function checkTarget(target: u64, size: i32): u64 {
  let rip = target;
  if (size == 2) rip &= 0xffff;
  else if (size == 4) rip &= 0xffffffff;
  if (isMode64) {
    if (!canonical(rip)) raiseGP(0);
  } else if (rip >= codeEnd) raiseGP(0);
  return rip;
}

/** The same by an operand size that a near branch has: 64 bits are those of 64-bit mode, 32 bits never. */
// @ts-ignore: decorator
@inline
export function checkTargetOf<T>(target: u64): u64 {
  if (sizeof<T>() == 8) {
    if (!canonical(target)) raiseGP(0);
    return target;
  }
  if (sizeof<T>() == 4) {
    const rip = target & 0xffffffff;
    if (rip >= codeEnd) raiseGP(0);
    return rip;
  }
  return checkTarget(target, sizeof<T>());
}

/** Would {@link checkTarget} allow it? */
// @ts-ignore: decorator
@inline
export function isTarget(target: u64, size: i32): bool {
  const rip = size == 2 ? target & 0xffff : size == 4 ? target & 0xffffffff : target;
  return isMode64 ? canonical(rip) : rip < codeEnd;
}

/** Values of CPU_INTERRUPT_SHADOW. */
const SHADOW_STACK: u32 = 1;
const SHADOW_STI: u32 = 2;
/** The instruction under way is a software interrupt, which is not single-stepped into its handler. */
export let stepHeld: bool = false;

/** The interrupt shadow is one of MOV SS or POP SS, which holds debug traps back too (SDM vol. 3A, 6.8.3). */
export function trapsHeld(): bool {
  return load<u32>(CPU_INTERRUPT_SHADOW) == SHADOW_STACK;
}

export function holdStep(): void {
  stepHeld = true;
}

export function releaseStep(): void {
  stepHeld = false;
}

/** SYSCALL and SYSRET: TF as they leave it traps, and at once (Linux, entry_64.S: "unlike IRET, restoring TF results in a trap […] immediately"). */
export function stepByNewFlags(): void {
  stepHeld = true;
  if ((load<u64>(CPU_RFLAGS) & FLAG_TF) != 0) setPendingDebug(DR6_BS);
}

/** MOV SS, POP SS: no interrupt and no debug exception before the instruction after the next one. The row must have `ends`. */
export function setStackShadow(): void {
  store<u32>(CPU_INTERRUPT_SHADOW, SHADOW_STACK);
  requestAttention();
}

/** STI: no interrupt before the instruction after the next one. The row must have `ends`. */
export function setInterruptShadow(): void {
  store<u32>(CPU_INTERRUPT_SHADOW, SHADOW_STI);
  requestAttention();
}

/** Instructions retired before the one under way. */
export function retiredNow(): u64 {
  return load<u64>(RUN_RETIRED) + opsBefore(currentOp());
}

/** The guest's time-stamp counter. */
export function timeStampCounter(): u64 {
  return retiredNow() + load<u64>(CPU_TSC_OFFSET);
}

/** The most iterations of a REP instruction in one call, so that kicks are seen. */
const REPEAT_MAX: u32 = 4096;

/** How many iterations a REP instruction may do in one call: 1 under single step and TF; not beyond a landmark. */
export function repeatBudget(addressSize: u32): u32 {
  if (load<u32>(RUN_SINGLE_STEP) != 0 || (load<u64>(CPU_RFLAGS) & FLAG_TF) != 0) return 1;
  if (seeking && currentRip() == seekRip) return iterationsToSeek(addressSize, REPEAT_MAX);
  return REPEAT_MAX;
}

/** An iteration of a REP instruction is done and its registers are written: I/O answers of it are used up. */
// @ts-ignore: decorator
@inline
export function commitIteration(): void {
  clearPendingIo();
}

/**
 * A REP instruction returns before its last iteration: RIP stays at the instruction, which does not count as retired yet; the run
 * loop looks at kicks, windows and steps and comes again. The row must have `ends`. Return right after.
 */
export function repeatYield(): void {
  repeatWanted = true;
  requestAttention();
}
