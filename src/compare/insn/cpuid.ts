/**
 * The CPUID table of the comparing guest: the model with all its options, but for SERIALIZE, which is Intel's alone. At CPL 3 the
 * processor executes what it has, whatever the table says.
 */
import { MODEL_OPTIONS, vmtape64Cpuid } from '../../vmm/cpu/cpuid.js';
import type { CpuidEntry } from '../../vmm/cpu/vcpu.js';

/** A new copy. */
export function comparisonCpuid(): CpuidEntry[] {
  return vmtape64Cpuid(MODEL_OPTIONS.filter((name) => name !== 'serialize'));
}
