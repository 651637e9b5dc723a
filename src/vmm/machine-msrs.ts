/**
 * The model-specific registers that are no part of the vCPU's state (cpu/state.ts lists those): every RDMSR and WRMSR of
 * another index is an exit, and this store answers it. What it does not know is refused with #GP(0), as KVM does with
 * ignore_msrs=0.
 *
 * Intel SDM volume 4, chapter 2; volume 3A, section 12.11 (MTRRs) and 16.3 (machine check); AMD APM volume 2, appendix A. Memory types
 * change nothing here, and no machine check ever happens: what the guest configures is kept, and what it must not write is refused.
 */
import type { MachineClock } from './clock.js';
import { featureNames } from './cpu/cpuid-features.js';
import type { CpuState } from './cpu/state.js';
import type { CpuidEntry } from './cpu/vcpu.js';
import { array, i64, type StateOf, stateTable, u64 } from './state/fields.js';

/** What can be done with a register. */
interface MsrRow {
  readonly index: number;
  readonly reset: bigint;
  /** Bits that a write may change; others must be written as they are, else #GP(0). Absent: writes are refused. */
  readonly writable?: bigint;
  /** Of the values that {@link writable} allows, those that can be written. Absent: all. `at` gives other registers. */
  readonly valid?: (value: bigint, at: (index: number) => bigint) => boolean;
  /** The value that the firmware of a PC leaves, if another. */
  readonly firmware?: bigint;
  /** The CPUID feature that announces it. Absent: every processor has it. */
  readonly feature?: 'mtrr' | 'mca';
}

const ALL = 0xffff_ffff_ffff_ffffn;
/** Physical addresses have 46 bits (CPUID leaf 80000008H of the usual host); the mask of a variable range. */
const ADDRESS = 0x3fff_ffff_f000n;
const TSC = 0x10;
const HWCR = 0xc001_0015;
/** HWCR.McStatusWrEn (AMD APM volume 2, section 3.2.10): MCi_STATUS can be written with more than 0. */
const MC_STATUS_WRITE = 1n << 18n;
/** Banks of machine-check registers: as family 15 has them. */
const BANKS = 5;

const UNCACHED = 0;
const WRITE_PROTECTED = 5;
const WRITE_BACK = 6;

/** Uncached, write combining, write through, write protected, write back: the types of MTRRs (section 12.11.1). */
function isMemoryType(value: bigint): boolean {
  return [0n, 1n, 4n, 5n, 6n].includes(value & 0xffn);
}

/** Eight types. */
function areMemoryTypes(value: bigint): boolean {
  for (let rest = value; rest !== 0n; rest >>= 8n) if (!isMemoryType(rest)) return false;
  return true;
}

function eight(type: number): bigint {
  return BigInt(type) * 0x0101_0101_0101_0101n;
}

function rows(): MsrRow[] {
  const list: MsrRow[] = [
    // IA32_PLATFORM_ID, EBL_CR_POWERON, IA32_FEATURE_CONTROL (locked, nothing on): as of a machine that has none of it.
    { index: 0x17, reset: 0n },
    { index: 0x2a, reset: 0n },
    { index: 0x3a, reset: 1n },
    // IA32_BIOS_UPDT_TRIG is write-only in silicon; IA32_BIOS_SIGN_ID is written with 0 before it is read.
    { index: 0x79, reset: 0n, writable: ALL },
    { index: 0x8b, reset: 0n, writable: ALL },
    // MSR_PLATFORM_INFO, MISC_FEATURES_ENABLES.
    { index: 0xce, reset: 0n },
    { index: 0x140, reset: 0n },
    // AMD SYSCFG, HWCR, NB_CFG, interrupt pending, TSEG base, DE_CFG (LFENCE serialises, APM volume 2, section 3.2.10).
    { index: 0xc001_0010, reset: 0n },
    { index: HWCR, reset: 0n, writable: 0x0100_0148n | MC_STATUS_WRITE },
    { index: 0xc001_001f, reset: 0n },
    { index: 0xc001_0055, reset: 0n },
    { index: 0xc001_0112, reset: 0n },
    { index: 0xc001_1029, reset: 2n, writable: 2n },
  ];
  return [...list, ...memoryTypes(), ...machineChecks()];
}

/**
 * MTRRs, off after power-on. The firmware leaves all memory write back, but for the last GiB below 4 GiB and for A0000 to BFFFF, where
 * devices are, and for C0000 to FFFFF, where ROMs are.
 */
function memoryTypes(): MsrRow[] {
  const feature = 'mtrr';
  const list: MsrRow[] = [
    // IA32_MTRRCAP: eight variable ranges, fixed ranges, write combining. IA32_MTRR_DEF_TYPE: E, FE and the type.
    { index: 0xfe, reset: 0x508n, feature },
    { index: 0x2ff, reset: 0n, writable: 0xcffn, valid: isMemoryType, firmware: 0xc00n | BigInt(WRITE_BACK), feature },
  ];
  // IA32_MTRR_PHYSBASE0 to IA32_MTRR_PHYSMASK7.
  for (let range = 0; range < 8; range++) {
    const [base, mask] = range === 0 ? [0xc000_0000n, 0x3fff_c000_0800n] : [0n, 0n];
    const index = 0x200 + range * 2;
    list.push({ index, reset: 0n, writable: ADDRESS | 0xffn, valid: isMemoryType, firmware: base, feature });
    list.push({ index: index + 1, reset: 0n, writable: ADDRESS | 0x800n, firmware: mask, feature });
  }
  // IA32_MTRR_FIX64K_00000, FIX16K_80000 and _A0000, FIX4K_C0000 to _F8000.
  const fixed = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
  for (const index of fixed) {
    const type = index < 0x259 ? WRITE_BACK : index === 0x259 ? UNCACHED : WRITE_PROTECTED;
    list.push({ index, reset: 0n, writable: ALL, valid: areMemoryTypes, firmware: eight(type), feature });
  }
  return list;
}

function machineChecks(): MsrRow[] {
  const feature = 'mca';
  const allOrNothing = (value: bigint): boolean => value === 0n || value === ALL;
  // Bit 10 of a bank's control register may be left out: kernels do so on family 15 for an erratum (as KVM allows it, set_msr_mce()).
  const bankControl = (value: bigint): boolean => value === 0n || (value | 0x401n) === ALL;
  const bankStatus = (value: bigint, at: (index: number) => bigint): boolean =>
    value === 0n || (at(HWCR) & MC_STATUS_WRITE) !== 0n;
  // IA32_MCG_CAP: banks, and IA32_MCG_CTL is there; IA32_MCG_STATUS; IA32_MCG_CTL.
  const list: MsrRow[] = [
    { index: 0x179, reset: 0x100n | BigInt(BANKS), feature },
    { index: 0x17a, reset: 0n, writable: 0b111n, feature },
    { index: 0x17b, reset: ALL, writable: ALL, valid: allOrNothing, feature },
  ];
  // IA32_MCi_CTL, STATUS, ADDR, MISC.
  for (let bank = 0; bank < BANKS; bank++) {
    const index = 0x400 + bank * 4;
    list.push({ index, reset: ALL, writable: ALL, valid: bankControl, feature });
    list.push({ index: index + 1, reset: 0n, writable: ALL, valid: bankStatus, feature });
    list.push({ index: index + 2, reset: 0n, writable: ALL, feature });
    list.push({ index: index + 3, reset: 0n, writable: ALL, feature });
  }
  return list;
}

/**
 * PerfEvtSel0 to 3 and PerfCtr0 to 3 (AMD APM volume 2, section 13.2.3), which every AMD processor has, so that Xen writes them without a
 * look: here nothing is counted, they read 0, and what is written is forgotten, as on KVM without a virtual PMU. They are no state.
 */
function isCounter(index: number): boolean {
  return index >= 0xc001_0000 && index <= 0xc001_0007;
}

const table: readonly MsrRow[] = rows();
const positions = new Map(table.map((row, position) => [row.index, position]));

/** The declaration: the rows in the order of this file, and what WRMSR to the TSC made of it. */
export const msrState = stateTable('msrs', 1, { values: array(u64(), table.length), tscOffset: i64() });

/** What a guest finds; see {@link MsrStore}. */
export interface MsrStoreOptions {
  /** Registers of features that the table does not announce do not exist. Empty: all do. */
  readonly cpuid?: readonly CpuidEntry[];
  /** The registers are as the firmware leaves them, not as after power-on. */
  readonly firmware?: boolean;
}

/** Has the firmware run before the guest starts so? Only a ROM begins at the reset vector. */
export function firmwareRan(state: CpuState): boolean {
  return !(state.cs.base === 0xffff_0000n && state.rip === 0xfff0n);
}

/** The store. */
export class MsrStore {
  #values = new BigUint64Array(table.length);
  /** The TSC is the guest's time plus this. */
  #tscOffset = 0;
  readonly #features: ReadonlySet<string> | undefined;
  readonly #firmware: boolean;

  constructor(
    readonly clock: MachineClock,
    options: MsrStoreOptions = {},
  ) {
    const { cpuid = [] } = options;
    if (cpuid.length > 0) this.#features = new Set(featureNames(cpuid));
    this.#firmware = options.firmware ?? false;
    this.reset();
  }

  /** The time-stamp counter: a tick a nanosecond. */
  timestamp(): number {
    return this.clock.now() + this.#tscOffset;
  }

  /** Puts the value to `offset` of `out`; false: #GP(0). */
  read(index: number, out: DataView, offset: number): boolean {
    if (index === TSC) {
      const value = this.timestamp();
      out.setUint32(offset, value >>> 0, true);
      out.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
      return true;
    }
    const position = this.#position(index);
    if (position === undefined) {
      out.setBigUint64(offset, 0n, true);
      return isCounter(index);
    }
    out.setBigUint64(offset, this.#values[position] as bigint, true);
    return true;
  }

  /** Takes the value at `offset` of `from`; false: #GP(0). */
  write(index: number, from: DataView, offset: number): boolean {
    const value = from.getBigUint64(offset, true);
    if (index === TSC) {
      if (value > BigInt(Number.MAX_SAFE_INTEGER) / 2n) return false;
      this.#tscOffset = Number(value) - this.clock.now();
      return true;
    }
    const position = this.#position(index);
    if (position === undefined) return isCounter(index);
    const { writable, valid } = table[position] as MsrRow;
    if (writable === undefined || ((value ^ (this.#values[position] as bigint)) & ~writable) !== 0n) return false;
    if (valid?.(value, (other) => this.#values[positions.get(other) as number] as bigint) === false) return false;
    this.#values[position] = value;
    return true;
  }

  /** To the state in which the guest started. */
  reset(): void {
    this.#values = BigUint64Array.from(table, (row) => (this.#firmware ? (row.firmware ?? row.reset) : row.reset));
    this.#tscOffset = 0;
  }

  saveState(): StateOf<typeof msrState> {
    return { values: [...this.#values], tscOffset: BigInt(this.#tscOffset) };
  }

  /** The register's place; undefined: there is none. */
  #position(index: number): number | undefined {
    const position = positions.get(index);
    const feature = position === undefined ? undefined : table[position]?.feature;
    return feature !== undefined && this.#features?.has(feature) === false ? undefined : position;
  }

  /** `state` was checked against the table. */
  loadState(state: StateOf<typeof msrState>): void {
    this.#values = BigUint64Array.from(state.values);
    this.#tscOffset = Number(state.tscOffset);
  }
}
