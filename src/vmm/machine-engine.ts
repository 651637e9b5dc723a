/** Opening an engine. Each is loaded only when it is asked for: a host without KVM never loads the addon. */
import type { Vcpu } from './cpu/vcpu.js';
import type { EngineName } from './machine-options.js';
import type { GuestMemory } from './memory.js';

/** A vCPU over the guest's memory. */
export async function openVcpu(engine: EngineName, memory: GuestMemory): Promise<Vcpu> {
  if (engine === 'kvm') {
    const { KvmVcpu } = await import('./cpu/kvm.js');
    return KvmVcpu.open(memory);
  }
  const { InterpVcpu } = await import('./cpu/interp.js');
  return InterpVcpu.open(memory);
}
