/** Records and replays guests of corpora/guests, for tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { realHost } from '../../src/base/host.js';
import type { RecordSummary } from '../../src/record/options.js';
import { RecordSession } from '../../src/record/session.js';
import type { ReplayMode, ReplayOptions, ReplayResult } from '../../src/replay/options.js';
import { ReplaySession } from '../../src/replay/session.js';
import { bootGuest } from '../../src/vmm/boot/boot.js';
import type { FlatMode } from '../../src/vmm/boot/request.js';
import { vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import { HookKind } from '../../src/vmm/hooks/table.js';
import type { EngineName, MachineOptions } from '../../src/vmm/machine-options.js';

const root = new URL('../../', import.meta.url).pathname;

/** Flat guests by name: where they are loaded and how they start. */
export const guests: Readonly<Record<string, readonly [mode: FlatMode, loadAt: number]>> = {
  'real-strings': ['real', 0x7c00],
  'prot32-ticks': ['prot32', 0x10_0000],
  clocks: ['prot32', 0x10_0000],
  'long-paging': ['long64', 0x10_0000],
  'long-syscall': ['long64', 0x10_0000],
  selfmod: ['prot32', 0x10_0000],
  apics: ['long64', 0x10_0000],
  nmis: ['long64', 0x10_0000],
};

/** Why KVM cannot be used; undefined: it can. */
export { kvmMissing as noKvm } from '../native/kvm-host.js';

/** Collects console bytes. */
export class Text {
  text = '';
  write(byte: number): void {
    this.text += String.fromCharCode(byte);
  }
}

/** The options of a machine that runs `image`. */
export function machineOf(
  engine: EngineName,
  image: Uint8Array,
  mode: FlatMode,
  loadAt: number,
  more: Partial<MachineOptions> = {},
  ramSize = 0x40_0000,
): MachineOptions {
  const guest = bootGuest({
    ramSize,
    source: { kind: 'flat', image: { name: 'test', bytes: image }, loadAt, mode },
    hooks: new Set(Object.values(HookKind)),
  });
  return { engine, guest, cpuid: vmtape64Cpuid(), host: realHost, ...more };
}

/** The image of a guest of our own. */
export function imageOf(name: string): Uint8Array {
  return readFileSync(join(root, 'corpora/guests', `${name}.bin`));
}

/** Records `machine` to `path`. */
export async function record(machine: MachineOptions, path: string): Promise<RecordSummary> {
  const session = await RecordSession.open({
    machine,
    path,
    id: new Uint8Array(16),
    date: 0,
    options: {},
    tsc: 'hook',
    ledger: null,
    host: {},
  });
  try {
    return await session.run();
  } finally {
    session.close();
  }
}

/** Replays `path`. */
export async function replay(
  path: string,
  engine: EngineName,
  mode: ReplayMode,
  more: Partial<ReplayOptions> = {},
): Promise<ReplayResult> {
  const session = await ReplaySession.open({ path, engine, mode, host: realHost, ...more });
  try {
    return await session.run();
  } finally {
    session.close();
  }
}
