/** Booting: makes guest memory, puts the guest into it, and says how the processor starts. */
import { HookTable } from '../hooks/table.js';
import type { LoadedGuest } from '../machine-options.js';
import { GuestMemory } from '../memory.js';
import { writeAcpiTables } from './acpi.js';
import { cpuStateOf } from './cpu.js';
import { isElf, parseElf } from './elf.js';
import { badBoot, notAKernel } from './errors.js';
import { loadFlat } from './flat.js';
import { HIGH_MEMORY } from './layout.js';
import { isBzImage, isLinux, loadBzImage, loadVmlinux } from './linux.js';
import type { Loaded } from './loaded.js';
import { madt } from './madt.js';
import { loadMultiboot, multibootHeader } from './multiboot.js';
import { loadPvh, pvhEntry } from './pvh.js';
import type { BootRequest, KernelRequest } from './request.js';

/** A loaded guest, and what its loading left open. */
export interface BootedGuest extends LoadedGuest {
  /** Addresses that look like instructions to hook, but which disassembly was not sure of: they are as they were. */
  readonly doubtful: readonly bigint[];
  /** The guest's code could be searched for instructions to hook (a bzImage and a ROM cannot). */
  readonly isScanned: boolean;
  /** It was loaded by Linux's boot protocol: its command line is Linux's. */
  readonly isLinux: boolean;
  /** Where 64-bit code returns to user mode, four linear addresses at most; none where the code could not be searched, or is of 32 bits. */
  readonly userReturns: readonly bigint[];
}

/**
 * Loads a guest. Throws a VmtapeError: VMTAPE_NOT_A_KERNEL, VMTAPE_DOES_NOT_FIT, VMTAPE_BOOT, or VMTAPE_MEMORY; all of
 * them end a command with exit code 2.
 */
export function bootGuest(request: BootRequest): BootedGuest {
  const { source, ramSize } = request;
  if (source.kind === 'rom') {
    const memory = new GuestMemory({ ramSize, rom: source.rom.bytes, hasWindows: true });
    const loaded: Loaded = { start: { mode: 'reset', entry: 0, stack: 0 }, sites: [], doubtful: [] };
    return finish(memory, { loaded, isScanned: false, isLinux: false }, request);
  }
  const memory = new GuestMemory({ ramSize });
  if (source.kind === 'flat') {
    return finish(memory, { loaded: loadFlat(memory, source, request), isScanned: true, isLinux: false }, request);
  }
  return loadKernel(memory, source, request);
}

function loadKernel(memory: GuestMemory, source: KernelRequest, request: BootRequest): BootedGuest {
  const { initrd, modules = [] } = source;
  if (memory.ramSize <= HIGH_MEMORY) throw badBoot('a kernel needs more than 1 MiB of memory', 'raise --mem');
  for (const { name, bytes } of [...(initrd ? [initrd] : []), ...modules.map(({ file }) => file)]) {
    if (bytes.length === 0) throw badBoot(`${name} is empty`);
  }
  const image = loadImage(memory, source, request);
  writeAcpiTables(memory, request.apic === false ? [] : [madt()]);
  return finish(memory, image, request);
}

/** An image in memory, and what it is. */
interface LoadedImage extends Pick<BootedGuest, 'isScanned' | 'isLinux'> {
  readonly loaded: Loaded;
}

function loadImage(memory: GuestMemory, source: KernelRequest, request: BootRequest): LoadedImage {
  const { kernel } = source;
  const isPacked = isBzImage(kernel.bytes);
  const header = isPacked ? undefined : multibootHeader(kernel.bytes);
  if (header !== undefined) {
    return { loaded: loadMultiboot(memory, header, source, request), isScanned: true, isLinux: false };
  }
  if (source.modules !== undefined) throw badBoot(`${kernel.name} takes no modules: it is no Multiboot image`);
  if (isPacked) return { loaded: loadBzImage(memory, source), isScanned: false, isLinux: true };
  if (!isElf(kernel.bytes)) throw notAKernel(kernel.name, 'is not a kernel');
  const image = parseElf(kernel.bytes, kernel.name);
  const isPvh = pvhEntry(image) !== undefined && !(isLinux(image) && image.bits === 64);
  const loaded = isPvh ? loadPvh(memory, image, source, request) : loadVmlinux(memory, image, source, request);
  return { loaded, isScanned: true, isLinux: !isPvh };
}

function finish(memory: GuestMemory, image: LoadedImage, request: BootRequest): BootedGuest {
  const { loaded, isScanned, isLinux } = image;
  const { start, sites, doubtful, userReturns = [] } = loaded;
  const hooks = new HookTable(sites);
  return { memory, cpu: cpuStateOf(start, request.apic), hooks, doubtful, isScanned, isLinux, userReturns };
}
