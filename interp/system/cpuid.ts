/** CPUID from the table that the host installed (SDM vol. 2, CPUID), with the rules of KVM for leaves that are not in it. */
import { noteUnhooked } from '../control';
import { CPUID_TABLE, CPU_CR4, CPU_MSR_APIC_BASE, RUN_UNHOOKED_CPUID, UNHOOKED_CPUID } from '../layout';
import { CR4_OSXSAVE, REG_RAX, REG_RBX, REG_RCX, REG_RDX, getReg, setReg } from '../registers';
import { isAssisted } from './privilege';

const OSXSAVE: u32 = 1 << 27;
const APIC: u32 = 1 << 9;
const ENTRY_SIZE: usize = 32;

/** `ecx` of AuthenticAMD and HygonGenuine, the vendors whose leaves out of range are zero. */
const ECX_AMD: u32 = 0x444d4163;
const ECX_HYGON: u32 = 0x656e6975;

/** The table's row for a leaf, or 0. */
function findEntry(leaf: u32, index: u32): usize {
  const count = load<u32>(CPUID_TABLE);
  for (let i: u32 = 0; i < count; i++) {
    const entry = CPUID_TABLE + 4 + <usize>i * ENTRY_SIZE;
    if (load<u32>(entry) != leaf) continue;
    if ((load<u32>(entry, 8) & 1) == 0 || load<u32>(entry, 4) == index) return entry;
  }
  return 0;
}

/** EAX (0), EBX (1), ECX (2) or EDX (3) of a leaf; 0 if the table has none. */
export function cpuidWord(leaf: u32, index: u32, word: u32): u32 {
  const entry = findEntry(leaf, index);
  return entry != 0 ? load<u32>(entry + 12 + <usize>word * 4) : 0;
}

/** Is bit `bit` of that word set? */
export function cpuidBit(leaf: u32, word: u32, bit: u32): bool {
  return ((cpuidWord(leaf, 0, word) >> bit) & 1) != 0;
}

/** The vendor is AMD or a kin of it. */
export function isAmd(): bool {
  const vendor = cpuidWord(0, 0, 2);
  return vendor == ECX_AMD || vendor == ECX_HYGON;
}

/**
 * What a leaf beyond the highest one of its range shows: on Intel the highest basic leaf, on AMD nothing (KVM's
 * get_out_of_range_cpuid_entry). 0: nothing.
 */
function beyondRange(leaf: u32, index: u32): usize {
  const basic = findEntry(0, 0);
  if (basic == 0 || isAmd()) return 0;
  let first = leaf & 0x80000000;
  if (leaf >> 28 == 4) first = leaf & 0xffffff00;
  else if (leaf >= 0xc0000000) first = 0xc0000000;
  const range = findEntry(first, 0);
  if (range != 0 && leaf <= load<u32>(range, 12)) return 0;
  return findEntry(load<u32>(basic, 12), index);
}

/** `0F A2` */
export function cpuid(op: usize): void {
  const leaf = getReg<u32>(REG_RAX);
  const index = getReg<u32>(REG_RCX);
  let entry = findEntry(leaf, index);
  if (entry == 0) entry = beyondRange(leaf, index);
  let a: u32 = 0;
  let b: u32 = 0;
  let c: u32 = 0;
  let d: u32 = 0;
  if (entry != 0) {
    a = load<u32>(entry, 12);
    b = load<u32>(entry, 16);
    c = load<u32>(entry, 20);
    d = load<u32>(entry, 24);
    if (load<u32>(entry) == 1) {
      c &= ~OSXSAVE;
      if ((load<u64>(CPU_CR4) & CR4_OSXSAVE) != 0) c |= OSXSAVE;
      if ((load<u64>(CPU_MSR_APIC_BASE) & 0x800) == 0) d &= ~APIC;
    }
  } else if (leaf == 0xb || leaf == 0x1f) {
    // Of a topology leaf that exists, CL is passed through and EDX stays, whatever the index.
    const level = findEntry(leaf, 1);
    if (level != 0) {
      c = index & 0xff;
      d = load<u32>(level, 24);
    }
  }
  setReg<u32>(REG_RAX, a);
  setReg<u32>(REG_RBX, b);
  setReg<u32>(REG_RCX, c);
  setReg<u32>(REG_RDX, d);
  if (!isAssisted()) noteUnhooked(RUN_UNHOOKED_CPUID, UNHOOKED_CPUID);
}
