/** Opening an engine. Each is loaded only when it is asked for: a host without KVM never loads the addon. */
import type { Vcpu } from './cpu/vcpu.js';
import type { EngineName } from './machine-options.js';
import type { GuestMemory } from './memory.js';

/** A vCPU over the guest's memory. That of KVM has the interpreter at its side. `logDirty`: it logs writes from the start. */
export async function openVcpu(engine: EngineName, memory: GuestMemory, logDirty = false): Promise<Vcpu> {
  const { InterpVcpu } = await import('./cpu/interp.js');
  if (engine === 'interp') return InterpVcpu.open(memory);
  const { KvmVcpu } = await import('./cpu/kvm.js');
  const { AssistedVcpu } = await import('./machine-assist.js');
  return new AssistedVcpu(KvmVcpu.open(memory, { logDirty }), () => InterpVcpu.open(memory), memory);
}
