/**
 * What a CPUID table may say on this host's KVM. A guest that sees a feature which KVM refuses (PCID, SMAP, FSGSBASE on
 * software-nested hosts) sets its control bit and gets #GP, so that the table must not name it. Where KVM shows the
 * guest more than the table, the CPUID hook keeps the guest from it (src/vmm/hooks).
 */
import { KvmSystem } from './addon.js';
import { CPUID_FEATURES, findCpuid } from './cpuid-features.js';
import { decodeCpuid } from './kvm-vm.js';
import type { CpuidEntry } from './vcpu.js';

/** `table` without the feature bits that `supported` lacks; all else stays. */
export function withoutUnsupported(table: readonly CpuidEntry[], supported: readonly CpuidEntry[]): CpuidEntry[] {
  return table.map((row) => {
    const result = { ...row };
    for (const { name, leaf, index, register, bit } of CPUID_FEATURES) {
      // The hypervisor bit is the VMM's to set (KVM documentation, 4.46 KVM_GET_SUPPORTED_CPUID, does not promise it).
      if (leaf !== row.function || index !== row.index || name === 'hypervisor') continue;
      const host = findCpuid(supported, leaf, index);
      if (host === undefined || ((host[register] >>> bit) & 1) === 0) result[register] &= ~(1 << bit);
      result[register] >>>= 0;
    }
    return result;
  });
}

let supported: readonly CpuidEntry[] | undefined;

/** What this host's KVM supports (KVM_GET_SUPPORTED_CPUID), asked for once. Throws a VmtapeError where there is no KVM. */
export function supportedCpuid(): readonly CpuidEntry[] {
  if (supported) return supported;
  const system = new KvmSystem();
  try {
    supported = decodeCpuid(system.cpuid('supported'));
    return supported;
  } finally {
    system.close();
  }
}

/** `table` as far as this host's KVM supports it. Throws a VmtapeError where there is no KVM. */
export function forThisKvm(table: readonly CpuidEntry[]): CpuidEntry[] {
  return withoutUnsupported(table, supportedCpuid());
}
