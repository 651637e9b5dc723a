/** The architectural state with which a guest begins (Intel SDM volume 3A, chapters 3 and 10). */
import { type CpuState, powerOnState, SegmentAttribute, type SegmentState } from '../cpu/state.js';
import { GDT_ADDRESS, PML4_ADDRESS } from './layout.js';
import type { CpuStart } from './start.js';
import { CODE_SELECTOR, DATA_SELECTOR, GDT_SIZE } from './tables.js';

const PROTECTION_ENABLE = 0x1n;
const EXTENSION_TYPE = 0x10n;
const PAGING = 0x8000_0000n;
const PHYSICAL_ADDRESS_EXTENSION = 0x20n;
/** IA32_EFER: long mode enabled (bit 8) and active (bit 10). */
const LONG_MODE = 0x500n;
const CODE_TYPE = 0xb;
const DATA_TYPE = 0x3;
const SS_REACH = 0x1_0000;

/** IA32_APIC_BASE: the local APIC is enabled. */
const APIC_ENABLE = 0x800n;

/** The state of the processor before the guest's first instruction; `hasApic`: it has a local APIC. */
export function cpuStateOf(start: CpuStart, hasApic = true): CpuState {
  const state = powerOnState();
  if (!hasApic) state.apicBase &= ~APIC_ENABLE;
  if (start.mode === 'reset') return state;
  state.rip = BigInt(start.entry);
  for (const [name, value] of Object.entries(start.registers ?? {})) {
    state[name as keyof NonNullable<CpuStart['registers']>] = BigInt(value);
  }
  if (start.mode === 'real') enterRealMode(state, start);
  else enterFlatMode(state, start);
  return state;
}

/** CS at the image; the stack segment is the 64 KiB in which the stack ends; DS to GS are zero. */
function enterRealMode(state: CpuState, start: CpuStart): void {
  const codeSelector = start.codeSelector ?? 0;
  state.cs = { ...state.cs, selector: codeSelector, base: BigInt(codeSelector * 16) };
  const stackBase = Math.floor(start.stack / SS_REACH) * SS_REACH;
  state.ss = { ...state.ss, selector: stackBase / 16, base: BigInt(stackBase) };
  state.rsp = BigInt(start.stack - stackBase);
  state.cr0 = EXTENSION_TYPE;
}

function enterFlatMode(state: CpuState, start: CpuStart): void {
  const isLong = start.mode === 'long64';
  state.cs = flatSegment(CODE_SELECTOR, CODE_TYPE, isLong ? SegmentAttribute.long : SegmentAttribute.defaultBig);
  for (const name of ['es', 'ss', 'ds', 'fs', 'gs'] as const) {
    state[name] = flatSegment(DATA_SELECTOR, DATA_TYPE, SegmentAttribute.defaultBig);
  }
  state.gdtr = { base: BigInt(GDT_ADDRESS), limit: GDT_SIZE - 1 };
  state.idtr = { base: 0n, limit: 0 };
  state.rsp = BigInt(start.stack);
  state.cr0 = PROTECTION_ENABLE | EXTENSION_TYPE;
  if (!isLong) return;
  state.cr0 |= PAGING;
  state.cr3 = BigInt(PML4_ADDRESS);
  state.cr4 = PHYSICAL_ADDRESS_EXTENSION;
  state.efer = LONG_MODE;
}

function flatSegment(selector: number, type: number, size: number): SegmentState {
  const { codeOrData, present, granularity } = SegmentAttribute;
  return { selector, base: 0n, limit: 0xffff_ffff, attributes: type | codeOrData | present | granularity | size };
}
