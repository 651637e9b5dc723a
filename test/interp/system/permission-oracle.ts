/**
 * What an access through page tables must do, after the text of the Intel SDM, volume 3A: 4.3 to 4.5 (tables 4-4 to 4-19: entries and their
 * reserved bits), 4.6 (access rights), 4.7 (error code), 4.8 (accessed and dirty). Written for the tests alone, with nothing of interp/.
 */

/** How linear addresses are translated. */
export type PagingForm = '32-bit' | 'PAE' | '4-level';
/** What is done at the address. */
export type AccessKind = 'read' | 'write' | 'fetch';

/** One access in one state of the processor and of the tables. */
export interface PagingCase {
  readonly form: PagingForm;
  /** Level of the entry that maps the page: 1 4 KiB; 2 2 MiB or 4 MiB; 3 1 GiB. */
  readonly leaf: 1 | 2 | 3;
  readonly access: AccessKind;
  readonly user: boolean;
  /** CR0.WP, CR4.PSE, CR4.SMEP, CR4.SMAP, EFER.NXE, RFLAGS.AC. */
  readonly wp: boolean;
  readonly pse: boolean;
  readonly smep: boolean;
  readonly smap: boolean;
  readonly nxe: boolean;
  readonly ac: boolean;
  /** Entries by level, 1 to 4; index 0 is not used. */
  readonly entries: readonly bigint[];
}

/** What must come of it. */
export interface PagingOutcome {
  /** `ok`, `#PF(code)` or `#GP(0)` of the MOV to CR3. */
  readonly verdict: string;
  /** By level: bits that the access sets; of a fault, none is wanted. */
  readonly sets: readonly bigint[];
}

const PRESENT = 1n << 0n;
const READ_WRITE = 1n << 1n;
const USER_SUPERVISOR = 1n << 2n;
const ACCESSED = 1n << 5n;
const DIRTY = 1n << 6n;
const PAGE_SIZE = 1n << 7n;
const EXECUTE_DISABLE = 1n << 63n;

/** Bits `high` to `low`. */
function bits(high: number, low: number): bigint {
  return ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
}

/** The reserved bits of a present entry. */
function reserved(one: PagingCase, level: number, width: number): bigint {
  const entry = one.entries[level] as bigint;
  const isLarge = (entry & PAGE_SIZE) !== 0n && level > 1;
  if (one.form === '32-bit') {
    // Table 4-4: bits 20:13 hold address bits 39:32, bit 21 is reserved. Without CR4.PSE bit 7 is ignored.
    return isLarge && one.pse ? 1n << 21n : 0n;
  }
  const disable = one.nxe ? 0n : EXECUTE_DISABLE;
  if (one.form === 'PAE') {
    // Tables 4-9 to 4-11.
    return bits(62, width) | disable | (isLarge ? bits(20, 13) : 0n);
  }
  // Tables 4-14 to 4-19: 62:52 are ignored (or protection keys).
  const address = bits(51, width) | disable;
  if (level === 4) return address | PAGE_SIZE;
  return address | (isLarge ? (level === 3 ? bits(29, 13) : bits(20, 13)) : 0n);
}

function errorCode(one: PagingCase, present: boolean, isReserved: boolean): string {
  const wide = one.form !== '32-bit';
  let code = 0;
  if (present) code |= 1;
  if (one.access === 'write') code |= 2;
  if (one.user) code |= 4;
  if (isReserved) code |= 8;
  if (one.access === 'fetch' && ((wide && one.nxe) || one.smep)) code |= 16;
  return `#PF(${code})`;
}

/** Section 4.6.1: is the access allowed to a translation with these rights of all entries? */
function isAllowed(one: PagingCase, isUserAddress: boolean, writable: boolean, executeDisable: boolean): boolean {
  const { access, smap, smep, ac, wp } = one;
  const disabled = executeDisable && one.form !== '32-bit' && one.nxe;
  if (one.user) {
    if (!isUserAddress) return false;
    return access === 'read' ? true : access === 'write' ? writable : !disabled;
  }
  if (access === 'fetch') return isUserAddress && smep ? false : !disabled;
  if (isUserAddress && smap && !ac) return false;
  return access === 'read' || !wp || writable;
}

/** The outcome; `width` is MAXPHYADDR. */
export function expectedOutcome(one: PagingCase, width: number): PagingOutcome {
  const none = one.entries.map(() => 0n);
  const top = one.form === '4-level' ? 4 : one.form === 'PAE' ? 3 : 2;
  if (one.form === 'PAE') {
    // Table 4-8; 4.4.1: the PDPTEs are loaded and checked by MOV to CR3.
    const pdpte = one.entries[3] as bigint;
    const wrong = bits(2, 1) | bits(8, 5) | bits(63, width);
    if ((pdpte & PRESENT) !== 0n && (pdpte & wrong) !== 0n) return { verdict: '#GP(0)', sets: none };
  }
  let isUserAddress = true;
  let writable = true;
  let executeDisable = false;
  for (let level = top; level >= one.leaf; level--) {
    const entry = one.entries[level] as bigint;
    if ((entry & PRESENT) === 0n) return { verdict: errorCode(one, false, false), sets: none };
    // A PDPTE of PAE paging has been checked, and has no rights.
    if (one.form === 'PAE' && level === 3) continue;
    if ((entry & reserved(one, level, width)) !== 0n) return { verdict: errorCode(one, true, true), sets: none };
    isUserAddress &&= (entry & USER_SUPERVISOR) !== 0n;
    writable &&= (entry & READ_WRITE) !== 0n;
    executeDisable ||= (entry & EXECUTE_DISABLE) !== 0n;
  }
  if (!isAllowed(one, isUserAddress, writable, executeDisable)) {
    return { verdict: errorCode(one, true, false), sets: none };
  }
  const sets = none.map((_, level) => {
    if (level < one.leaf || level > top || (one.form === 'PAE' && level === 3)) return 0n;
    return level === one.leaf && one.access === 'write' ? ACCESSED | DIRTY : ACCESSED;
  });
  return { verdict: 'ok', sets };
}

/** The case in a line. */
export function describeCase(one: PagingCase): string {
  const flags = (['wp', 'pse', 'smep', 'smap', 'nxe', 'ac'] as const).filter((name) => one[name]).join(' ');
  const entries = one.entries
    .slice(1)
    .map((entry) => entry.toString(16))
    .reverse()
    .join(' ');
  return `${one.form} level ${one.leaf} ${one.user ? 'user' : 'supervisor'} ${one.access} [${flags}] ${entries}`;
}
