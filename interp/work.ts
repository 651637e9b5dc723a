/**
 * What the guest costs the interpreter beyond one step an instruction, so that a run of few but slow instructions, or of faults alone, gives
 * control back as soon as one of fast ones. The units are instructions of usual speed, about 5 ns each: they are counted by what the
 * guest does, never by a clock, so that two runs of a guest are cut at the same places. What takes less than ten units is not counted.
 */
import { RUN_KICK, RUN_WORK, RUN_WORK_END } from './layout';
import { requestAttention } from './mode';

/** Leaving WebAssembly for a fault, and its delivery. */
export const WORK_FAULT: u64 = 500;
/** A turn of the run loop: what no block goes on from by itself (control registers, STI, far transfers, single steps). */
export const WORK_TURN: u64 = 16;
/** Decoding one instruction. */
export const WORK_DECODE: u64 = 12;
/** Dropping blocks that the guest wrote to. */
export const WORK_DROP: u64 = 150;
/** A walk of the page tables, or an access across two pages. */
export const WORK_WALK: u64 = 16;
/** Sine, cosine, tangent and their like. */
export const WORK_TRANSCENDENTAL: u64 = 500;
/** A switch to another task. */
export const WORK_TASK: u64 = 200;
/** Bytes that REP MOVS and REP STOS move at once in the time of a unit: 2 to this power. */
export const BULK_SHIFT: u32 = 7;

/** So much was done. Beyond RUN_WORK_END the run is kicked. */
export function spend(units: u64): void {
  const work = load<u64>(RUN_WORK) + units;
  store<u64>(RUN_WORK, work);
  if (work < load<u64>(RUN_WORK_END)) return;
  store<u32>(RUN_KICK, 1);
  requestAttention();
}
