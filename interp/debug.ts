/**
 * Breakpoints of the debug registers (SDM vol. 3B, 17.2 and 17.3): which are armed, and which conditions the instruction under way met.
 *
 * What is not armed costs nothing: a page under a data breakpoint is in no TLB, so that accesses to it come here by the slow path, and
 * an instruction breakpoint keeps the run loop from going on from block to block without a look.
 */
import { cutBehind } from './chain';
import { CPU_CR4, CPU_DR, CPU_MSR_DEBUGCTL } from './layout';
import { requestAttention } from './mode';
import { CR4_DE } from './registers';
import { flushTlb } from './tlb';

const DR6: usize = CPU_DR + 32;
const DR7: usize = CPU_DR + 40;
/** DR6.B0 to B3. */
const DR6_CONDITIONS: u64 = 15;
/** DR6.BD: a debug register is accessed under DR7.GD. */
export const DR6_BD: u64 = 1 << 13;
/** DR6.BS: a single step. */
export const DR6_BS: u64 = 1 << 14;
/** DR6.BT: the TSS of the task switched to has T set. */
export const DR6_BT: u64 = 1 << 15;
export const DR7_GD: u64 = 1 << 13;
/** IA32_DEBUGCTL.BTF: TF steps over taken branches. */
export const DEBUGCTL_BTF: u64 = 2;

/** DR7.R/W. */
const KIND_CODE: u32 = 0;
const KIND_WRITE: u32 = 1;
const KIND_PORT: u32 = 2;

/** Bit i: breakpoint i is enabled and of that kind. */
export let armedCode: u32 = 0;
let armedData: u32 = 0;
export let armedPorts: u32 = 0;
/** Breakpoints whose data or port the instruction under way, or the delivery of an event, accessed. */
export let debugHits: u32 = 0;

function kindOf(i: u32): u32 {
  return (load<u32>(DR7) >> (16 + i * 4)) & 3;
}

/** Bytes: 1, 2, 4 or 8; DR7.LEN is 0, 1, 3 or 2 for them. */
function lengthOf(i: u32): u64 {
  const field = (load<u32>(DR7) >> (18 + i * 4)) & 3;
  return field == 2 ? 8 : <u64>field + 1;
}

function addressOf(i: u32): u64 {
  return load<u64>(CPU_DR + <usize>i * 8);
}

/** After every change of DR0 to DR3, DR7 and CR4.DE. */
export function refreshDebug(): void {
  const enabled = load<u32>(DR7);
  const watched = armedData;
  armedCode = 0;
  armedData = 0;
  armedPorts = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if (((enabled >> (i * 2)) & 3) == 0) continue;
    const kind = kindOf(i);
    if (kind == KIND_CODE) armedCode |= 1 << i;
    else if (kind != KIND_PORT) armedData |= 1 << i;
    else if ((load<u64>(CPU_CR4) & CR4_DE) != 0) armedPorts |= 1 << i;
  }
  if ((watched | armedData) != 0) flushTlb();
  requestAttention();
}

/** Do `size` bytes at `first` overlap what breakpoint i watches? Low bits of its address are ignored (17.2.5). */
function overlaps(i: u32, first: u64, size: u32): bool {
  const length = lengthOf(i);
  const start = addressOf(i) & ~(length - 1);
  return first - start < length || start - first < <u64>size;
}

function hit(i: u32): void {
  debugHits |= 1 << i;
  requestAttention();
  cutBehind();
}

/** Must accesses to the page of `linear` come to {@link noteAccess}? */
export function isWatched(linear: u64): bool {
  if (armedData == 0) return false;
  for (let i: u32 = 0; i < 4; i++) {
    if (((armedData >> i) & 1) != 0 && (addressOf(i) ^ linear) >> 12 == 0) return true;
  }
  return false;
}

/** `size` bytes at `linear` are read or written. */
export function noteAccess(linear: u64, size: u32, write: bool): void {
  if (armedData == 0) return;
  for (let i: u32 = 0; i < 4; i++) {
    if (((armedData >> i) & 1) != 0 && (write || kindOf(i) != KIND_WRITE) && overlaps(i, linear, size)) hit(i);
  }
}

/** `size` ports from `port` on are read or written. */
export function notePort(port: u32, size: u32): void {
  if (armedPorts == 0) return;
  for (let i: u32 = 0; i < 4; i++) {
    if (((armedPorts >> i) & 1) != 0 && overlaps(i, port, size)) hit(i);
  }
}

export function clearDebugHits(): void {
  debugHits = 0;
}

/** The breakpoints on an instruction at `linear`, as bits of DR6. */
export function codeBreakpoints(linear: u64): u64 {
  let bits: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if (((armedCode >> i) & 1) != 0 && addressOf(i) == linear) bits |= 1 << i;
  }
  return bits;
}

/** How far from `linear`, and at most `length`, the next instruction breakpoint is. */
export function nextBreakpoint(linear: u64, length: u32): u32 {
  let nearest = length;
  for (let i: u32 = 0; i < 4; i++) {
    const distance = addressOf(i) - linear;
    if (((armedCode >> i) & 1) != 0 && distance != 0 && distance < <u64>nearest) nearest = <u32>distance;
  }
  return nearest;
}

/** What a debug exception reports: B0 to B3 are those of this one (as Intel's and AMD's processors have it), all else is added. */
export function reportDebug(bits: u64): void {
  store<u64>(DR6, (load<u64>(DR6) & ~DR6_CONDITIONS) | bits);
}

/** The handler of a debug exception may use the debug registers, and is not traced itself (17.2.4 and 17.4.3). */
export function enterDebugHandler(): void {
  store<u64>(DR7, load<u64>(DR7) & ~DR7_GD);
  store<u64>(CPU_MSR_DEBUGCTL, load<u64>(CPU_MSR_DEBUGCTL) & ~DEBUGCTL_BTF);
}
