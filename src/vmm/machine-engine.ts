/** Opening an engine. Each is loaded only when it is asked for: a host without KVM never loads the addon. */
import type { Vcpu } from './cpu/vcpu.js';
import { Board } from './machine-board.js';
import { DEFAULT_RTC_TIME, type EngineName, type MachineOptions } from './machine-options.js';
import type { GuestMemory } from './memory.js';

/** Makes a vCPU see what the host does to its memory. */
export function connect(memory: GuestMemory, vcpu: Vcpu): void {
  memory.onHostWrite = (gpa, length) => vcpu.invalidateCode(gpa, length);
  memory.onRemap = (changed) => vcpu.remap(memory, changed);
}

/** No more. */
export function disconnect(memory: GuestMemory): void {
  memory.onHostWrite = undefined;
  memory.onRemap = undefined;
}

/** A vCPU over the guest's memory. That of KVM has the interpreter at its side. `logDirty`: it logs writes from the start. */
export async function openVcpu(engine: EngineName, memory: GuestMemory, logDirty = false): Promise<Vcpu> {
  const { InterpVcpu } = await import('./cpu/interp.js');
  if (engine === 'interp') return InterpVcpu.open(memory);
  const { KvmVcpu } = await import('./cpu/kvm.js');
  const { AssistedVcpu } = await import('./machine-assist.js');
  return new AssistedVcpu(KvmVcpu.open(memory, { logDirty }), () => InterpVcpu.open(memory), memory);
}

/** The board of a machine. */
export function makeBoard(options: MachineOptions, vcpu: Vcpu): Board {
  const { guest, cpuid, rtcTime = DEFAULT_RTC_TIME, seed = 1, strictBus = false, serial, debugConsole } = options;
  const timestampAux = (): number => vcpu.timestampAux;
  return new Board({ guest, cpuid, rtcTime, seed, strictBus, serial, debugConsole, processor: vcpu, timestampAux });
}
