/**
 * The windows below 1 MiB of a machine with a host bridge that switches them between RAM and the bus, as Intel's 82441FX does
 * (290549-001, sections 3.2.18 and 3.2.19): 128 KiB for SMRAM, twelve of 16 KiB, and the 64 KiB of the system's firmware. All of RAM is there
 * from address 0 on; what a window does not show keeps its contents.
 */
import type { MemoryRegion } from './memory.js';

/** What the processor finds in a window: the bus (there, the ROM), RAM, or RAM that it cannot write to. */
export type WindowView = 'bus' | 'ram' | 'ram-readonly';

/** A window: guest-physical. */
export interface MemoryWindow {
  readonly gpa: number;
  readonly length: number;
}

const KIB = 1024;

/** Ascending, side by side, from A0000h to FFFFFh. The first is that of SMRAM. */
export const WINDOWS: readonly MemoryWindow[] = [
  { gpa: 0xa_0000, length: 128 * KIB },
  ...Array.from({ length: 12 }, (_, index) => ({ gpa: 0xc_0000 + index * 16 * KIB, length: 16 * KIB })),
  { gpa: 0xf_0000, length: 64 * KIB },
];

/** The windows as they are after power-on: the bus everywhere. */
export const CLOSED_WINDOWS: readonly WindowView[] = WINDOWS.map(() => 'bus');

/** What a window shows; undefined: nothing that is memory. `rom`: the copy of the ROM that ends at 1 MiB. */
export function windowRegion(
  { gpa, length }: MemoryWindow,
  view: WindowView,
  ramOffset: number,
  rom: MemoryRegion | undefined,
): MemoryRegion | undefined {
  if (view !== 'bus') return { gpa, offset: ramOffset + gpa, length, readonly: view === 'ram-readonly' };
  if (rom === undefined) return undefined;
  const from = Math.max(gpa, rom.gpa);
  const end = gpa + length;
  if (from >= end) return undefined;
  return { gpa: from, offset: rom.offset + from - rom.gpa, length: end - from, readonly: true };
}
