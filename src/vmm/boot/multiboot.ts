/** Multiboot images (Multiboot Specification version 0.6.96): ELF32, or any file with the address fields of the header. */
import { isStripped, scanStripped } from '../hooks/stripped.js';
import type { GuestMemory } from '../memory.js';
import { memoryMap } from './e820.js';
import { isElf, parseElf } from './elf.js';
import { badBoot, notAKernel } from './errors.js';
import { BOOT_INFO_ADDRESS, COMMAND_LINE_ADDRESS, HIGH_MEMORY, STACK_END } from './layout.js';
import { hookElf, type Loaded } from './loaded.js';
import { physicalEntry, place, placeCommandLine, placeHigh, placeSegments } from './placement.js';
import type { BootModule, BootRequest, KernelRequest } from './request.js';
import { writeGdt } from './tables.js';

const HEADER_MAGIC = 0x1bad_b002;
/** In EAX when the kernel starts. */
const LOADER_MAGIC = 0x2bad_b002;
/** The header lies, 4-byte aligned, within the first 8192 bytes (section 3.1). */
const HEADER_SEARCH = 8192;
/** Header flags 0 to 15 that are not understood must be refused; these two are: page alignment, memory information. */
const UNDERSTOOD = 0b11;
const ADDRESS_FIELDS = 0x1_0000;
const COMMAND_LINE_MAXIMUM = 4095;

/** Flags of the information structure (section 3.3). */
const Info = { Memory: 1 << 0, CommandLine: 1 << 2, Modules: 1 << 3, MemoryMap: 1 << 6, LoaderName: 1 << 9 } as const;
const MODULE_ADDRESS = BOOT_INFO_ADDRESS + 0x100;
const MODULE_SIZE = 16;
/** Behind them is the loader's name. */
const MODULES_MAXIMUM = 4;
const LOADER_NAME_ADDRESS = BOOT_INFO_ADDRESS + 0x140;
const MODULE_NAME_ADDRESS = BOOT_INFO_ADDRESS + 0x180;
const MEMORY_MAP_ADDRESS = BOOT_INFO_ADDRESS + 0x400;
const MEMORY_MAP_ENTRY_SIZE = 24;
const NAME_MAXIMUM = 255;

/** Words of the BIOS data area (System BIOS for IBM PCs, Compatibles, and EISA Computers, section 4). */
const BiosData = { serialPort: 0x400, extendedSegment: 0x40e, memoryKib: 0x413 } as const;
const COM1 = 0x3f8;

/** Offset of the header, or undefined: not a Multiboot image. */
export function multibootHeader(file: Uint8Array): number | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 0; at + 12 <= Math.min(file.length, HEADER_SEARCH); at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum % 0x1_0000_0000 === 0) return at;
  }
  return undefined;
}

/** Loads a Multiboot image: flat protected mode without paging, EAX the magic, EBX the information structure. */
export function loadMultiboot(
  memory: GuestMemory,
  header: number,
  source: KernelRequest,
  request: BootRequest,
): Loaded {
  const { kernel } = source;
  const view = new DataView(kernel.bytes.buffer, kernel.bytes.byteOffset, kernel.bytes.byteLength);
  const flags = view.getUint32(header + 4, true);
  if ((flags & 0xffff & ~UNDERSTOOD) !== 0) {
    throw notAKernel(kernel.name, `needs Multiboot features that are not offered (flags 0x${flags.toString(16)})`);
  }
  const image =
    (flags & ADDRESS_FIELDS) !== 0 ? loadByHeader(memory, header, source) : loadElf(memory, source, request);
  placeCommandLine(memory, namedLine(kernel.name, source.commandLine), COMMAND_LINE_MAXIMUM);
  writeInformation(memory, source, image.end);
  writeBiosData(memory);
  writeGdt(memory, 32);
  return {
    start: {
      mode: 'prot32',
      entry: image.entry,
      stack: STACK_END,
      registers: { rax: LOADER_MAGIC, rbx: BOOT_INFO_ADDRESS },
    },
    sites: image.sites,
    doubtful: image.doubtful,
  };
}

interface PlacedImage extends Pick<Loaded, 'sites' | 'doubtful'> {
  readonly entry: number;
  /** The first address behind the image. */
  readonly end: number;
}

function loadElf(memory: GuestMemory, source: KernelRequest, request: BootRequest): PlacedImage {
  const { kernel } = source;
  if (!isElf(kernel.bytes))
    throw notAKernel(kernel.name, 'has a Multiboot header but is neither ELF nor has addresses');
  const image = parseElf(kernel.bytes, kernel.name);
  if (image.bits !== 32) throw notAKernel(kernel.name, 'is a Multiboot image of 64 bits, and Multiboot 1 has none');
  const end = placeSegments(memory, image, kernel.name);
  const entry = physicalEntry(image, image.entry);
  if (entry === undefined) throw notAKernel(kernel.name, 'has its entry point outside its segments');
  return { entry, end, ...hookElf(memory, image, request, isStripped(image) ? scanStripped : undefined) };
}

/** The address fields (section 3.1.3): header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr. */
function loadByHeader(memory: GuestMemory, header: number, source: KernelRequest): PlacedImage {
  const { kernel } = source;
  const { bytes } = kernel;
  if (header + 32 > bytes.length) throw notAKernel(kernel.name, 'is truncated: it ends within its Multiboot header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const field = (index: number): number => view.getUint32(header + 12 + index * 4, true);
  const headerAddress = field(0);
  const loadAddress = field(1);
  const loadEnd = field(2);
  const bssEnd = field(3);
  const entry = field(4);
  const first = header - (headerAddress - loadAddress);
  if (loadAddress > headerAddress || first < 0) throw notAKernel(kernel.name, 'has impossible Multiboot addresses');
  const size = loadEnd === 0 ? bytes.length - first : loadEnd - loadAddress;
  if (size <= 0 || first + size > bytes.length) {
    throw notAKernel(kernel.name, 'is truncated: it ends before the load_end_addr of its Multiboot header');
  }
  if (loadAddress < HIGH_MEMORY) {
    throw badBoot(`${kernel.name} wants to be loaded at 0x${loadAddress.toString(16)}, below 1 MiB`);
  }
  const whole = Math.max(size, bssEnd === 0 ? 0 : bssEnd - loadAddress);
  if (entry < loadAddress || entry >= loadAddress + whole) {
    throw notAKernel(kernel.name, 'has its entry point outside its image');
  }
  place(memory, loadAddress, bytes.subarray(first, first + size), whole, kernel.name);
  return { entry, end: loadAddress + whole, sites: [], doubtful: [] };
}

function writeInformation(memory: GuestMemory, source: KernelRequest, kernelEnd: number): void {
  const { initrd } = source;
  const at = (offset: number): number => BOOT_INFO_ADDRESS + offset;
  memory.fill(BOOT_INFO_ADDRESS, 0x1000, 0);
  let flags: number = Info.Memory | Info.CommandLine | Info.MemoryMap | Info.LoaderName;
  memory.writeU32(at(4), STACK_END / 1024);
  memory.writeU32(at(8), (memory.ramSize - HIGH_MEMORY) / 1024);
  memory.writeU32(at(16), COMMAND_LINE_ADDRESS);
  const modules = [...(initrd ? [{ file: initrd, words: '' }] : []), ...(source.modules ?? [])];
  if (modules.length > 0) {
    flags |= Info.Modules;
    memory.writeU32(at(20), modules.length);
    memory.writeU32(at(24), MODULE_ADDRESS);
    placeModules(memory, modules, kernelEnd);
  }
  memory.writeU32(at(44), writeMemoryMap(memory));
  memory.writeU32(at(48), MEMORY_MAP_ADDRESS);
  memory.write(LOADER_NAME_ADDRESS, new TextEncoder().encode('vmtape\0'));
  memory.writeU32(at(64), LOADER_NAME_ADDRESS);
  memory.writeU32(at(0), flags);
}

/** Each as high as it goes below the one before, and its entry: start, end, string, 0 (section 3.3). */
function placeModules(memory: GuestMemory, modules: readonly BootModule[], kernelEnd: number): void {
  if (modules.length > MODULES_MAXIMUM) throw badBoot(`a Multiboot image takes up to ${MODULES_MAXIMUM} modules`);
  let limit = memory.ramSize;
  let name = MODULE_NAME_ADDRESS;
  for (const [index, { file, words }] of modules.entries()) {
    const { address, size } = placeHigh(memory, file, kernelEnd, limit);
    limit = address;
    const at = MODULE_ADDRESS + index * MODULE_SIZE;
    const text = new TextEncoder().encode(namedLine(file.name, words).slice(0, NAME_MAXIMUM));
    if (name + text.length >= MEMORY_MAP_ADDRESS) throw badBoot('the command lines of the modules are too long');
    memory.writeU32(at, address);
    memory.writeU32(at + 4, address + size);
    memory.writeU32(at + 8, name);
    memory.write(name, text);
    name += text.length + 1;
  }
}

/** As GRUB and QEMU give it: the name of the image, then the options. Kernels pass over the first word. */
function namedLine(name: string, words: string): string {
  const own = name.replace(/^.*\//s, '');
  return words === '' ? own : `${own} ${words}`;
}

/** What kernels look for in the BIOS data area, where a boot loader leaves it (Xen puts its trampoline below the memory that it names). */
function writeBiosData(memory: GuestMemory): void {
  memory.writeU16(BiosData.serialPort, COM1);
  memory.writeU16(BiosData.extendedSegment, STACK_END / 16);
  memory.writeU16(BiosData.memoryKib, STACK_END / 1024);
}

/** Entries of a u32 size (of what follows it), u64 base, u64 length, u32 type. Returns the bytes written. */
function writeMemoryMap(memory: GuestMemory): number {
  const map = memoryMap(memory.ramSize);
  for (const [index, range] of map.entries()) {
    const at = MEMORY_MAP_ADDRESS + index * MEMORY_MAP_ENTRY_SIZE;
    memory.writeU32(at, MEMORY_MAP_ENTRY_SIZE - 4);
    memory.writeU64(at + 4, BigInt(range.base));
    memory.writeU64(at + 12, BigInt(range.length));
    memory.writeU32(at + 20, range.type);
  }
  return map.length * MEMORY_MAP_ENTRY_SIZE;
}
