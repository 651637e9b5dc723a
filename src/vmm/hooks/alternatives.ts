/**
 * The Linux kernel's alternatives (arch/x86/include/asm/alternative.h): places in its text that it overwrites with other
 * instructions while it starts, by what CPUID showed. rdtsc_ordered() is one: `rdtsc`, or `lfence; rdtsc`, or `rdtscp`.
 */
import type { ElfImage } from '../boot/elf.js';

/** One row of .altinstructions. */
export interface Alternative {
  /** Where the original instructions stand, and how many bytes they have. */
  readonly original: bigint;
  readonly originalLength: number;
  /** Where the replacement stands: it is copied to `original`. */
  readonly replacement: bigint;
  readonly replacementLength: number;
}

/** Sizes of `struct alt_instr`: Linux 5.14 to 6.2 (12), older (13, with a padding length), 6.3 and newer (14). */
const ENTRY_SIZES = [12, 13, 14] as const;

/** The rows of .altinstructions; none when there is no such section or its form is not known. */
export function readAlternatives(image: ElfImage): readonly Alternative[] {
  const table = image.sections.find((section) => section.name === '.altinstructions');
  const code = image.sections.find((section) => section.name === '.altinstr_replacement');
  if (table === undefined || code === undefined) return [];
  const codeEnd = code.virtual + BigInt(code.bytes.length);
  for (const size of ENTRY_SIZES) {
    if (table.bytes.length % size !== 0) continue;
    const rows = readRows(table.bytes, table.virtual, size);
    const fits = rows.every(
      (row) =>
        row.replacementLength <= row.originalLength &&
        (row.replacementLength === 0 ||
          (row.replacement >= code.virtual && row.replacement + BigInt(row.replacementLength) <= codeEnd)),
    );
    if (fits) return rows;
  }
  return [];
}

/** s32 original and s32 replacement, each relative to its own field; then the feature; then the two lengths. */
function readRows(bytes: Uint8Array, base: bigint, size: number): Alternative[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lengthsAt = size === 14 ? 12 : 10;
  const rows: Alternative[] = [];
  for (let at = 0; at + size <= bytes.length; at += size) {
    const here = base + BigInt(at);
    rows.push({
      original: BigInt.asUintN(64, here + BigInt(view.getInt32(at, true))),
      replacement: BigInt.asUintN(64, here + 4n + BigInt(view.getInt32(at + 4, true))),
      originalLength: view.getUint8(at + lengthsAt),
      replacementLength: view.getUint8(at + lengthsAt + 1),
    });
  }
  return rows;
}
