/** CpuState to and from the interpreter's memory (interp/layout.ts). */
import * as layout from '../../../interp/layout.js';
import { initialState } from '../state/fields.js';
import { usesPdptes } from './control-bits.js';
import { canonicalFxsave, FXSAVE_SIZE } from './fxsave.js';
import { type CpuState, cpuStateTable, GPR_NAMES, SEGMENT_NAMES } from './state.js';

/** Fields of eight bytes, each at its place. */
const FIELDS_64 = [
  ['rip', layout.CPU_RIP],
  ['rflags', layout.CPU_RFLAGS],
  ['cr0', layout.CPU_CR0],
  ['cr2', layout.CPU_CR2],
  ['cr3', layout.CPU_CR3],
  ['cr4', layout.CPU_CR4],
  ['cr8', layout.CPU_CR8],
  ['efer', layout.CPU_EFER],
  ['xcr0', layout.CPU_XCR0],
  ['dr0', layout.CPU_DR],
  ['dr1', layout.CPU_DR + 8],
  ['dr2', layout.CPU_DR + 16],
  ['dr3', layout.CPU_DR + 24],
  ['dr6', layout.CPU_DR + 32],
  ['dr7', layout.CPU_DR + 40],
  ['apicBase', layout.CPU_MSR_APIC_BASE],
  ['sysenterCs', layout.CPU_MSR_SYSENTER_CS],
  ['sysenterEsp', layout.CPU_MSR_SYSENTER_ESP],
  ['sysenterEip', layout.CPU_MSR_SYSENTER_EIP],
  ['star', layout.CPU_MSR_STAR],
  ['lstar', layout.CPU_MSR_LSTAR],
  ['cstar', layout.CPU_MSR_CSTAR],
  ['sfmask', layout.CPU_MSR_SFMASK],
  ['kernelGsBase', layout.CPU_MSR_KERNEL_GS_BASE],
  ['tscAux', layout.CPU_MSR_TSC_AUX],
  ['pat', layout.CPU_MSR_PAT],
  ['miscEnable', layout.CPU_MSR_MISC_ENABLE],
  ['debugCtl', layout.CPU_MSR_DEBUGCTL],
] as const;

const FLAGS = [
  ['nmiMasked', layout.CPU_NMI_MASKED],
  ['halted', layout.CPU_HALTED],
  ['nmiPending', layout.CPU_NMI_PENDING],
  ['ferr', layout.CPU_FERR],
  ['ignne', layout.CPU_IGNNE],
] as const;

/** Values of CPU_INTERRUPT_SHADOW. */
const SHADOW_STACK = 1;
const SHADOW_STI = 2;

const TABLES = [
  ['gdtr', layout.CPU_GDTR],
  ['idtr', layout.CPU_IDTR],
] as const;

/** The state as it is in memory. */
export function readInterpState(view: DataView): CpuState {
  const state: CpuState = initialState(cpuStateTable);
  for (const [i, name] of GPR_NAMES.entries()) state[name] = view.getBigUint64(layout.CPU_GPR + i * 8, true);
  for (const [name, at] of FIELDS_64) state[name] = view.getBigUint64(at, true);
  for (const [i, name] of SEGMENT_NAMES.entries()) {
    const at = layout.CPU_SEGMENTS + i * layout.SEGMENT_SIZE;
    state[name] = {
      selector: view.getUint16(at + layout.SEGMENT_SELECTOR, true),
      base: view.getBigUint64(at + layout.SEGMENT_BASE, true),
      limit: view.getUint32(at + layout.SEGMENT_LIMIT, true),
      attributes: view.getUint32(at + layout.SEGMENT_ATTRIBUTES, true),
    };
  }
  for (const [name, at] of TABLES) {
    state[name] = { base: view.getBigUint64(at, true), limit: view.getUint32(at + 8, true) };
  }
  for (const [name, at] of FLAGS) state[name] = view.getUint32(at, true) !== 0;
  const shadow = view.getUint32(layout.CPU_INTERRUPT_SHADOW, true);
  state.interruptShadow = shadow !== 0;
  state.shadowHoldsTraps = shadow === SHADOW_STACK;
  state.pendingDebug = view.getUint32(layout.CPU_PENDING_DEBUG, true);
  if (usesPdptes(state)) state.pdpte = state.pdpte.map((_, i) => view.getBigUint64(layout.CPU_PDPTE + i * 8, true));
  state.tscOffset = view.getBigInt64(layout.CPU_TSC_OFFSET, true);
  state.injectedInterrupt = view.getUint32(layout.CPU_INJECTED_INTERRUPT, true);
  state.fxsave = canonicalFxsave(new Uint8Array(view.buffer, layout.CPU_FXSAVE, FXSAVE_SIZE));
  return state;
}

/** Writes a state that was checked. */
export function writeInterpState(view: DataView, state: CpuState): void {
  for (const [i, name] of GPR_NAMES.entries()) view.setBigUint64(layout.CPU_GPR + i * 8, state[name], true);
  for (const [name, at] of FIELDS_64) view.setBigUint64(at, state[name], true);
  view.setBigUint64(layout.CPU_RFLAGS, state.rflags | 2n, true);
  for (const [i, name] of SEGMENT_NAMES.entries()) {
    const at = layout.CPU_SEGMENTS + i * layout.SEGMENT_SIZE;
    const { selector, base, limit, attributes } = state[name];
    view.setUint16(at + layout.SEGMENT_SELECTOR, selector, true);
    view.setBigUint64(at + layout.SEGMENT_BASE, base, true);
    view.setUint32(at + layout.SEGMENT_LIMIT, limit, true);
    view.setUint32(at + layout.SEGMENT_ATTRIBUTES, attributes, true);
  }
  for (const [name, at] of TABLES) {
    view.setBigUint64(at, state[name].base, true);
    view.setUint32(at + 8, state[name].limit, true);
  }
  for (const [name, at] of FLAGS) view.setUint32(at, state[name] ? 1 : 0, true);
  const shadow = state.shadowHoldsTraps ? SHADOW_STACK : SHADOW_STI;
  view.setUint32(layout.CPU_INTERRUPT_SHADOW, state.interruptShadow ? shadow : 0, true);
  view.setUint32(layout.CPU_PENDING_DEBUG, state.pendingDebug, true);
  for (const [i, entry] of state.pdpte.entries()) view.setBigUint64(layout.CPU_PDPTE + i * 8, entry, true);
  view.setBigInt64(layout.CPU_TSC_OFFSET, state.tscOffset, true);
  view.setUint32(layout.CPU_INJECTED_INTERRUPT, state.injectedInterrupt, true);
  new Uint8Array(view.buffer, layout.CPU_FXSAVE, FXSAVE_SIZE).set(state.fxsave);
}
