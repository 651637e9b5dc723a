/**
 * The x87's registers and what every instruction does at its begin and its end (SDM vol. 1, 8.1 and 8.5): #NM, #MF, the register
 * stack, exception flags with their masked and unmasked answers, and the pointers to the last instruction and operand. The state lives in
 * the FXSAVE64 image at CPU_FXSAVE; there ST0 comes first, so that a push or a pop moves all eight registers.
 *
 * The pointers: FIP, FDP and FOP follow every non-control instruction, FDP only those with a memory operand. FCS and FDS are always
 * saved as 0 (the "deprecated FCS and FDS" of CPUID 7.EBX bit 13; the image has no room for them).
 *
 * An instruction computes, writes its memory operand (which may fault or leave) and only then changes the state here.
 */
import { currentRip } from '../control';
import { leaveFerr, raiseMF, raiseNM } from '../fault';
import { CPU_FERR, CPU_FXSAVE, CPU_IGNNE } from '../layout';
import { effectiveAddress } from '../memory';
import { opModrm } from '../op';
import { CR0_EM, CR0_NE, CR0_TS, cr0 } from '../registers';
import { beginX87, exceptionFlags, FLAG_DENORMAL, FLAG_INEXACT, FLAG_INVALID, FLAG_OVERFLOW, FLAG_UNDERFLOW, FLAG_ZERO_DIVIDE, roundedUp } from '../softfloat/common';
import { extHigh, extSig } from '../softfloat/extended';

export const X87_CONTROL: usize = CPU_FXSAVE;
export const X87_STATUS: usize = CPU_FXSAVE + 2;
export const X87_TAGS: usize = CPU_FXSAVE + 4;
export const X87_OPCODE: usize = CPU_FXSAVE + 6;
export const X87_INSTRUCTION: usize = CPU_FXSAVE + 8;
export const X87_DATA: usize = CPU_FXSAVE + 16;
export const X87_REGISTERS: usize = CPU_FXSAVE + 32;

/** Bits of the status word. */
export const STATUS_FLAGS: u32 = 0x3f;
export const STATUS_STACK: u32 = 0x40;
/** ES and B: an unmasked exception waits. */
export const STATUS_SUMMARY: u32 = 0x8080;
export const STATUS_C0: u32 = 0x100;
export const STATUS_C1: u32 = 0x200;
export const STATUS_C2: u32 = 0x400;
export const STATUS_C3: u32 = 0x4000;
export const STATUS_TOP: u32 = 0x3800;
const CONDITIONS: u32 = STATUS_C0 | STATUS_C2 | STATUS_C3;

/** What an instruction found before it computed: these keep results from being stored if they are not masked. */
const BEFORE: u32 = FLAG_INVALID | FLAG_DENORMAL | FLAG_ZERO_DIVIDE;

// @ts-ignore: decorator
@inline
export function x87Control(): u32 {
  return load<u16>(X87_CONTROL);
}

// @ts-ignore: decorator
@inline
export function x87Status(): u32 {
  return load<u16>(X87_STATUS);
}

/** #NM as every x87 instruction but FWAIT has it. */
// @ts-ignore: decorator
@inline
export function requireX87(): void {
  if ((cr0() & (CR0_EM | CR0_TS)) != 0) raiseNM();
}

/**
 * If an unmasked exception waits: #MF, or with CR0.NE clear FERR#, and the processor stands still for an interrupt unless IGNNE# is asserted.
 * FERR# comes here, not where the exception was found: the manual leaves that to the processor (SDM vol. 1, 8.7.2).
 */
export function checkPendingX87(): void {
  if ((x87Status() & 0x80) == 0) return;
  if ((cr0() & CR0_NE) != 0) raiseMF();
  if (load<u32>(CPU_IGNNE) != 0) return;
  store<u32>(CPU_FERR, 1);
  leaveFerr();
}

/** No unmasked exception is left: FERR# falls, and IGNNE# with it (SDM vol. 1, D.2.1.2). */
export function releaseFerr(): void {
  store<u32>(CPU_FERR, 0);
  store<u32>(CPU_IGNNE, 0);
}

/** Recomputes ES and B after a change of the masks or of the flags. */
export function updateSummary(): void {
  const status = x87Status();
  const unmasked = status & ~x87Control() & STATUS_FLAGS;
  store<u16>(X87_STATUS, <u16>(unmasked != 0 ? status | STATUS_SUMMARY : status & ~STATUS_SUMMARY));
  if (unmasked == 0) releaseFerr();
}

/** The checks of an instruction that waits for pending exceptions. */
// @ts-ignore: decorator
@inline
export function waitingX87(): void {
  requireX87();
  checkPendingX87();
}

/** The checks, and the environment of softfloat, for an instruction that computes. */
// @ts-ignore: decorator
@inline
export function computingX87(): void {
  waitingX87();
  beginX87(x87Control());
}

/** Notes the instruction; `escape` is the low three bits of its first byte. */
export function notePointers(op: usize, escape: u32): void {
  store<u16>(X87_OPCODE, <u16>((escape << 8) | opModrm(op)));
  store<u64>(X87_INSTRUCTION, currentRip());
  if (opModrm(op) < 0xc0) store<u64>(X87_DATA, effectiveAddress(op));
}

/** Address of ST(i). */
// @ts-ignore: decorator
@inline
export function stackAt(i: u32): usize {
  return X87_REGISTERS + (<usize>i << 4);
}

// @ts-ignore: decorator
@inline
export function stackHigh(i: u32): u32 {
  return load<u16>(stackAt(i), 8);
}

// @ts-ignore: decorator
@inline
export function stackSig(i: u32): u64 {
  return load<u64>(stackAt(i));
}

// @ts-ignore: decorator
@inline
function tagBit(i: u32): u32 {
  return 1 << (((x87Status() >> 11) + i) & 7);
}

// @ts-ignore: decorator
@inline
export function stackEmpty(i: u32): bool {
  return (<u32>load<u8>(X87_TAGS) & tagBit(i)) == 0;
}

/** Writes ST(i), which is no longer empty. */
// @ts-ignore: decorator
@inline
export function setStack(i: u32, high: u32, sig: u64): void {
  store<u64>(stackAt(i), sig);
  store<u16>(stackAt(i), <u16>high, 8);
  store<u8>(X87_TAGS, <u8>(<u32>load<u8>(X87_TAGS) | tagBit(i)));
}

/** Writes ST(i) with the last result of softfloat. */
// @ts-ignore: decorator
@inline
export function setStackResult(i: u32): void {
  setStack(i, extHigh, extSig);
}

/** Marks ST(i) empty. */
// @ts-ignore: decorator
@inline
export function freeStack(i: u32): void {
  store<u8>(X87_TAGS, <u8>(<u32>load<u8>(X87_TAGS) & ~tagBit(i)));
}

/** TOP - 1: what was ST0 becomes ST1, and what was ST7 becomes ST0. Tags stay. */
export function decrementTop(): void {
  const last = v128.load(X87_REGISTERS + 112);
  for (let at = X87_REGISTERS + 112; at != X87_REGISTERS; at -= 16) v128.store(at, v128.load(at - 16));
  v128.store(X87_REGISTERS, last);
  const status = x87Status();
  store<u16>(X87_STATUS, <u16>((status & ~STATUS_TOP) | ((status - 0x800) & STATUS_TOP)));
}

/** TOP + 1. */
export function incrementTop(): void {
  const first = v128.load(X87_REGISTERS);
  for (let at = X87_REGISTERS; at != X87_REGISTERS + 112; at += 16) v128.store(at, v128.load(at + 16));
  v128.store(X87_REGISTERS + 112, first);
  const status = x87Status();
  store<u16>(X87_STATUS, <u16>((status & ~STATUS_TOP) | ((status + 0x800) & STATUS_TOP)));
}

export function popStack(): void {
  freeStack(0);
  incrementTop();
}

export function pushStack(high: u32, sig: u64): void {
  decrementTop();
  setStack(0, high, sig);
}

/** Flags and C1 that {@link settleFlags} leaves for {@link commitFlags}. */
let settledFlags: u32 = 0;
let settledC1: bool = false;

/**
 * Looks at what the computation raised. False: an unmasked exception keeps the result from being stored (and the stack as it is).
 * Unmasked overflow and underflow do so only for a memory destination.
 */
export function settleFlags(toMemory: bool): bool {
  settledFlags = exceptionFlags;
  settledC1 = roundedUp;
  const unmasked = exceptionFlags & ~x87Control();
  if ((unmasked & BEFORE) != 0) {
    settledFlags &= BEFORE;
    settledC1 = false;
    return false;
  }
  if (toMemory && (unmasked & (FLAG_OVERFLOW | FLAG_UNDERFLOW)) != 0) {
    settledFlags &= ~FLAG_INEXACT;
    settledC1 = false;
    return false;
  }
  return true;
}

/** Puts the settled flags and C1 into the status word. */
export function commitFlags(): void {
  const status = (x87Status() & ~STATUS_C1) | settledFlags | (settledC1 ? STATUS_C1 : 0);
  const unmasked = status & ~x87Control() & STATUS_FLAGS;
  store<u16>(X87_STATUS, <u16>(unmasked != 0 ? status | STATUS_SUMMARY : status));
}

/** Settles and commits, for results that go to registers. */
export function finishFlags(): bool {
  const stored = settleFlags(false);
  commitFlags();
  return stored;
}

/** Clears C1. */
export function clearC1(): void {
  store<u16>(X87_STATUS, <u16>(x87Status() & ~STATUS_C1));
}

/** Notes a stack fault: underflow, or overflow (C1 = 1). Returns whether it is masked. */
export function stackFault(overflow: bool): bool {
  const status = x87Status() & ~STATUS_C1;
  store<u16>(X87_STATUS, <u16>(status | FLAG_INVALID | STATUS_STACK | (overflow ? STATUS_C1 : 0)));
  updateSummary();
  return (x87Control() & 1) != 0;
}

/** Writes the indefinite quiet NaN to ST(i). */
export function setStackIndefinite(i: u32): void {
  setStack(i, 0xffff, 0xc000000000000000);
}

/** Sets C3, C2, C0. */
export function setConditions(bits: u32): void {
  store<u16>(X87_STATUS, <u16>((x87Status() & ~CONDITIONS) | bits));
}
