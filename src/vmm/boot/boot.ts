/** Booting: makes guest memory, puts the guest into it, and says how the processor starts. */
import { HookTable } from '../hooks/table.js';
import type { LoadedGuest } from '../machine-options.js';
import { GuestMemory } from '../memory.js';
import { cpuStateOf } from './cpu.js';
import { isElf, parseElf } from './elf.js';
import { badBoot, notAKernel } from './errors.js';
import { loadFlat } from './flat.js';
import { HIGH_MEMORY } from './layout.js';
import { isBzImage, isLinux, loadBzImage, loadVmlinux } from './linux.js';
import type { Loaded } from './loaded.js';
import { loadMultiboot, multibootHeader } from './multiboot.js';
import { loadPvh, pvhEntry } from './pvh.js';
import type { BootRequest, KernelRequest } from './request.js';

/** A loaded guest, and what its loading left open. */
export interface BootedGuest extends LoadedGuest {
  /** Addresses that look like instructions to hook, but which disassembly was not sure of: they are as they were. */
  readonly doubtful: readonly bigint[];
  /** The guest's code could be searched for instructions to hook (a bzImage and a ROM cannot). */
  readonly isScanned: boolean;
}

/**
 * Loads a guest. Throws a VmtapeError: VMTAPE_NOT_A_KERNEL, VMTAPE_DOES_NOT_FIT, VMTAPE_BOOT, or VMTAPE_MEMORY; all of
 * them end a command with exit code 2.
 */
export function bootGuest(request: BootRequest): BootedGuest {
  const { source, ramSize } = request;
  if (source.kind === 'rom') {
    const memory = new GuestMemory({ ramSize, rom: source.rom.bytes });
    const loaded: Loaded = { start: { mode: 'reset', entry: 0, stack: 0 }, sites: [], doubtful: [] };
    return finish(memory, loaded, false);
  }
  const memory = new GuestMemory({ ramSize });
  if (source.kind === 'flat') return finish(memory, loadFlat(memory, source, request), true);
  return loadKernel(memory, source, request);
}

function loadKernel(memory: GuestMemory, source: KernelRequest, request: BootRequest): BootedGuest {
  const { kernel, initrd } = source;
  if (memory.ramSize <= HIGH_MEMORY) throw badBoot('a kernel needs more than 1 MiB of memory', 'raise --mem');
  if (initrd !== undefined && initrd.bytes.length === 0) throw badBoot(`${initrd.name} is empty`);
  if (isBzImage(kernel.bytes)) return finish(memory, loadBzImage(memory, source), false);
  const header = multibootHeader(kernel.bytes);
  if (header !== undefined) return finish(memory, loadMultiboot(memory, header, source, request), true);
  if (!isElf(kernel.bytes)) throw notAKernel(kernel.name, 'is not a kernel');
  const image = parseElf(kernel.bytes, kernel.name);
  const isPvh = pvhEntry(image) !== undefined && !(isLinux(image) && image.bits === 64);
  const loaded = isPvh ? loadPvh(memory, image, source, request) : loadVmlinux(memory, image, source, request);
  return finish(memory, loaded, true);
}

function finish(memory: GuestMemory, loaded: Loaded, isScanned: boolean): BootedGuest {
  const { start, sites, doubtful } = loaded;
  return { memory, cpu: cpuStateOf(start), hooks: new HookTable(sites), doubtful, isScanned };
}
