/** The map of guest-physical memory that a guest is told (ACPI specification, chapter 15, "System Address Map"). */
import { HIGH_MEMORY, STACK_END } from './layout.js';

/** Address range types. */
export const E820_USABLE = 1;
export const E820_RESERVED = 2;

/** One range of the map. */
export interface MemoryRange {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

/**
 * The ranges of a machine with `ramSize` bytes: conventional memory below the extended BIOS data area, the BIOS's places
 * below 1 MiB, and the rest.
 */
export function memoryMap(ramSize: number): readonly MemoryRange[] {
  const biosArea = 0xf_0000;
  const map = [
    { base: 0, length: STACK_END, type: E820_USABLE },
    { base: STACK_END, length: 0xa_0000 - STACK_END, type: E820_RESERVED },
    { base: biosArea, length: HIGH_MEMORY - biosArea, type: E820_RESERVED },
  ];
  if (ramSize > HIGH_MEMORY) map.push({ base: HIGH_MEMORY, length: ramSize - HIGH_MEMORY, type: E820_USABLE });
  return map;
}
