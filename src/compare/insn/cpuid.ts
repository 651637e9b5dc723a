/**
 * The CPUID table of the comparing guest: the model, and every feature of instructions that the interpreter has an option for. At CPL 3
 * the processor executes what it has, whatever the table says.
 */
import { vmtape64Cpuid } from '../../vmm/cpu/cpuid.js';
import { CPUID_FEATURES } from '../../vmm/cpu/cpuid-features.js';
import type { CpuidEntry } from '../../vmm/cpu/vcpu.js';

const OPTIONS = new Set([
  ...['sse3', 'ssse3', 'sse4_1', 'sse4_2', 'popcnt', 'movbe', 'aes', 'pclmulqdq', 'cx16'],
  ...['bmi1', 'adx', 'sha_ni', 'clflushopt', 'clwb', 'fsgsbase', 'invpcid', 'abm', 'lahf_lm', '3dnowprefetch'],
]);

/** A new copy. */
export function comparisonCpuid(): CpuidEntry[] {
  return vmtape64Cpuid().map((row) => {
    const changed = { ...row };
    for (const { name, leaf, index, register, bit } of CPUID_FEATURES) {
      if (!OPTIONS.has(name) || leaf !== row.function || index !== row.index) continue;
      changed[register] = (changed[register] | (1 << bit)) >>> 0;
    }
    return changed;
  });
}
