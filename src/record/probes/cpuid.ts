/** The effective CPUID: what a guest reads at CPL 0 and 3, whatever table it was given. */

import { vmtape64Cpuid } from '../../vmm/cpu/cpuid.js';
import { featureNames, featuresBeyond } from '../../vmm/cpu/cpuid-features.js';
import { type CpuidEntry, ExitReason, REGISTERS_SIZE } from '../../vmm/cpu/vcpu.js';
import { ProbeGuest, type ProbeMode } from './guest.js';

/** Leaves whose answer depends on ECX, and up to which index they are read. */
const INDEXED: ReadonlyMap<number, number> = new Map([
  [4, 7],
  [7, 2],
  [0xb, 2],
  [0xd, 9],
  [0xf, 1],
  [0x10, 3],
  [0x12, 3],
  [0x14, 1],
  [0x17, 3],
  [0x18, 3],
  [0x1d, 1],
  [0x1f, 3],
  [0x8000_001d, 4],
]);
/** The most leaves of each of the three ranges that are read. */
const MOST_LEAVES = 0x30;

/** What a guest sees. */
export interface EffectiveCpuid {
  readonly cpl0: readonly CpuidEntry[];
  readonly cpl3: readonly CpuidEntry[];
  /** The table to record and to give to the interpreter: that of CPL 0, where a kernel looks. */
  readonly table: readonly CpuidEntry[];
  /** Both are the table that was asked for. */
  readonly isObeyed: boolean;
  /** Both are the same. */
  readonly isSame: boolean;
  /** Features that the guest sees at CPL 0 or 3 and that were not asked for. */
  readonly beyond: readonly string[];
  /** Those of them that a kernel sees. */
  readonly beyondAtCpl0: readonly string[];
  /** Features that were asked for and that the guest does not see at CPL 0. */
  readonly missing: readonly string[];
}

/** Gives a guest the table `asked` and reads what it sees. Takes some milliseconds; throws where there is no KVM. */
export function readEffectiveCpuid(asked: readonly CpuidEntry[] = vmtape64Cpuid()): EffectiveCpuid {
  const cpl0 = readTable('cpl0', asked);
  const cpl3 = readTable('cpl3', asked);
  const shown = new Set([...featuresBeyond(cpl0, asked), ...featuresBeyond(cpl3, asked)]);
  return {
    cpl0,
    cpl3,
    table: cpl0,
    isObeyed: sameTable(cpl0, asked) && sameTable(cpl3, asked),
    isSame: sameTable(cpl0, cpl3),
    beyond: [...shown],
    beyondAtCpl0: featuresBeyond(cpl0, asked),
    missing: featureNames(asked).filter((name) => !featureNames(cpl0).includes(name)),
  };
}

function readTable(mode: ProbeMode, asked: readonly CpuidEntry[]): CpuidEntry[] {
  const guest = new ProbeGuest(mode);
  try {
    guest.vcpu.setCpuid(asked);
    // in eax,20h; mov ecx,eax; in eax,21h; cpuid; out 22h,eax; jmp to the start
    guest.load([0xe5, 0x20, 0x89, 0xc1, 0xe5, 0x21, 0x0f, 0xa2, 0xe7, 0x22, 0xeb, 0xf4]);
    const rows: CpuidEntry[] = [];
    for (const base of [0, 0x4000_0000, 0x8000_0000]) rows.push(...readRange(guest, base));
    return rows;
  } finally {
    guest.close();
  }
}

/** The leaves from `base` up to the last one that leaf `base` tells. */
function readRange(guest: ProbeGuest, base: number): CpuidEntry[] {
  const first = readLeaf(guest, base, 0);
  const last = first.eax;
  const rows = [{ ...first, indexed: false }];
  if (last <= base || last - base > 0xffff) return isZero(first) && base !== 0 ? [] : rows;
  for (let leaf = base + 1; leaf <= last && leaf < base + MOST_LEAVES; leaf++) {
    const indices = INDEXED.get(leaf);
    if (indices === undefined) {
      const row = readLeaf(guest, leaf, 0);
      if (!isZero(row)) rows.push({ ...row, indexed: false });
      continue;
    }
    for (let index = 0; index <= indices; index++) {
      const row = readLeaf(guest, leaf, index);
      if (!isZero(row)) rows.push(row);
    }
  }
  return rows;
}

function readLeaf(guest: ProbeGuest, leaf: number, index: number): CpuidEntry {
  const { vcpu } = guest;
  for (const value of [index, leaf]) {
    if (guest.run() !== ExitReason.Io) throw new Error(`the probe guest did not ask for leaf 0x${leaf.toString(16)}`);
    vcpu.exit.bytes.setUint32(vcpu.exit.dataOffset, value, true);
    vcpu.complete();
  }
  if (guest.run() !== ExitReason.Io) throw new Error(`the probe guest did not execute CPUID 0x${leaf.toString(16)}`);
  const registers = new Uint8Array(REGISTERS_SIZE);
  vcpu.readRegisters(registers);
  const view = new DataView(registers.buffer);
  const word = (register: number) => view.getUint32(register * 8, true);
  return { function: leaf, index, indexed: true, eax: word(0), ebx: word(3), ecx: word(1), edx: word(2) };
}

function isZero(row: CpuidEntry): boolean {
  return row.eax === 0 && row.ebx === 0 && row.ecx === 0 && row.edx === 0;
}

/** The same answers to every question; rows of zeros do not count. */
function sameTable(left: readonly CpuidEntry[], right: readonly CpuidEntry[]): boolean {
  const lines = (table: readonly CpuidEntry[]) =>
    table
      .filter((row) => !isZero(row))
      .map((row) => [row.function, row.index, row.eax, row.ebx, row.ecx, row.edx].join())
      .sort()
      .join(';');
  return lines(left) === lines(right);
}
