/**
 * Looking for a landmark (docs/determinism.md): a boundary at which all registers, the rest of the CPU's state and some places in
 * memory are those that the host wants. While one is looked for, no block goes across its RIP, and the one that begins there compares
 * before it executes; a REP instruction there is cut at the count that is wanted.
 */
import { BLOCK_HEADER, flushJumps, noteWrite, pageHoldsCode } from './block';
import { codeLinear } from './fetch';
import { materializeFlags } from './flags';
import { hashMemory } from './hash';
import {
  CPU_CR0, CPU_CR3, CPU_CR4, CPU_EFER, CPU_FXSAVE, CPU_GPR, CPU_HASHED, CPU_HASHED_FXSAVE, CPU_HASHED_SIZE, CPU_INTERRUPT_SHADOW,
  CPU_MSR_KERNEL_GS_BASE, CPU_RIP, CPU_RIP_BASE, CPU_SEGMENTS, RUN_RETIRED, SEEK_AMBIGUOUS, SEEK_CPU_HASH, SEEK_NEAREST, SEEK_NEAREST_COUNT, SEEK_PASSED, SEEK_PLACES,
  SEEK_PLACE_COUNT, SEEK_PLACE_LENGTH, SEEK_REGISTERS, SEGMENT_BASE, SEGMENT_SELECTOR, SEGMENT_SIZE,
} from './layout';
import { isLongMode } from './mode';
import { REG_RCX, SEG_CS, SEG_FS, SEG_GS, SEG_SS } from './registers';

const GENERAL_REGISTERS: u32 = 16;
const RIP: usize = 16 * 8;
const RFLAGS: usize = 17 * 8;
/** Within a REP instruction silicon shows RF, which is not set at the same boundary elsewhere (SDM vol. 3B, 17.3.1.1). */
const RF: u64 = 1 << 16;
/** The registers in the order in which they are compared: those first that loops change. */
const ORDER: usize = memory.data<u8>([1, 0, 2, 6, 7, 3, 8, 9, 10, 11, 12, 13, 14, 15, 5, 4]);

export let seeking: bool = false;
export let seekRip: u64 = 0;
/** The host saw this boundary and wants the next one. */
let passing: bool = false;
/** RUN_RETIRED when the run loop looked last: the instruction that it then begins with was looked at. */
let checkedAt: u64 = 0;
const NOWHERE: u64 = u64.MAX_VALUE;
/** Where seekRip was found to lie. */
let seekPhysical: u64 = NOWHERE;
/** The first op of the block that begins there, and its function; 0: no block does yet. */
let gated: usize = 0;
let gatedHandler: u32 = 0;

/** The host wrote SEEK_… and wants to arrive there; or not any more. */
export function seek(on: bool): void {
  openGate();
  seeking = on;
  passing = false;
  seekPhysical = NOWHERE;
  if (!on) return;
  seekRip = load<u64>(SEEK_REGISTERS + RIP);
  store<u64>(SEEK_PASSED, 0);
  store<u64>(SEEK_AMBIGUOUS, 0);
  store<u32>(SEEK_NEAREST_COUNT, 0);
  flushJumps();
}

/** The host: this boundary is not the one. */
export function pass(): void {
  passing = true;
}

/** Remembers the registers of the boundary that was nearest so far. */
function noteNearest(equal: u32): void {
  store<u64>(SEEK_PASSED, load<u64>(SEEK_PASSED) + 1);
  if (equal < load<u32>(SEEK_NEAREST_COUNT)) return;
  store<u32>(SEEK_NEAREST_COUNT, equal + 1);
  memory.copy(SEEK_NEAREST, CPU_GPR, GENERAL_REGISTERS * 8);
  store<u64>(SEEK_NEAREST, load<u64>(CPU_RIP), RIP);
  store<u64>(SEEK_NEAREST, materializeFlags(), RFLAGS);
}

/** CPU_HASHED is filled, and its hash is returned. */
export function hashCpu(): u64 {
  store<u64>(CPU_HASHED, load<u64>(CPU_CR0));
  store<u64>(CPU_HASHED, load<u64>(CPU_CR3), 8);
  store<u64>(CPU_HASHED, load<u64>(CPU_CR4), 16);
  store<u64>(CPU_HASHED, load<u64>(CPU_EFER), 24);
  store<u64>(CPU_HASHED, isLongMode ? load<u64>(CPU_SEGMENTS + SEG_FS * SEGMENT_SIZE + SEGMENT_BASE) : 0, 32);
  store<u64>(CPU_HASHED, isLongMode ? load<u64>(CPU_SEGMENTS + SEG_GS * SEGMENT_SIZE + SEGMENT_BASE) : 0, 40);
  store<u64>(CPU_HASHED, isLongMode ? load<u64>(CPU_MSR_KERNEL_GS_BASE) : 0, 48);
  store<u16>(CPU_HASHED, load<u16>(CPU_SEGMENTS + SEG_CS * SEGMENT_SIZE + SEGMENT_SELECTOR), 56);
  store<u16>(CPU_HASHED, load<u16>(CPU_SEGMENTS + SEG_SS * SEGMENT_SIZE + SEGMENT_SELECTOR), 58);
  // FCW, FSW, FTW; MXCSR; the registers, whose upper six bytes are no state; all else stays zero.
  store<u32>(CPU_HASHED_FXSAVE, load<u32>(CPU_FXSAVE));
  store<u8>(CPU_HASHED_FXSAVE, load<u8>(CPU_FXSAVE, 4), 4);
  store<u32>(CPU_HASHED_FXSAVE, load<u32>(CPU_FXSAVE, 24), 24);
  store<u32>(CPU_HASHED_FXSAVE, 0xffff, 28);
  for (let i: usize = 32; i < 160; i += 16) {
    store<u64>(CPU_HASHED_FXSAVE + i, load<u64>(CPU_FXSAVE + i));
    store<u16>(CPU_HASHED_FXSAVE + i, load<u16>(CPU_FXSAVE + i, 8), 8);
  }
  memory.copy(CPU_HASHED_FXSAVE + 160, CPU_FXSAVE + 160, 256);
  return hashMemory(CPU_HASHED, CPU_HASHED_SIZE, u64.MAX_VALUE);
}

/** Is all that the interpreter is asked to compare as it is wanted? RIP is. */
export function matches(): bool {
  let equal: u32 = 0;
  for (; equal < GENERAL_REGISTERS; equal++) {
    const at = <usize>load<u8>(ORDER + <usize>equal) * 8;
    if (load<u64>(CPU_GPR + at) != load<u64>(SEEK_REGISTERS + at)) break;
  }
  if (equal == GENERAL_REGISTERS && ((materializeFlags() ^ load<u64>(SEEK_REGISTERS + RFLAGS)) & ~RF) == 0) {
    equal++;
    if (load<u32>(CPU_INTERRUPT_SHADOW) == 0 && placesMatch() && hashCpu() == load<u64>(SEEK_CPU_HASH)) return true;
    store<u64>(SEEK_AMBIGUOUS, load<u64>(SEEK_AMBIGUOUS) + 1);
  }
  noteNearest(equal);
  return false;
}

function placesMatch(): bool {
  const end: usize = SEEK_PLACES + <usize>load<u32>(SEEK_PLACE_COUNT) * 16;
  for (let place: usize = SEEK_PLACES; place < end; place += 16) {
    if (hashMemory(load<u32>(place), SEEK_PLACE_LENGTH, u64.MAX_VALUE) != load<u64>(place, 8)) return false;
  }
  return true;
}

/** What the run loop begins with now is not looked at. */
export function skipGate(): void {
  checkedAt = load<u64>(RUN_RETIRED);
}

/** The run loop at a boundary: is this what the host looks for? */
export function arrived(): bool {
  skipGate();
  if (passing) {
    passing = false;
    return false;
  }
  return load<u64>(CPU_RIP) == seekRip && matches();
}

/**
 * The run loop looks up code, which it does at least once for each page before a chain can run there: if the landmark is in
 * that page, no block may go across it, and the one that begins there has a gate.
 */
export function prepareSeek(linear: u64, physical: u32): void {
  const target = codeLinear(seekRip);
  if ((target ^ linear) >> 12 != 0) return;
  const place = <u64>((physical & ~0xfff) | (<u32>target & 0xfff));
  if (place == seekPhysical) return;
  openGate();
  seekPhysical = place;
  if (pageHoldsCode(<u32>place >> 12)) noteWrite(<u32>place, 1);
}

/** Is this the physical address where a landmark is looked for? */
// @ts-ignore: decorator
@inline
export function beginsAtSeek(physical: u32): bool {
  return <u64>physical == seekPhysical;
}

/** The first instruction of the block waits for {@link checkGate}. */
export function gate(block: usize): void {
  openGate();
  gated = block + BLOCK_HEADER;
  gatedHandler = load<u32>(gated);
  store<u32>(gated, (<(op: usize) => void>checkGate).index);
}

function openGate(): void {
  if (gated != 0 && load<u32>(gated) == (<(op: usize) => void>checkGate).index) store<u32>(gated, gatedHandler);
  gated = 0;
}

/** In the place of the first instruction of a block: leaves the chain at the landmark. */
function checkGate(op: usize): void {
  const rip = load<u64>(CPU_RIP_BASE);
  if (rip == seekRip && load<u64>(RUN_RETIRED) != checkedAt && matches()) {
    store<u64>(CPU_RIP, rip);
    return;
  }
  call_indirect<void>(gatedHandler, op);
}

/** Iterations of a REP instruction at the RIP that is looked for until its count is the wanted one; at most `most`. */
export function iterationsToSeek(addressSize: u32, most: u32): u32 {
  const mask: u64 = addressSize == 8 ? u64.MAX_VALUE : addressSize == 4 ? 0xffffffff : 0xffff;
  const count = load<u64>(CPU_GPR + REG_RCX) & mask;
  const wanted = load<u64>(SEEK_REGISTERS + REG_RCX) & mask;
  return count > wanted && count - wanted < most ? <u32>(count - wanted) : most;
}
