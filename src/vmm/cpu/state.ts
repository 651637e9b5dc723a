/**
 * The whole architectural state of a vCPU, declared once: both engines, traces, migration, comparison and the state fuzzer
 * use this table. A 64-bit field is a bigint. Names follow the Intel SDM (volume 3A, sections 2.4 to 2.5 and 10.1.1 for the
 * state after power-on; volume 4 for the MSRs).
 */
import { compareStates } from '../state/compare.js';
import {
  array,
  bool,
  bytes,
  i64,
  initialState,
  type StateOf,
  stateTable,
  struct,
  u16,
  u32,
  u64,
} from '../state/fields.js';
import { diffFxsave, FXSAVE_SIZE, resetFxsave } from './fxsave.js';

/** Bits of {@link SegmentState.attributes}: bits 8 to 23 of the second half of a descriptor, and "unusable" in bit 16. */
export const SegmentAttribute = {
  typeMask: 0xf,
  codeOrData: 1 << 4,
  dplShift: 5,
  present: 1 << 7,
  available: 1 << 12,
  long: 1 << 13,
  defaultBig: 1 << 14,
  granularity: 1 << 15,
  unusable: 1 << 16,
} as const;

const segment = () => struct({ selector: u16(), base: u64(), limit: u32(), attributes: u32({ max: 0x1_f0ff }) });
const descriptorTable = () => struct({ base: u64(), limit: u32({ max: 0xffff }) });

/** The declaration. */
export const cpuStateTable = stateTable('cpu', 2, {
  rax: u64(),
  rcx: u64(),
  rdx: u64(),
  rbx: u64(),
  rsp: u64(),
  rbp: u64(),
  rsi: u64(),
  rdi: u64(),
  r8: u64(),
  r9: u64(),
  r10: u64(),
  r11: u64(),
  r12: u64(),
  r13: u64(),
  r14: u64(),
  r15: u64(),
  rip: u64(),
  rflags: u64({ initial: 2n, max: 0x3f_7fd7n }),
  /** `limit` is in bytes, granularity applied; `attributes` are {@link SegmentAttribute}. */
  es: segment(),
  cs: segment(),
  ss: segment(),
  ds: segment(),
  fs: segment(),
  gs: segment(),
  ldtr: segment(),
  tr: segment(),
  gdtr: descriptorTable(),
  idtr: descriptorTable(),
  cr0: u64({ max: 0xffff_ffffn }),
  cr2: u64(),
  cr3: u64(),
  cr4: u64(),
  cr8: u64({ max: 15n }),
  efer: u64(),
  /** XCR0; 1 where the guest has no XSAVE. */
  xcr0: u64({ initial: 1n }),
  dr0: u64(),
  dr1: u64(),
  dr2: u64(),
  dr3: u64(),
  dr6: u64(),
  dr7: u64(),
  /** The PDPTE registers; zero unless PAE paging outside long mode is on. */
  pdpte: array(u64(), 4),
  apicBase: u64(),
  sysenterCs: u64(),
  sysenterEsp: u64(),
  sysenterEip: u64(),
  star: u64(),
  lstar: u64(),
  cstar: u64(),
  sfmask: u64(),
  kernelGsBase: u64(),
  tscAux: u64({ max: 0xffff_ffffn }),
  pat: u64(),
  miscEnable: u64(),
  /** The interpreter's TSC is the retired-instruction count plus this. KVM only carries it along: the TSC is the machine's. */
  tscOffset: i64(),
  /** STI or MOV SS: no interrupt before the next instruction. */
  interruptShadow: bool(),
  /** The shadow is one of MOV SS or POP SS: no debug exception either. */
  shadowHoldsTraps: bool({ since: 2 }),
  /** Bits of DR6 for which a debug trap is due at the next instruction boundary (MOV SS holds it back for one instruction). */
  pendingDebug: u32({ since: 2, max: 0xe00f }),
  /** IA32_DEBUGCTL: BTF. KVM only carries it along: there TF steps over every instruction. */
  debugCtl: u64({ since: 2, max: 2n }),
  /** Until IRET. */
  nmiMasked: bool(),
  nmiPending: bool(),
  /** The pin FERR#, with which the processor says that an x87 instruction waits (CR0.NE clear), and IGNNE#, with which the board
   * lets it go on; both until the exception is cleared. KVM has neither. */
  ferr: bool({ since: 2 }),
  ignne: bool({ since: 2 }),
  /** HLT was executed and nothing has ended it; RIP is behind it. */
  halted: bool(),
  /** 0, or 0x100 | vector of an external interrupt that the next entry delivers. */
  injectedInterrupt: u32({ max: 0x1ff }),
  /** The FXSAVE64 image in canonical form: fxsave.ts. */
  fxsave: bytes(FXSAVE_SIZE),
});

/** The architectural state of a vCPU. */
export type CpuState = StateOf<typeof cpuStateTable>;
/** A segment register with its hidden part, LDTR or TR. */
export type SegmentState = CpuState['cs'];
/** GDTR or IDTR. */
export type DescriptorTableState = CpuState['gdtr'];

/** The segment registers in the order of their encoding, then LDTR and TR. */
export const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
/** The general registers in the order of their encoding. */
export const GPR_NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;

/** The MSRs that are pure CPU state: index and field. Both engines handle them without an exit; so they do FS_BASE and GS_BASE
 * (0xc0000100, 0xc0000101: the bases of the segments) and EFER (0xc0000080). Every other MSR is an exit. */
export const STATE_MSRS = [
  [0x1b, 'apicBase'],
  [0x174, 'sysenterCs'],
  [0x175, 'sysenterEsp'],
  [0x176, 'sysenterEip'],
  [0x1a0, 'miscEnable'],
  [0x1d9, 'debugCtl'],
  [0x277, 'pat'],
  [0xc000_0081, 'star'],
  [0xc000_0082, 'lstar'],
  [0xc000_0083, 'cstar'],
  [0xc000_0084, 'sfmask'],
  [0xc000_0102, 'kernelGsBase'],
  [0xc000_0103, 'tscAux'],
] as const;

/**
 * After power-on (SDM volume 3A, table 10-1): real mode at F000:FFF0 with base FFFF0000. CR0 has ET, CD and NW. IA32_APIC_BASE
 * (section 10.4.4): the local APIC of the bootstrap processor is enabled.
 */
export function powerOnState(): CpuState {
  const state: CpuState = initialState(cpuStateTable);
  const { codeOrData, present } = SegmentAttribute;
  for (const name of ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const) {
    state[name] = { selector: 0, base: 0n, limit: 0xffff, attributes: 3 | codeOrData | present };
  }
  state.cs = { selector: 0xf000, base: 0xffff_0000n, limit: 0xffff, attributes: 0xb | codeOrData | present };
  state.ldtr = { selector: 0, base: 0n, limit: 0xffff, attributes: 2 | present };
  state.tr = { selector: 0, base: 0n, limit: 0xffff, attributes: 0xb | present };
  state.gdtr = { base: 0n, limit: 0xffff };
  state.idtr = { base: 0n, limit: 0xffff };
  state.rip = 0xfff0n;
  state.cr0 = 0x6000_0010n;
  state.dr6 = 0xffff_0ff0n;
  state.dr7 = 0x400n;
  state.apicBase = 0xfee0_0900n;
  state.pat = 0x0007_0406_0007_0406n;
  state.miscEnable = 1n;
  state.fxsave = resetFxsave();
  return state;
}

/** One field in which two states differ. */
export interface CpuDifference {
  /** As the manual writes it: `RAX`, `CS.limit`, `CR0`, `IA32_LSTAR`, `XMM3`. */
  readonly name: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

const MANUAL_NAMES: Readonly<Record<string, string>> = {
  apicBase: 'IA32_APIC_BASE',
  sysenterCs: 'IA32_SYSENTER_CS',
  sysenterEsp: 'IA32_SYSENTER_ESP',
  sysenterEip: 'IA32_SYSENTER_EIP',
  star: 'IA32_STAR',
  lstar: 'IA32_LSTAR',
  cstar: 'IA32_CSTAR',
  sfmask: 'IA32_FMASK',
  kernelGsBase: 'IA32_KERNEL_GS_BASE',
  tscAux: 'IA32_TSC_AUX',
  pat: 'IA32_PAT',
  miscEnable: 'IA32_MISC_ENABLE',
  debugCtl: 'IA32_DEBUGCTL',
  efer: 'IA32_EFER',
  tscOffset: 'TSC offset',
  interruptShadow: 'interrupt shadow',
  shadowHoldsTraps: 'shadow of MOV SS',
  pendingDebug: 'pending debug trap',
  nmiMasked: 'blocking by NMI',
  nmiPending: 'pending NMI',
  halted: 'halted',
  injectedInterrupt: 'injected interrupt',
  ferr: 'FERR#',
  ignne: 'IGNNE#',
};

/** The name of a field of {@link cpuStateTable}, given as a path behind `cpu.`, as the manual writes it. */
export function manualName(path: string): string {
  const [field = '', ...rest] = path.split('.');
  const pdpte = /^pdpte\[(\d)\]$/.exec(field);
  if (pdpte) return `PDPTE${pdpte[1]}`;
  return [MANUAL_NAMES[field] ?? field.toUpperCase(), ...rest].join('.');
}

/** Every field in which two states differ; the FXSAVE image register by register. */
export function diffState(expected: CpuState, actual: CpuState): CpuDifference[] {
  const found: CpuDifference[] = [];
  for (const difference of compareStates(cpuStateTable, expected, actual)) {
    const path = difference.path.replace(/^cpu\./, '');
    if (path === 'fxsave') found.push(...diffFxsave(expected.fxsave, actual.fxsave));
    else found.push({ name: manualName(path), expected: difference.expected, actual: difference.actual });
  }
  return found;
}
