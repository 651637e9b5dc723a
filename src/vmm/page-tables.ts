/** Which pages of memory are page tables, as the vCPU's paging says (Intel SDM volume 3A, chapter 4). */
import { CR0_PG, CR4_LA57, CR4_PAE, EFER_LMA } from './cpu/control-bits.js';
import type { CpuState } from './cpu/state.js';
import type { GuestMemory } from './memory.js';
import { TABLE_MASK_4, TABLE_MASK_8 } from './memory-hash.js';

const PAGE = 0x1000;
const PRESENT = 1;
const LARGE = 1 << 7;
/** The address bits of the upper half of an entry. */
const HIGH_FRAME = 0xf_ffff;
const TWO_32 = 2 ** 32;

/** The page tables in use. */
export interface PageTables {
  /** Guest-physical numbers of pages. */
  readonly pages: { has(page: number): boolean };
  /** All bits of the entries but accessed and dirty. */
  readonly mask: bigint;
}

/** Every table that a walk from CR3 can come to; none where paging is off. */
export function pageTablesOf(memory: GuestMemory, state: CpuState): PageTables {
  const pages = new Map<number, number>();
  const { cr0, cr3, cr4, efer } = state;
  if (!(cr0 & CR0_PG)) return { pages, mask: TABLE_MASK_8 };
  if (efer & EFER_LMA) {
    collect(memory, Number((cr3 & 0xf_ffff_ffff_f000n) / 4096n), cr4 & CR4_LA57 ? 5 : 4, 8, pages);
  } else if (cr4 & CR4_PAE) {
    for (const pointer of state.pdpte) {
      if (pointer & 1n) collect(memory, Number((pointer & 0xf_ffff_ffff_f000n) / 4096n), 2, 8, pages);
    }
  } else {
    collect(memory, Number((cr3 & 0xffff_f000n) / 4096n), 2, 4, pages);
  }
  return { pages, mask: (efer & EFER_LMA) | (cr4 & CR4_PAE) ? TABLE_MASK_8 : TABLE_MASK_4 };
}

/** A table of `level` and all below it. At one level it is looked at once: tables may be mapped into themselves. */
function collect(memory: GuestMemory, page: number, level: number, size: 4 | 8, pages: Map<number, number>): void {
  if ((pages.get(page) ?? 0) >= level || !memory.contains(page * PAGE, PAGE)) return;
  pages.set(page, level);
  if (level === 1) return;
  const { view } = memory;
  const start = memory.offsetOf(page * PAGE, PAGE, false);
  for (let at = start; at < start + PAGE; at += size) {
    const low = view.getUint32(at, true);
    if ((low & PRESENT) === 0 || ((low & LARGE) !== 0 && level <= 3)) continue;
    const high = size === 8 ? view.getUint32(at + 4, true) & HIGH_FRAME : 0;
    collect(memory, Math.floor((high * TWO_32 + low) / PAGE), level - 1, size, pages);
  }
}
