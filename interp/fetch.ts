/** Bytes of instructions: translation of RIP, and reading across the end of a page only where the bytes are needed. */
import { ENGINE_ERROR_FETCH, PAGE_PRESENT } from './layout';
import { leaveEngineError, raiseGP } from './fault';
import { codeBase, codeMask, currentCpl, isMode64 } from './mode';
import { PAGE_FETCH, PAGE_USER, translate } from './paging';
import { fetchContext, fetchEntry, fillFetch, tlbTag } from './tlb';
import { canonical } from './control';
import { pageEntry } from './access';
import { checkCode } from './trust';

/** An instruction has at most 15 bytes. */
const LONGEST: u32 = 15;
/** ModRM, SIB and a displacement of 32 bits. */
const LONGEST_OPERAND: u32 = 6;

/** Set by locate(): the physical address, and where it lies in the memory. */
export let fetchPhysical: u32 = 0;
let fetchAt: usize = 0;
let fetchPageEnd: usize = 0;
/** Linear address of the page after the first. */
let fetchNextPage: u64 = 0;
let firstInstruction: bool = false;
/** Bytes of the instruction so far, and how many it may have. */
export let fetchLength: u32 = 0;
let fetchAllowed: u32 = 0;
/** The instruction does not end within the page (or CS.limit): not for this block. */
export let fetchAborted: bool = false;
/** It was read from two pages. */
export let fetchCrossed: bool = false;

/** Linear address of code. */
// @ts-ignore: decorator
@inline
export function codeLinear(rip: u64): u64 {
  return (codeBase + rip) & codeMask;
}

/** Finds the memory of a page of code; raises #PF, #GP(0), or leaves where there is no memory. Returns its offset. */
function locatePage(linear: u64): usize {
  const entry = fetchEntry(linear);
  if (load<u64>(entry) == tlbTag(linear, 1, fetchContext)) {
    fetchPhysical = load<u32>(entry, 12) | (<u32>linear & 0xfff);
    return <usize>(<u32>linear + load<u32>(entry, 8));
  }
  if (isMode64 && !canonical(linear)) raiseGP(0);
  const physical = translate(linear, currentCpl == 3 ? PAGE_FETCH | PAGE_USER : PAGE_FETCH);
  const page = pageEntry(physical);
  if ((page & PAGE_PRESENT) == 0) leaveEngineError(ENGINE_ERROR_FETCH);
  checkCode(<u32>physical, page & ~0xfff);
  fillFetch(linear, page & ~0xfff, <u32>physical & ~0xfff);
  fetchPhysical = <u32>physical;
  return <usize>(page & ~0xfff) + (<usize>physical & 0xfff);
}

/** Points at the code of a linear address. */
export function locate(linear: u64): void {
  fetchAt = locatePage(linear);
  fetchPageEnd = (fetchAt & ~0xfff) + 0x1000;
  fetchNextPage = (linear & ~0xfff) + 0x1000;
  if (!isMode64) fetchNextPage &= 0xffffffff;
  fetchCrossed = false;
}

/** Points at `size` bytes at a memory offset, behind which no page follows (interp/probe.ts). */
export function locateBytes(at: usize, size: u32): void {
  fetchAt = at;
  fetchPageEnd = at + size;
  fetchCrossed = false;
}

/** Begins an instruction; `room` is how many bytes CS.limit leaves. */
export function beginInstruction(isFirst: bool, room: u64): void {
  firstInstruction = isFirst;
  fetchLength = 0;
  fetchAborted = false;
  fetchAllowed = room < <u64>LONGEST ? <u32>room : LONGEST;
}

/** May the bytes of a memory operand behind the opcode raise a fault: does the page, or CS.limit, end before? */
export function isNearEnd(): bool {
  return firstInstruction && (fetchAllowed - fetchLength < LONGEST_OPERAND || fetchPageEnd - fetchAt < LONGEST_OPERAND);
}

/** Bytes of the page that are left. */
export function pageLeft(): u32 {
  return fetchCrossed ? 0 : <u32>(fetchPageEnd - fetchAt);
}

function abort(): u32 {
  fetchAborted = true;
  return 0;
}

/** The next byte. In the first instruction of a block faults are raised, in later ones the block just ends before it. */
export function fetchByte(): u32 {
  if (fetchAborted) return 0;
  if (fetchLength == fetchAllowed) {
    if (!firstInstruction) return abort();
    raiseGP(0);
  }
  if (fetchAt == fetchPageEnd) {
    if (!firstInstruction) return abort();
    const physical = fetchPhysical;
    fetchAt = locatePage(fetchNextPage);
    fetchPhysical = physical;
    fetchPageEnd = fetchAt + 0x1000;
    fetchCrossed = true;
  }
  fetchLength++;
  return load<u8>(fetchAt++);
}

/** The next byte without taking it. */
export function peekByte(): u32 {
  const value = fetchByte();
  if (!fetchAborted) {
    fetchAt--;
    fetchLength--;
  }
  return value;
}

export function fetch16(): u32 {
  const low = fetchByte();
  return low | (fetchByte() << 8);
}

export function fetch32(): u32 {
  const low = fetch16();
  return low | (fetch16() << 16);
}

export function fetch64(): u64 {
  const low = <u64>fetch32();
  return low | (<u64>fetch32() << 32);
}
