/** Boots a guest and runs it on the interpreter. */
import { realHost } from '../../src/base/host.js';
import { bootGuest } from '../../src/vmm/boot/boot.js';
import type { BootSource } from '../../src/vmm/boot/request.js';
import { vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import { HookKind } from '../../src/vmm/hooks/table.js';
import { Machine } from '../../src/vmm/machine.js';
import type { MachineEnd } from '../../src/vmm/machine-options.js';

/** Loads a guest, hooked, with 4 MiB of memory or as given. */
export function load(source: BootSource, ramSize = 0x40_0000) {
  return bootGuest({ ramSize, source, hooks: new Set(Object.values(HookKind)) });
}

/** Runs a guest to its end, at most 100,000 instructions. */
export async function run(source: BootSource, ramSize?: number): Promise<MachineEnd> {
  const machine = await Machine.open({
    engine: 'interp',
    guest: load(source, ramSize),
    cpuid: vmtape64Cpuid(),
    host: realHost,
    limits: { instructions: 100_000 },
  });
  try {
    return await machine.run();
  } finally {
    machine.close();
  }
}

/** A file of bytes. */
export const file = (bytes: Uint8Array | readonly number[], name = 'image') => ({
  name,
  bytes: bytes instanceof Uint8Array ? bytes : Uint8Array.from(bytes),
});
