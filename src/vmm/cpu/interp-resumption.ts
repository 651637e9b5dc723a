/**
 * What an interpreter has besides the architectural state, and goes on with after a checkpoint: its counts, its TLBs (a guest that
 * clears accessed bits without INVLPG can tell whether a translation was cached), and the page walks that landmarks ask for.
 */
import * as layout from '../../../interp/layout.js';
import { HookKind } from '../hooks/table.js';
import type { GuestMemory } from '../memory.js';
import { stateError } from '../state/check.js';
import { bool, bytesUpTo, listUpTo, type StateOf, stateTable, struct, time, u8, u32, u64 } from '../state/fields.js';
import type { InterpExports } from './interp-exit.js';
import type { UnhookedSite } from './vcpu.js';

const PAGE = 0x1000;
/** Reads, writes, fetches. */
const TLBS = 3;
const WRITES = 1;
const FETCHES = 2;
const ALL_ENTRIES = 2 * layout.TLB_ENTRIES + layout.FETCH_ENTRIES;
/** Of an entry's tag: the generation, and below it who accesses. */
const GENERATION_SHIFT = 4;
const ACCESS_MASK = 0xf;
/** A write that is to be seen by the host, or by the decoder: no state. */
const ARMED = 4;
const TWO_32 = 0x1_0000_0000;

const unhooked = () => struct({ count: u32(), rip: u64() });

/** The declaration. */
export const interpResumptionTable = stateTable('interp', 2, {
  /** Instructions retired. */
  retired: time(),
  /** Between two iterations of a REP instruction. */
  unfinished: bool(),
  unhookedTsc: unhooked(),
  unhookedCpuid: unhooked(),
  /** Translations in use: of which TLB, for whom (the low bits of a context), a linear and a guest-physical page number. */
  tlb: listUpTo(
    struct({
      tlb: u8({ max: TLBS - 1 }),
      access: u8({ max: ACCESS_MASK }),
      linear: u64({ max: 0xf_ffff_ffff_ffffn }),
      page: u32({ max: 0xf_ffff }),
    }),
    ALL_ENTRIES,
  ),
  /** A bit for each page of RAM that was walked since the last landmark, the lowest first; up to the last one. */
  walked: bytesUpTo(layout.RAM_MAX / PAGE / 8),
  /** Where instructions were executed without a hook, in the order in which they were met. */
  unhookedSites: listUpTo(
    struct({ rip: u64(), kind: u8({ min: HookKind.Rdtsc, max: HookKind.Cpuid }) }),
    layout.UNHOOKED_SITES_MAX,
    { since: 2 },
  ),
});

/** The state. */
export type InterpResumption = StateOf<typeof interpResumptionTable>;

/** See {@link interpResumptionTable}. */
export function readResumption(memory: GuestMemory, code: InterpExports): InterpResumption {
  const { view } = memory;
  const counter = (at: number) => ({ count: view.getUint32(at, true), rip: view.getBigUint64(at + 8, true) });
  return {
    retired: Number(view.getBigUint64(layout.RUN_RETIRED, true)),
    unfinished: code.isUnfinished() !== 0,
    unhookedTsc: counter(layout.RUN_UNHOOKED_TSC),
    unhookedCpuid: counter(layout.RUN_UNHOOKED_CPUID),
    tlb: readTlb(memory, code.tlbGeneration()),
    walked: readWalked(memory),
    unhookedSites: readUnhookedSites(view),
  };
}

/** As {@link Vcpu.unhookedSites} gives them. */
export function readUnhookedSites(view: DataView): UnhookedSite[] {
  const sites: UnhookedSite[] = new Array(view.getUint32(layout.RUN_UNHOOKED_COUNT, true));
  if (sites.length === 0) return sites;
  for (let slot = 0; slot < layout.UNHOOKED_SLOTS; slot++) {
    const at = layout.UNHOOKED_SITES + slot * 16;
    const ordinal = view.getUint32(at + 12, true);
    if (ordinal === 0) continue;
    sites[ordinal - 1] = { rip: view.getBigUint64(at, true), kind: view.getUint32(at + 8, true) as HookKind };
  }
  return sites;
}

/** Goes on with it: the last thing that is restored. Throws VMTAPE_STATE for what this memory cannot have. */
export function writeResumption(memory: GuestMemory, code: InterpExports, state: InterpResumption): void {
  const { view, whole } = memory;
  const offsets = state.tlb.map(({ tlb, page }) => offsetOf(memory, page, tlb === WRITES));
  view.setBigUint64(layout.RUN_RETIRED, BigInt(state.retired), true);
  for (const [at, { count, rip }] of [
    [layout.RUN_UNHOOKED_TSC, state.unhookedTsc],
    [layout.RUN_UNHOOKED_CPUID, state.unhookedCpuid],
  ] as const) {
    view.setUint32(at, count, true);
    view.setBigUint64(at + 8, rip, true);
  }
  code.forgetUnhookedSites();
  for (const { rip, kind } of state.unhookedSites) code.noteUnhookedSite(rip, kind);
  code.setUnfinished(state.unfinished);
  const context = BigInt(code.tlbGeneration() << GENERATION_SHIFT);
  for (const [index, { tlb, access, linear, page }] of state.tlb.entries()) {
    const at = baseOf(tlb) + (Number(linear) % entriesOf(tlb)) * layout.TLB_ENTRY;
    const offset = offsets[index] as number;
    view.setBigUint64(at, (linear << 12n) | context | BigInt(access), true);
    view.setUint32(at + 8, offset - Number(BigInt.asUintN(32, linear << 12n)), true);
    if (tlb === WRITES) whole[layout.PAGE_DIRTY + page] = 1;
    if (tlb === FETCHES) view.setUint32(at + 12, page * PAGE, true);
  }
  const pages = memory.ramSize / PAGE;
  for (let page = 0; page < pages; page++) {
    whole[layout.PAGE_WALKED + page] = ((state.walked[page >> 3] ?? 0) >> (page & 7)) & 1;
  }
}

function readTlb(memory: GuestMemory, generation: number): InterpResumption['tlb'] {
  const { view } = memory;
  const entries: InterpResumption['tlb'] = [];
  for (let tlb = 0; tlb < TLBS; tlb++) {
    for (let index = 0; index < entriesOf(tlb); index++) {
      const at = baseOf(tlb) + index * layout.TLB_ENTRY;
      const low = view.getUint32(at, true);
      if ((low & 0xfff) >> GENERATION_SHIFT !== generation) continue;
      const page = tlb === FETCHES ? view.getUint32(at + 12, true) / PAGE : pageAt(memory, addressOf(view, at));
      const access = low & ACCESS_MASK & ~ARMED;
      if (page !== undefined) entries.push({ tlb, access, linear: view.getBigUint64(at, true) >> 12n, page });
    }
  }
  return entries;
}

function baseOf(tlb: number): number {
  return tlb === FETCHES ? layout.FETCH_BASE : layout.TLB_BASE + tlb * layout.TLB_SPACING;
}

function entriesOf(tlb: number): number {
  return tlb === FETCHES ? layout.FETCH_ENTRIES : layout.TLB_ENTRIES;
}

/** The offset of the memory of an entry's page. */
function addressOf(view: DataView, at: number): number {
  return (view.getUint32(at + 8, true) + (view.getUint32(at, true) & ~0xfff)) >>> 0;
}

/** The guest-physical page that lies at this offset of the memory. */
function pageAt(memory: GuestMemory, offset: number): number | undefined {
  const region = memory.regions.find((one) => offset >= one.offset && offset < one.offset + one.length);
  return region && (region.gpa + offset - region.offset) / PAGE;
}

function offsetOf(memory: GuestMemory, page: number, isWrite: boolean): number {
  const region = memory.regionAt(page * PAGE);
  if (!region || (isWrite && region.readonly))
    throw stateError('interp.tlb', `names the page ${page}, which there is not`);
  return (region.offset + page * PAGE - region.gpa) % TWO_32;
}

function readWalked({ whole, ramSize }: GuestMemory): Uint8Array {
  const marks = whole.subarray(layout.PAGE_WALKED, layout.PAGE_WALKED + ramSize / PAGE);
  const last = marks.lastIndexOf(1);
  const bits = new Uint8Array(Math.ceil((last + 1) / 8));
  for (let page = marks.indexOf(1); page >= 0; page = marks.indexOf(1, page + 1)) {
    bits[page >> 3] = (bits[page >> 3] as number) | (1 << (page & 7));
  }
  return bits;
}
