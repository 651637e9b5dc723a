/**
 * Leaving an instruction in its middle: faults and exits. Both note what happened and call the host's `unwind`, which
 * throws; the host catches it and calls afterUnwind() of run.ts. Nothing after such a call executes.
 *
 * Delivery is the run loop's: it calls deliverException(vector, hasCode, code) of interp/system/interrupt.ts with all state at
 * the boundary before the faulting instruction (CPU_RIP is its RIP, RFLAGS.RF is the deliverer's matter). If the delivery
 * itself raises, the run loop makes a double fault or a shutdown of it (SDM vol. 3, 6.15, table 6-5).
 */
import {
  CPU_CR2, EXIT_ADDRESS, EXIT_ENGINE_ERROR, EXIT_ERROR_CODE, EXIT_HALT, EXIT_REASON, EXIT_SHUTDOWN,
  HALT_FERR, HALT_HLT,
} from './layout';

// @ts-ignore: decorator
@external('env', 'unwind')
declare function unwind(): void;

export const VECTOR_DE: u32 = 0;
export const VECTOR_DB: u32 = 1;
export const VECTOR_NMI: u32 = 2;
export const VECTOR_BP: u32 = 3;
export const VECTOR_OF: u32 = 4;
export const VECTOR_BR: u32 = 5;
export const VECTOR_UD: u32 = 6;
export const VECTOR_NM: u32 = 7;
export const VECTOR_DF: u32 = 8;
export const VECTOR_TS: u32 = 10;
export const VECTOR_NP: u32 = 11;
export const VECTOR_SS: u32 = 12;
export const VECTOR_GP: u32 = 13;
export const VECTOR_PF: u32 = 14;
export const VECTOR_MF: u32 = 16;
export const VECTOR_AC: u32 = 17;
export const VECTOR_XM: u32 = 19;

/** What the last unwinding was. */
export const UNWIND_EXCEPTION: u32 = 1;
export const UNWIND_EXIT: u32 = 2;

/** Noted by the last raise or leave. */
export let unwindKind: u32 = 0;
export let faultVector: u32 = 0;
export let faultHasCode: bool = false;
export let faultCode: u32 = 0;
/** The instruction that leaves has done its work: RIP moves behind it and it counts as retired (HLT). */
export let exitRetires: bool = false;

/** Raises any exception of the faulting kind. */
export function raiseVector(vector: u32, hasCode: bool, code: u32): void {
  unwindKind = UNWIND_EXCEPTION;
  faultVector = vector;
  faultHasCode = hasCode;
  faultCode = code;
  unwind();
  unreachable();
}

export function raiseUD(): void {
  raiseVector(VECTOR_UD, false, 0);
}

export function raiseGP(code: u32): void {
  raiseVector(VECTOR_GP, true, code);
}

export function raiseSS(code: u32): void {
  raiseVector(VECTOR_SS, true, code);
}

export function raiseNP(code: u32): void {
  raiseVector(VECTOR_NP, true, code);
}

export function raiseTS(code: u32): void {
  raiseVector(VECTOR_TS, true, code);
}

export function raiseDE(): void {
  raiseVector(VECTOR_DE, false, 0);
}

export function raiseDB(): void {
  raiseVector(VECTOR_DB, false, 0);
}

export function raiseBR(): void {
  raiseVector(VECTOR_BR, false, 0);
}

export function raiseNM(): void {
  raiseVector(VECTOR_NM, false, 0);
}

export function raiseMF(): void {
  raiseVector(VECTOR_MF, false, 0);
}

export function raiseAC(): void {
  raiseVector(VECTOR_AC, true, 0);
}

/** Sets CR2 too. */
export function raisePF(linear: u64, code: u32): void {
  store<u64>(CPU_CR2, linear);
  raiseVector(VECTOR_PF, true, code);
}

/** An instruction returned without going on, to leave with the exit that it noted: see interp/chain.ts. */
export let leaving: bool = false;

export function clearLeaving(): void {
  leaving = false;
}

/** Notes an exit whose record is filled but for the reason; the instruction does not retire, and returns without going on. */
export function noteLeave(reason: u32): void {
  leaving = true;
  unwindKind = UNWIND_EXIT;
  exitRetires = false;
  store<u32>(EXIT_REASON, reason);
}

/** Leaves in the middle, wherever, with an exit whose record is filled but for the reason. */
export function leave(reason: u32, retires: bool): void {
  unwindKind = UNWIND_EXIT;
  exitRetires = retires;
  store<u32>(EXIT_REASON, reason);
  unwind();
  unreachable();
}

/** HLT: RIP moves behind the instruction, which counts. */
export function leaveHalt(): void {
  store<u64>(EXIT_ADDRESS, HALT_HLT);
  leave(EXIT_HALT, true);
}

/** FERR# is asserted: the processor waits for an interrupt before the instruction. */
export function leaveFerr(): void {
  store<u64>(EXIT_ADDRESS, HALT_FERR);
  leave(EXIT_HALT, false);
}

/** Triple fault and the like. */
export function leaveShutdown(): void {
  leave(EXIT_SHUTDOWN, false);
}

/** The engine cannot go on here; `code` is an ENGINE_ERROR_. The host names the instruction's bytes, RIP and mode. */
export function leaveEngineError(code: u32): void {
  store<u32>(EXIT_ERROR_CODE, code);
  leave(EXIT_ENGINE_ERROR, false);
}
