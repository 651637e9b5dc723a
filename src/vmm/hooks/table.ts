/**
 * The site table of the instruction hooks: which instruction of the guest's image stood where an `out HOOK_PORT, eax`
 * stands now (design, section 3).
 *
 * A hooked instruction is overwritten by `E7 HOOK_PORT` (OUT imm8, EAX: two bytes, Intel SDM volume 2, "OUT"), and what
 * is left of it by NOPs (90), so that its length stays. OUT changes neither registers nor flags and leaves the
 * guest, on both engines; the machine then performs the original (see perform.ts).
 *
 * A site is found by RIP as it is after the OUT. Two originals may stand at one address (the kernel picks one of two
 * replacements while it starts): RDTSC puts the OUT first and RDTSCP a NOP first, so that their keys differ.
 */
import { ExitCode, VmtapeError } from '../../base/errors.js';

/** The I/O port of the OUT. No device of a PC has it; the machine answers it itself. */
export const HOOK_PORT = 0xe2;
/** Whether a write of `size` bytes to the port may be a hook: the OUT of EAX, which in 16-bit code is that of AX. */
export function isHookSize(size: number): boolean {
  return size === 4 || size === 2;
}

/** Which instruction the machine performs at a site. */
export const HookKind = { Rdtsc: 1, Rdtscp: 2, Rdrand: 3, Rdseed: 4, Cpuid: 5 } as const;
/** A value of {@link HookKind}. */
export type HookKind = (typeof HookKind)[keyof typeof HookKind];

/** The mnemonic of each {@link HookKind}. */
export const hookNames: Readonly<Record<HookKind, string>> = {
  [HookKind.Rdtsc]: 'RDTSC',
  [HookKind.Rdtscp]: 'RDTSCP',
  [HookKind.Rdrand]: 'RDRAND',
  [HookKind.Rdseed]: 'RDSEED',
  [HookKind.Cpuid]: 'CPUID',
};

/** One patched instruction. */
export interface HookSite {
  /** RIP after the OUT: the key of the site. */
  readonly key: bigint;
  /** RIP of the first byte of the original instruction (the linear address, but for real mode with a segment). */
  readonly address: bigint;
  readonly kind: HookKind;
  /** RDRAND and RDSEED: the destination's number (0 RAX to 15 R15); else 0. */
  readonly register: number;
  /** RDRAND and RDSEED: bits of the destination, 16, 32 or 64; else 32. */
  readonly width: number;
  /** Bytes of the original instruction. */
  readonly length: number;
}

/** The sites of one guest, immutable. Lookup allocates nothing. */
export class HookTable {
  readonly #slots: Int32Array;
  readonly #keys: Uint32Array;
  readonly #mask: number;

  /**
   * Throws VMTAPE_STATE if a site is out of range or two sites have one key (the table may come from a trace).
   */
  constructor(readonly sites: readonly HookSite[]) {
    let capacity = 16;
    while (capacity < sites.length * 2) capacity *= 2;
    this.#mask = capacity - 1;
    this.#slots = new Int32Array(capacity).fill(-1);
    this.#keys = new Uint32Array(sites.length * 2);
    for (const [index, site] of sites.entries()) {
      checkSite(site);
      const low = Number(site.key & 0xffff_ffffn);
      const high = Number(site.key >> 32n);
      if (this.find(low, high) >= 0) throw badSite(site, 'stands twice');
      let slot = this.#slotOf(low);
      while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = index;
      this.#keys[index * 2] = low;
      this.#keys[index * 2 + 1] = high;
    }
  }

  /** The index of the site whose OUT ends at this address (two u32 halves), or -1. */
  find(low: number, high: number): number {
    const keys = this.#keys;
    let slot = this.#slotOf(low);
    for (;;) {
      const index = this.#slots[slot] as number;
      if (index < 0) return -1;
      if (keys[index * 2] === low && keys[index * 2 + 1] === high) return index;
      slot = (slot + 1) & this.#mask;
    }
  }

  /** The site at an index that {@link find} gave. */
  site(index: number): HookSite {
    const site = this.sites[index];
    if (site === undefined) throw new RangeError(`no hook site ${index}`);
    return site;
  }

  #slotOf(low: number): number {
    return (Math.imul(low, 0x9e37_79b1) >>> 7) & this.#mask;
  }
}

function checkSite(site: HookSite): void {
  const { key, address, kind, register, width, length } = site;
  const kinds: readonly number[] = Object.values(HookKind);
  if (!kinds.includes(kind)) throw badSite(site, `has the unknown kind ${kind}`);
  if (!Number.isInteger(length) || length < 2 || length > 15) throw badSite(site, `has the length ${length}`);
  if (address < 0n || key > 0xffff_ffff_ffff_ffffn) throw badSite(site, 'is not a 64-bit address');
  if (key < address + 2n || key > address + BigInt(length)) throw badSite(site, 'has its key outside the instruction');
  if (!Number.isInteger(register) || register < 0 || register > 15) throw badSite(site, `names register ${register}`);
  if (width !== 16 && width !== 32 && width !== 64) throw badSite(site, `has a width of ${width} bits`);
}

function badSite(site: HookSite, what: string): VmtapeError {
  const where = `0x${site.address.toString(16)}`;
  return new VmtapeError('VMTAPE_STATE', `the hook site at ${where} ${what}`, ExitCode.BadFile);
}
