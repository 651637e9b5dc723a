/** Translation of linear addresses (SDM vol. 3, chapter 4): 32-bit paging with PSE and PSE-36, PAE, 4-level with 2M and 1G pages. */
import { CPU_CR0, CPU_CR3, CPU_CR4, CPU_EFER, CPU_PDPTE, CPUID_TABLE, PAGE_DIRTY, PAGE_PRESENT, PAGE_WALKED, PAGE_WRITABLE } from './layout';
import { CR0_WP, CR4_PAE, CR4_PSE, CR4_SMEP, EFER_NXE } from './registers';
import { isLongMode, isPaging } from './mode';
import { pageEntry } from './access';
import { raisePF } from './fault';
import { noteWrite, pageHoldsCode } from './block';
import { WORK_WALK, spend } from './work';

/** What an access is; the values of the error code's bits where there is one. */
export const PAGE_WRITE: u32 = 2;
export const PAGE_USER: u32 = 4;
export const PAGE_FETCH: u32 = 16;
/** A supervisor's access under SMAP: not to user pages. */
export const PAGE_CLOSED: u32 = 256;

const CODE_PRESENT: u32 = 1;
const CODE_RESERVED: u32 = 8;

/** Bits of entries. */
const P: u64 = 1;
const W: u64 = 2;
const U: u64 = 4;
const A: u64 = 32;
const D: u64 = 64;
const PS: u64 = 128;
const NX: u64 = 1 << 63;

let maxPhysicalBits: u64 = 40;
let hasPage1G: bool = true;

/** Reads the address width and the page sizes off the CPUID table. */
export function refreshPaging(): void {
  maxPhysicalBits = 40;
  hasPage1G = true;
  const count = load<u32>(CPUID_TABLE);
  for (let i: u32 = 0; i < count; i++) {
    const row = CPUID_TABLE + 4 + <usize>i * 32;
    if (load<u32>(row) == 0x80000008) maxPhysicalBits = load<u32>(row, 12) & 0xff;
    if (load<u32>(row) == 0x80000001) hasPage1G = (load<u32>(row, 24) & (1 << 26)) != 0;
  }
  if (maxPhysicalBits < 32) maxPhysicalBits = 32;
  if (maxPhysicalBits > 52) maxPhysicalBits = 52;
}

/** A paging-structure entry; where there is no memory, nothing is present. */
function readEntry(physical: u64, size: u32): u64 {
  const page = pageEntry(physical);
  if ((page & PAGE_PRESENT) == 0) return 0;
  store<u8>(PAGE_WALKED + <usize>(physical >> 12), 1);
  const at = <usize>(page & ~0xfff) + (<usize>physical & 0xfff);
  return size == 8 ? load<u64>(at) : load<u32>(at);
}

/** Sets accessed or dirty bits, which all lie in the first byte. */
function markEntry(physical: u64, entry: u64, bits: u64): void {
  if ((entry & bits) == bits) return;
  const page = pageEntry(physical);
  if ((page & PAGE_WRITABLE) == 0) return;
  const at = <usize>(page & ~0xfff) + (<usize>physical & 0xfff);
  store<u8>(at, <u8>(entry | bits));
  store<u8>(PAGE_DIRTY + <usize>(physical >> 12), 1);
  if (pageHoldsCode(<u32>(physical >> 12))) noteWrite(<u32>physical, 1);
}

function noExecute(): bool {
  return (load<u64>(CPU_EFER) & EFER_NXE) != 0 && (load<u64>(CPU_CR4) & CR4_PAE) != 0;
}

/** Raises #PF; the I/D bit only where it means something (4.7). */
function pageFault(linear: u64, flags: u32, cause: u32): void {
  let code = cause | (flags & (PAGE_WRITE | PAGE_USER));
  if (flags & PAGE_FETCH && (noExecute() || (load<u64>(CPU_CR4) & CR4_SMEP) != 0)) code |= PAGE_FETCH;
  raisePF(linear, code);
}

/** May the access be done with the rights of the whole walk (4.6)? `rights` holds W and U of all levels, and NX of any. */
function checkRights(linear: u64, flags: u32, rights: u64): void {
  let allowed = true;
  const userPage = (rights & U) != 0;
  if (flags & PAGE_USER) {
    allowed = userPage && ((flags & PAGE_WRITE) == 0 || (rights & W) != 0);
  } else {
    if (flags & PAGE_WRITE && (rights & W) == 0 && (load<u64>(CPU_CR0) & CR0_WP) != 0) allowed = false;
    if (userPage && flags & PAGE_CLOSED) allowed = false;
    if (userPage && flags & PAGE_FETCH && (load<u64>(CPU_CR4) & CR4_SMEP) != 0) allowed = false;
  }
  if (flags & PAGE_FETCH && (rights & NX) != 0) allowed = false;
  if (!allowed) pageFault(linear, flags, CODE_PRESENT);
}

/** 4.3: two levels of 32-bit entries. */
function translate32(linear: u64, flags: u32): u64 {
  const leafBits = flags & PAGE_WRITE ? A | D : A;
  const directory = (load<u64>(CPU_CR3) & 0xfffff000) + ((linear >> 22) << 2);
  const pde = readEntry(directory, 4);
  if ((pde & P) == 0) pageFault(linear, flags, 0);
  if ((pde & PS) != 0 && (load<u64>(CPU_CR4) & CR4_PSE) != 0) {
    const high = (pde >> 13) & 0xff;
    const width = maxPhysicalBits < 40 ? maxPhysicalBits : 40;
    if ((pde & (1 << 21)) != 0 || high >> (width - 32) != 0) pageFault(linear, flags, CODE_PRESENT | CODE_RESERVED);
    checkRights(linear, flags, pde & (W | U));
    markEntry(directory, pde, leafBits);
    return (high << 32) | (pde & 0xffc00000) | (linear & 0x3fffff);
  }
  const table = (pde & 0xfffff000) + (((linear >> 12) & 0x3ff) << 2);
  const pte = readEntry(table, 4);
  if ((pte & P) == 0) pageFault(linear, flags, 0);
  checkRights(linear, flags, pde & pte & (W | U));
  markEntry(directory, pde, A);
  markEntry(table, pte, leafBits);
  return (pte & 0xfffff000) | (linear & 0xfff);
}

/** Reserved address bits of an 8-byte entry: from the width up to bit 51, or bit 62 under PAE; NX without NXE. */
function reservedBits(): u64 {
  const top: u64 = isLongMode ? 1 << 52 : 1 << 63;
  return (top - (<u64>1 << maxPhysicalBits)) | (noExecute() ? 0 : NX);
}

/** 4.4 and 4.5: `levels` levels of 8-byte entries from `root` down (2 under PAE, after the PDPTE). */
function walk64(linear: u64, flags: u32, root: u64, levels: u32): u64 {
  const address: u64 = 0x000ffffffffff000;
  const reserved = reservedBits();
  const leafBits = flags & PAGE_WRITE ? A | D : A;
  let rights: u64 = W | U;
  let table = root;
  let at1: u64 = 1;
  let at2: u64 = 1;
  let at3: u64 = 1;
  let entry1: u64 = 0;
  let entry2: u64 = 0;
  let entry3: u64 = 0;
  for (let level = levels; ; level--) {
    const shift = <u64>(12 + 9 * (level - 1));
    const at = table + (((linear >> shift) & 0x1ff) << 3);
    const entry = readEntry(at, 8);
    if ((entry & P) == 0) pageFault(linear, flags, 0);
    let bad = entry & reserved;
    let leaf = level == 1;
    if (level != 1 && (entry & PS) != 0) {
      leaf = true;
      if (level == 4 || (level == 3 && !hasPage1G)) bad = PS;
      else bad |= entry & ((<u64>1 << shift) - 0x2000);
    }
    if (bad != 0) pageFault(linear, flags, CODE_PRESENT | CODE_RESERVED);
    rights = (rights & entry & (W | U)) | ((rights | entry) & NX);
    if (leaf) {
      checkRights(linear, flags, rights);
      if (at1 != 1) markEntry(at1, entry1, A);
      if (at2 != 1) markEntry(at2, entry2, A);
      if (at3 != 1) markEntry(at3, entry3, A);
      markEntry(at, entry, leafBits);
      const inside = (<u64>1 << shift) - 1;
      return (entry & address & ~inside) | (linear & inside);
    }
    if (level == 4) {
      at1 = at;
      entry1 = entry;
    } else if (level == 3) {
      at2 = at;
      entry2 = entry;
    } else {
      at3 = at;
      entry3 = entry;
    }
    table = entry & address;
  }
  return 0;
}

/** Physical address of a linear one, or #PF. `flags` are PAGE_…; the linear address is cut or checked already. */
export function translate(linear: u64, flags: u32): u64 {
  spend(WORK_WALK);
  if (!isPaging) return linear;
  if (isLongMode) return walk64(linear, flags, load<u64>(CPU_CR3) & 0x000ffffffffff000, 4);
  if ((load<u64>(CPU_CR4) & CR4_PAE) == 0) return translate32(linear, flags);
  const pdpte = load<u64>(CPU_PDPTE + <usize>(linear >> 30) * 8);
  if ((pdpte & P) == 0) pageFault(linear, flags, 0);
  return walk64(linear, flags, pdpte & 0x000ffffffffff000, 2);
}

/**
 * Loads the PDPTE registers from `cr3` (4.4.1): on MOV to CR3, and on changes of CR0 and CR4 under PAE without long mode. False: a
 * present one has reserved bits (#GP(0) for the instruction), and nothing was loaded.
 */
export function loadPdptes(cr3: u64): bool {
  const base = cr3 & 0xffffffe0;
  const reserved: u64 = 0x1e6 | ~((<u64>1 << maxPhysicalBits) - 1);
  for (let i: u64 = 0; i < 4; i++) {
    const entry = readEntry(base + i * 8, 8);
    if ((entry & P) != 0 && (entry & reserved) != 0) return false;
  }
  for (let i: u64 = 0; i < 4; i++) store<u64>(CPU_PDPTE + <usize>i * 8, readEntry(base + i * 8, 8));
  return true;
}
