/** Bits of RFLAGS, the control registers and IA32_EFER that say how a CPU addresses memory (Intel SDM volume 3A, 2.2.1, 2.3, 2.5). */
import type { CpuState } from './state.js';

/** Protected mode. */
export const CR0_PE = 1n;
/** Ring 0 does not write where a page is read-only. */
export const CR0_WP = 1n << 16n;
/** Paging. */
export const CR0_PG = 1n << 31n;
/** Pages of 4 MiB, without PAE. */
export const CR4_PSE = 1n << 4n;
/** Entries of 8 bytes. */
export const CR4_PAE = 1n << 5n;
/** Five levels in long mode. */
export const CR4_LA57 = 1n << 12n;
/** Paging leads into long mode. */
export const EFER_LME = 1n << 8n;
/** Long mode is active. */
export const EFER_LMA = 1n << 10n;
/** Virtual-8086 mode. */
export const RFLAGS_VM = 1n << 17n;

/** Paging is on outside long mode. */
export function pagesOutsideLongMode({ cr0, efer }: CpuState): boolean {
  return (cr0 & CR0_PG) !== 0n && (efer & EFER_LMA) === 0n;
}

/** PAE paging outside long mode: the PDPTE registers mean something. */
export function usesPdptes(state: CpuState): boolean {
  return pagesOutsideLongMode(state) && (state.cr4 & CR4_PAE) !== 0n;
}
