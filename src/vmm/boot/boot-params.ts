/** `struct boot_params`, the "zero page" of Linux on x86 (Documentation/x86/boot.rst and zero-page.rst). */
import type { GuestMemory } from '../memory.js';
import { memoryMap } from './e820.js';
import { ACPI_ADDRESS, BOOT_INFO_ADDRESS, COMMAND_LINE_ADDRESS } from './layout.js';
import type { PlacedFile } from './placement.js';

/** Bytes of boot_params. */
export const BOOT_PARAMS_SIZE = 0x1000;

/** Offsets of the setup header, the same in a bzImage and in boot_params. */
export const SetupHeader = {
  SetupSectors: 0x1f1,
  BootFlag: 0x1fe,
  /** A short jump: its second byte tells where the header ends. */
  Jump: 0x200,
  Magic: 0x202,
  Version: 0x206,
  TypeOfLoader: 0x210,
  LoadFlags: 0x211,
  Code32Start: 0x214,
  RamdiskImage: 0x218,
  RamdiskSize: 0x21c,
  CommandLinePointer: 0x228,
  InitrdMaximum: 0x22c,
  KernelAlignment: 0x230,
  Relocatable: 0x234,
  XLoadFlags: 0x236,
  CommandLineSize: 0x238,
  PreferredAddress: 0x258,
  InitSize: 0x260,
} as const;

/** "HdrS". */
export const SETUP_MAGIC = 0x53726448;
/** BootFlag of every kernel. */
export const BOOT_FLAG = 0xaa55;
/** First offset of the setup header. */
export const SETUP_HEADER_START = 0x1f1;

/** acpi_rsdp_addr. */
const ACPI_RSDP = 0x070;
const E820_COUNT = 0x1e8;
const E820_TABLE = 0x2d0;
const E820_ENTRY_SIZE = 20;
/** "Undefined loader" (boot.rst, type_of_loader). */
const LOADER_UNDEFINED = 0xff;
/** LoadFlags: the kernel is loaded at or above 1 MiB. */
const LOADED_HIGH = 0b1;

/**
 * Writes boot_params at BOOT_INFO_ADDRESS: the setup header (of a bzImage, or a minimal one for a vmlinux, which brings
 * none), command line, initial RAM disk, ACPI tables and E820 map.
 */
export function writeBootParams(memory: GuestMemory, header: Uint8Array | undefined, initrd?: PlacedFile): void {
  memory.fill(BOOT_INFO_ADDRESS, BOOT_PARAMS_SIZE, 0);
  const at = (offset: number): number => BOOT_INFO_ADDRESS + offset;
  if (header !== undefined) {
    memory.write(at(SETUP_HEADER_START), header);
  } else {
    memory.writeU16(at(SetupHeader.BootFlag), BOOT_FLAG);
    memory.writeU32(at(SetupHeader.Magic), SETUP_MAGIC);
    memory.writeU16(at(SetupHeader.Version), 0x020c);
    memory.writeU8(at(SetupHeader.LoadFlags), LOADED_HIGH);
    memory.writeU32(at(SetupHeader.KernelAlignment), 0x100_0000);
  }
  memory.writeU8(at(SetupHeader.TypeOfLoader), LOADER_UNDEFINED);
  memory.writeU32(at(SetupHeader.CommandLinePointer), COMMAND_LINE_ADDRESS);
  if (initrd !== undefined) {
    memory.writeU32(at(SetupHeader.RamdiskImage), initrd.address);
    memory.writeU32(at(SetupHeader.RamdiskSize), initrd.size);
  }
  memory.writeU64(at(ACPI_RSDP), BigInt(ACPI_ADDRESS));
  writeMemoryMap(memory);
}

function writeMemoryMap(memory: GuestMemory): void {
  const map = memoryMap(memory.ramSize);
  memory.writeU8(BOOT_INFO_ADDRESS + E820_COUNT, map.length);
  for (const [index, range] of map.entries()) {
    const at = BOOT_INFO_ADDRESS + E820_TABLE + index * E820_ENTRY_SIZE;
    memory.writeU64(at, BigInt(range.base));
    memory.writeU64(at + 8, BigInt(range.length));
    memory.writeU32(at + 16, range.type);
  }
}
