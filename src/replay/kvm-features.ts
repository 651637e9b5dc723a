/** What a trace's machine has and this host's KVM has not. */
import { featuresBeyond } from '../vmm/cpu/cpuid-features.js';
import type { CpuidEntry } from '../vmm/cpu/vcpu.js';

/** In a sentence, for the report of a divergence on KVM; undefined: nothing is missing. */
export async function missingFeatures(table: readonly CpuidEntry[]): Promise<string | undefined> {
  const { forThisKvm } = await import('../vmm/cpu/kvm-cpuid.js');
  const names = featuresBeyond(table, forThisKvm(table));
  if (names.length === 0) return undefined;
  return `this host's KVM lacks features that the guest was shown: ${names.join(', ')}; try --engine interp`;
}
