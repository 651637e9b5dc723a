/** What a loader gives back, and how the hooks of a scan come into memory. */
import { emptyScan, type HookScan, scanElf } from '../hooks/scan.js';
import type { HookSite } from '../hooks/table.js';
import type { GuestMemory } from '../memory.js';
import type { ElfImage } from './elf.js';
import type { BootRequest } from './request.js';
import type { CpuStart } from './start.js';

/** The outcome of one loader. */
export interface Loaded {
  readonly start: CpuStart;
  readonly sites: readonly HookSite[];
  /** Addresses that look like instructions to hook but were left, as disassembly was not sure of them. */
  readonly doubtful: readonly bigint[];
  /** See BootedGuest. */
  readonly userReturns?: readonly bigint[];
}

/** Writes the patches of a scan. `physical` tells where the byte that runs at an address lies, or undefined: nowhere. */
export function applyScan(
  memory: GuestMemory,
  scan: HookScan,
  physical: (address: bigint) => number | undefined,
): Pick<Loaded, 'sites' | 'doubtful'> {
  for (const patch of scan.patches) {
    const address = physical(patch.address);
    if (address !== undefined) memory.write(address, patch.bytes);
  }
  return { sites: scan.sites, doubtful: scan.doubtful };
}

/**
 * Hooks an ELF image that lies at its physical addresses. A kernel runs its first instructions there before it switches
 * to its virtual addresses, so each site has both.
 */
export function hookElf(
  memory: GuestMemory,
  image: ElfImage,
  request: BootRequest,
  scanner = scanElf,
): Pick<Loaded, 'sites' | 'doubtful'> {
  const learnt = (request.learnt ?? []).map((site) => ({ ...site, address: virtualAddress(image, site.address) }));
  const scan = request.hooks.size === 0 ? emptyScan : scanner(image, request.hooks, learnt);
  const { sites, doubtful } = applyScan(memory, scan, (address) => physicalAddress(image, address));
  const aliases: HookSite[] = [];
  for (const site of sites) {
    const physical = physicalAddress(image, site.address);
    if (physical === undefined || BigInt(physical) === site.address) continue;
    const address = BigInt(physical);
    aliases.push({ ...site, address, key: address + (site.key - site.address) });
  }
  return { sites: [...sites, ...aliases], doubtful };
}

/** Of an address that may be a physical one of the image. */
function virtualAddress(image: ElfImage, address: bigint): bigint {
  for (const segment of image.segments) {
    const offset = address - BigInt(segment.physical);
    if (offset >= 0n && offset < BigInt(segment.bytes.length)) return segment.virtual + offset;
  }
  return address;
}

/** A section with code may lie in a segment that is not executable: a 32-bit vmlinux has .init.text in one that is read and written. */
function physicalAddress(image: ElfImage, address: bigint): number | undefined {
  for (const segment of image.segments) {
    const offset = address - segment.virtual;
    if (offset >= 0n && offset < BigInt(segment.bytes.length)) {
      return Number(segment.physical + offset);
    }
  }
  return undefined;
}
