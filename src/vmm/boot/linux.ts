/**
 * Linux: a bzImage or an uncompressed vmlinux, by the 64-bit boot protocol (RSI points to boot_params, long mode, the
 * memory identity-mapped) or the 32-bit one (ESI, no paging). Source: Linux, Documentation/x86/boot.rst.
 */
import { findUserReturns } from '../hooks/user-returns.js';
import type { GuestMemory } from '../memory.js';
import { BOOT_FLAG, SETUP_HEADER_START, SETUP_MAGIC, SetupHeader, writeBootParams } from './boot-params.js';
import type { ElfImage } from './elf.js';
import { doesNotFit, formatSize, notAKernel } from './errors.js';
import { BOOT_INFO_ADDRESS, HIGH_MEMORY, STACK_END } from './layout.js';
import { hookElf, type Loaded } from './loaded.js';
import { physicalEntry, place, placeCommandLine, placeHigh, placeSegments } from './placement.js';
import type { BootFile, BootRequest, KernelRequest } from './request.js';
import type { CpuStart } from './start.js';
import { writeGdt, writeIdentityMap } from './tables.js';

/** XLoadFlags: the kernel has a 64-bit entry at 0x200. */
const XLF_KERNEL_64 = 0b1;
const ENTRY_64_OFFSET = 0x200;
/** Oldest boot protocol with a command line pointer and a load address at 1 MiB that we speak (Linux 2.6.20). */
const OLDEST_PROTOCOL = 0x0205;
/** COMMAND_LINE_SIZE of Linux on x86 is 2048, the zero byte included. */
const COMMAND_LINE_MAXIMUM = 2047;

/** Whether the file carries the setup header of Linux. */
export function isBzImage(file: Uint8Array): boolean {
  if (file.length < SetupHeader.InitSize + 4) return false;
  const view = viewOf(file);
  return (
    view.getUint32(SetupHeader.Magic, true) === SETUP_MAGIC && view.getUint16(SetupHeader.BootFlag, true) === BOOT_FLAG
  );
}

/** Whether an executable is Linux: by its notes, or by its sections. */
export function isLinux(image: ElfImage): boolean {
  const isNamed = image.notes.some((note) => note.owner === 'Linux');
  return isNamed || image.sections.some((section) => section.name === '.altinstructions');
}

/** Loads a bzImage. It unpacks itself, so its code cannot be hooked: use the vmlinux for that. */
export function loadBzImage(memory: GuestMemory, source: KernelRequest): Loaded {
  const { kernel, initrd } = source;
  const view = viewOf(kernel.bytes);
  const version = view.getUint16(SetupHeader.Version, true);
  if (version < OLDEST_PROTOCOL) {
    throw notAKernel(kernel.name, `speaks the Linux boot protocol ${protocol(version)}, and 2.05 is the oldest taken`);
  }
  const setupSize = ((view.getUint8(SetupHeader.SetupSectors) || 4) + 1) * 512;
  if (setupSize >= kernel.bytes.length) throw notAKernel(kernel.name, 'is truncated: it ends within its setup code');
  const code = kernel.bytes.subarray(setupSize);
  const hasPreference = version >= 0x020a;
  const address = hasPreference ? Number(view.getBigUint64(SetupHeader.PreferredAddress, true)) : HIGH_MEMORY;
  const needed = Math.max(hasPreference ? view.getUint32(SetupHeader.InitSize, true) : 0, code.length);
  if (address < HIGH_MEMORY || address > 0xffff_ffff) throw notAKernel(kernel.name, 'has an impossible load address');
  if (address + needed > memory.ramSize) {
    const subject = `${kernel.name} (${formatSize(needed)} at 0x${address.toString(16)})`;
    throw doesNotFit(subject, memory.ramSize);
  }
  place(memory, address, code, code.length, kernel.name);
  const maximum = version >= 0x0206 ? view.getUint32(SetupHeader.CommandLineSize, true) : 255;
  placeCommandLine(memory, source.commandLine, Math.min(maximum, COMMAND_LINE_MAXIMUM));
  const limit = view.getUint32(SetupHeader.InitrdMaximum, true) + 1;
  writeBootParams(memory, setupHeader(kernel.bytes), placeInitrd(memory, initrd, address + needed, limit));
  memory.writeU32(BOOT_INFO_ADDRESS + SetupHeader.Code32Start, address);
  const is64 = version >= 0x020c && (view.getUint16(SetupHeader.XLoadFlags, true) & XLF_KERNEL_64) !== 0;
  const entry = is64 ? address + ENTRY_64_OFFSET : address;
  return { start: linuxStart(memory, is64 ? 64 : 32, entry), sites: [], doubtful: [] };
}

/** Loads an uncompressed kernel at its physical addresses, hooked. */
export function loadVmlinux(memory: GuestMemory, image: ElfImage, source: KernelRequest, request: BootRequest): Loaded {
  const { kernel, initrd } = source;
  const end = placeSegments(memory, image, kernel.name);
  const entry = physicalEntry(image, image.entry);
  if (entry === undefined) throw notAKernel(kernel.name, 'has its entry point outside its segments');
  placeCommandLine(memory, source.commandLine, COMMAND_LINE_MAXIMUM);
  writeBootParams(memory, undefined, placeInitrd(memory, initrd, end, memory.ramSize));
  const start = linuxStart(memory, image.bits, entry);
  return { start, ...hookElf(memory, image, request), userReturns: findUserReturns(image) };
}

/** Gives a loaded kernel that has an empty command line another one: at most 254 bytes, which each kernel takes. Throws VMTAPE_BOOT. */
export function giveCommandLine(memory: GuestMemory, text: string): void {
  placeCommandLine(memory, text, 254);
}

function linuxStart(memory: GuestMemory, bits: 32 | 64, entry: number): CpuStart {
  writeGdt(memory, bits);
  if (bits === 64) writeIdentityMap(memory);
  return {
    mode: bits === 64 ? 'long64' : 'prot32',
    entry,
    stack: STACK_END,
    registers: { rsi: BOOT_INFO_ADDRESS },
  };
}

function placeInitrd(memory: GuestMemory, initrd: BootFile | undefined, kernelEnd: number, limit: number) {
  return initrd === undefined ? undefined : placeHigh(memory, initrd, kernelEnd, limit);
}

/** From 0x1f1 to 0x202 plus the byte at 0x201 (boot.rst, "The Linux/x86 64-bit Boot Protocol"). */
function setupHeader(file: Uint8Array): Uint8Array {
  const end = Math.min(SetupHeader.Magic + (file[SetupHeader.Jump + 1] as number), 0x290);
  return file.slice(SETUP_HEADER_START, Math.max(end, SETUP_HEADER_START));
}

function protocol(version: number): string {
  return `${version >> 8}.${(version & 0xff).toString().padStart(2, '0')}`;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
