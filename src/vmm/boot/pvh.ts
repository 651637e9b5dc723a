/**
 * PVH: an ELF kernel that names its 32-bit entry in a Xen note and is told about the machine by hvm_start_info
 * (Xen, docs/misc/pvh.pandoc and xen/include/public/arch-x86/hvm/start_info.h).
 */

import { findUserReturns } from '../hooks/user-returns.js';
import type { GuestMemory } from '../memory.js';
import { memoryMap } from './e820.js';
import type { ElfImage } from './elf.js';
import { notAKernel } from './errors.js';
import { ACPI_ADDRESS, BOOT_INFO_ADDRESS, COMMAND_LINE_ADDRESS, STACK_END } from './layout.js';
import { hookElf, type Loaded } from './loaded.js';
import { physicalEntry, placeCommandLine, placeHigh, placeSegments } from './placement.js';
import type { BootRequest, KernelRequest } from './request.js';
import { writeGdt } from './tables.js';

const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const START_MAGIC = 0x336e_c578;
const START_VERSION = 1;
/** hvm_start_info, then one module entry, then the memory map. */
const MODULE_ADDRESS = BOOT_INFO_ADDRESS + 0x40;
const MEMORY_MAP_ADDRESS = BOOT_INFO_ADDRESS + 0x80;
const MEMORY_MAP_ENTRY_SIZE = 24;
const COMMAND_LINE_MAXIMUM = 4095;

/** The entry that the Xen note names, or undefined: not a PVH kernel. */
export function pvhEntry(image: ElfImage): bigint | undefined {
  const note = image.notes.find((one) => one.owner === 'Xen' && one.type === XEN_ELFNOTE_PHYS32_ENTRY);
  if (note === undefined || note.bytes.length < 4) return undefined;
  const view = new DataView(note.bytes.buffer, note.bytes.byteOffset, note.bytes.byteLength);
  return note.bytes.length >= 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
}

/** Loads a PVH kernel: flat protected mode without paging, EBX points to hvm_start_info. */
export function loadPvh(memory: GuestMemory, image: ElfImage, source: KernelRequest, request: BootRequest): Loaded {
  const { kernel, initrd } = source;
  const end = placeSegments(memory, image, kernel.name);
  const named = pvhEntry(image);
  const entry = named === undefined ? undefined : physicalEntry(image, named);
  if (entry === undefined) throw notAKernel(kernel.name, 'has its PVH entry point outside its segments');
  placeCommandLine(memory, source.commandLine, COMMAND_LINE_MAXIMUM);
  memory.fill(BOOT_INFO_ADDRESS, 0x1000, 0);
  if (initrd !== undefined) {
    const module = placeHigh(memory, initrd, end, memory.ramSize);
    memory.writeU64(MODULE_ADDRESS, BigInt(module.address));
    memory.writeU64(MODULE_ADDRESS + 8, BigInt(module.size));
  }
  writeStartInfo(memory, initrd !== undefined);
  writeGdt(memory, 32);
  return {
    start: { mode: 'prot32', entry, stack: STACK_END, registers: { rbx: BOOT_INFO_ADDRESS } },
    ...hookElf(memory, image, request),
    userReturns: findUserReturns(image),
  };
}

function writeStartInfo(memory: GuestMemory, hasModule: boolean): void {
  const map = memoryMap(memory.ramSize);
  memory.writeU32(BOOT_INFO_ADDRESS, START_MAGIC);
  memory.writeU32(BOOT_INFO_ADDRESS + 4, START_VERSION);
  memory.writeU32(BOOT_INFO_ADDRESS + 12, hasModule ? 1 : 0);
  memory.writeU64(BOOT_INFO_ADDRESS + 16, hasModule ? BigInt(MODULE_ADDRESS) : 0n);
  memory.writeU64(BOOT_INFO_ADDRESS + 24, BigInt(COMMAND_LINE_ADDRESS));
  memory.writeU64(BOOT_INFO_ADDRESS + 32, BigInt(ACPI_ADDRESS));
  memory.writeU64(BOOT_INFO_ADDRESS + 40, BigInt(MEMORY_MAP_ADDRESS));
  memory.writeU32(BOOT_INFO_ADDRESS + 48, map.length);
  for (const [index, range] of map.entries()) {
    const at = MEMORY_MAP_ADDRESS + index * MEMORY_MAP_ENTRY_SIZE;
    memory.writeU64(at, BigInt(range.base));
    memory.writeU64(at + 8, BigInt(range.length));
    memory.writeU32(at + 16, range.type);
  }
}
