/** Looking up the CPUID table as the processor does (Intel SDM volume 2, "CPUID"). */
import type { CpuidEntry } from './cpu/vcpu.js';

const EXTENDED = 0x8000_0000;

/** Writes EAX, EBX, ECX, EDX of a leaf to `out`; a basic leaf beyond the last reads as the last one, others as zeros. */
export function lookUpCpuid(table: readonly CpuidEntry[], leaf: number, index: number, out: Uint32Array): void {
  let row = find(table, leaf, index);
  if (row === undefined && leaf < EXTENDED) {
    const last = find(table, 0, 0)?.eax ?? 0;
    if (leaf > last) row = find(table, last, index);
  }
  out[0] = row?.eax ?? 0;
  out[1] = row?.ebx ?? 0;
  out[2] = row?.ecx ?? 0;
  out[3] = row?.edx ?? 0;
}

function find(table: readonly CpuidEntry[], leaf: number, index: number): CpuidEntry | undefined {
  return table.find((row) => row.function === leaf && (!row.indexed || row.index === index));
}

/** The processor's name: leaves 80000002H to 80000004H, or the vendor of leaf 0. */
export function cpuModel(table: readonly CpuidEntry[]): string {
  const bytes: number[] = [];
  const push = (...words: number[]): void => {
    for (const word of words) for (let shift = 0; shift < 32; shift += 8) bytes.push((word >>> shift) & 0xff);
  };
  for (const leaf of [0x8000_0002, 0x8000_0003, 0x8000_0004]) {
    const row = find(table, leaf, 0);
    if (row) push(row.eax, row.ebx, row.ecx, row.edx);
  }
  if (bytes.length === 0) {
    const row = find(table, 0, 0);
    if (row) push(row.ebx, row.edx, row.ecx);
  }
  return String.fromCharCode(...bytes.filter((byte) => byte >= 0x20 && byte < 0x7f)).trim();
}
