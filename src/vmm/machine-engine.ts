/** Opening an engine. Each is loaded only when it is asked for: a host without KVM never loads the addon. */
import type { Vcpu } from './cpu/vcpu.js';
import { AssistedVcpu } from './machine-assist.js';
import type { EngineName } from './machine-options.js';
import type { GuestMemory } from './memory.js';

/** A vCPU over the guest's memory. That of KVM has the interpreter at its side. */
export async function openVcpu(engine: EngineName, memory: GuestMemory): Promise<Vcpu> {
  if (engine === 'interp') return (await import('./cpu/interp.js')).InterpVcpu.open(memory);
  const { KvmVcpu } = await import('./cpu/kvm.js');
  const module = await import('./cpu/interp.js').catch(() => undefined); // until interp.ts is there
  const kvm = KvmVcpu.open(memory);
  return module ? new AssistedVcpu(kvm, () => module.InterpVcpu.open(memory), memory) : kvm;
}
