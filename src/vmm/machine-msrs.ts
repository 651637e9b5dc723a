/**
 * The model-specific registers that are no part of the vCPU's state (cpu/state.ts lists those): every RDMSR and WRMSR of
 * another index is an exit, and this store answers it. What it does not know is refused with #GP(0), as KVM does with
 * ignore_msrs=0.
 *
 * Intel SDM volume 4, chapter 2; volume 3A, section 12.11 (MTRRs) and 16.3.1 (machine check); AMD APM volume 2, appendix A.
 */
import type { MachineClock } from './clock.js';
import { array, i64, type StateOf, stateTable, u64 } from './state/fields.js';

/** What can be done with a register. */
interface MsrRow {
  readonly index: number;
  readonly reset: bigint;
  /** Bits that a write may change; others must be written as they are, else #GP(0). Absent: writes are refused. */
  readonly writable?: bigint;
}

const ALL = 0xffff_ffff_ffff_ffffn;
/** Physical addresses have 46 bits (CPUID leaf 80000008H of the usual host); the mask of a variable range. */
const ADDRESS = 0x3fff_ffff_f000n;
const TSC = 0x10;

function rows(): MsrRow[] {
  const list: MsrRow[] = [
    // IA32_PLATFORM_ID, EBL_CR_POWERON, IA32_FEATURE_CONTROL (locked, nothing on): as of a machine that has none of it.
    { index: 0x17, reset: 0n },
    { index: 0x2a, reset: 0n },
    { index: 0x3a, reset: 1n },
    // IA32_BIOS_UPDT_TRIG is write-only in silicon; IA32_BIOS_SIGN_ID is written with 0 before it is read.
    { index: 0x79, reset: 0n, writable: ALL },
    { index: 0x8b, reset: 0n, writable: ALL },
    // IA32_MTRRCAP: eight variable ranges, fixed ranges, write combining.
    { index: 0xfe, reset: 0x508n },
    // MSR_PLATFORM_INFO, MISC_FEATURES_ENABLES.
    { index: 0xce, reset: 0n },
    { index: 0x140, reset: 0n },
    // IA32_MCG_CAP: no banks. IA32_MCG_STATUS.
    { index: 0x179, reset: 0n },
    { index: 0x17a, reset: 0n, writable: 0b111n },
    // IA32_MTRR_DEF_TYPE: MTRRs off.
    { index: 0x2ff, reset: 0n, writable: 0xcffn },
    // AMD SYSCFG, HWCR, NB_CFG, interrupt pending, TSEG base, DE_CFG (LFENCE serialises, APM volume 2, section 3.2.10).
    { index: 0xc001_0010, reset: 0n },
    { index: 0xc001_0015, reset: 0n, writable: 0x0100_0148n },
    { index: 0xc001_001f, reset: 0n },
    { index: 0xc001_0055, reset: 0n },
    { index: 0xc001_0112, reset: 0n },
    { index: 0xc001_1029, reset: 2n, writable: 2n },
  ];
  // IA32_MTRR_PHYSBASE0 to IA32_MTRR_PHYSMASK7.
  for (let range = 0; range < 8; range++) {
    list.push({ index: 0x200 + range * 2, reset: 0n, writable: ADDRESS | 0xffn });
    list.push({ index: 0x201 + range * 2, reset: 0n, writable: ADDRESS | 0x800n });
  }
  // IA32_MTRR_FIX64K_00000, FIX16K_80000 and _A0000, FIX4K_C0000 to _F8000.
  for (const index of [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f]) {
    list.push({ index, reset: 0n, writable: ALL });
  }
  return list;
}

const table: readonly MsrRow[] = rows();
const positions = new Map(table.map((row, position) => [row.index, position]));

/** The declaration: the rows in the order of this file, and what WRMSR to the TSC made of it. */
export const msrState = stateTable('msrs', 1, { values: array(u64(), table.length), tscOffset: i64() });

/** The store. */
export class MsrStore {
  #values = new BigUint64Array(table.length);
  /** The TSC is the guest's time plus this. */
  #tscOffset = 0;

  constructor(readonly clock: MachineClock) {
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
    const position = positions.get(index);
    if (position === undefined) return false;
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
    const position = positions.get(index);
    if (position === undefined) return false;
    const writable = (table[position] as MsrRow).writable;
    if (writable === undefined || ((value ^ (this.#values[position] as bigint)) & ~writable) !== 0n) return false;
    this.#values[position] = value;
    return true;
  }

  /** To the state after power-on. */
  reset(): void {
    this.#values = BigUint64Array.from(table, (row) => row.reset);
    this.#tscOffset = 0;
  }

  saveState(): StateOf<typeof msrState> {
    return { values: [...this.#values], tscOffset: BigInt(this.#tscOffset) };
  }

  /** `state` was checked against the table. */
  loadState(state: StateOf<typeof msrState>): void {
    this.#values = BigUint64Array.from(state.values);
    this.#tscOffset = Number(state.tscOffset);
  }
}
