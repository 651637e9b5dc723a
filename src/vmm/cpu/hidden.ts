/**
 * What a processor executes although CPUID does not show it: a hypervisor edits CPUID's answers, and has no control that would take MOVBE
 * or TZCNT away (SDM vol. 3C, 26.1.3, lists the instructions that can exit). So a guest that never asks has them on KVM, compilers write
 * TZCNT as `rep bsf`, and a replay on the interpreter must do the same: the trace names them.
 */
import { CPUID_FEATURES, featureNames } from './cpuid-features.js';
import type { CpuidEntry } from './vcpu.js';

/** What KVM can take away, by a control of VMX or SVM, a bit of CR4 or EFER that it refuses, or an exit. */
const CAN_BE_HIDDEN: ReadonlySet<string> = new Set([
  ...['rdtscp', 'invpcid', 'monitor', 'xsave', 'fsgsbase', 'syscall', 'sep', 'msr', 'rdrand', 'rdseed', 'rdpid', 'lm'],
]);

/** The names of the features that `host` has, `shown` lacks, and nothing takes away. */
export function hiddenFeatures(host: readonly CpuidEntry[], shown: readonly CpuidEntry[]): string[] {
  const known = new Set(featureNames(shown));
  return featureNames(host).filter((name) => !known.has(name) && !CAN_BE_HIDDEN.has(name));
}

/** The list that a trace's header has of its host, `hidden`; none where the recording is of the interpreter, or older. */
export function hiddenOfTrace(host: Readonly<Record<string, unknown>>): string[] {
  const names = new Set(CPUID_FEATURES.map(({ name }) => name));
  const { hidden } = host;
  return Array.isArray(hidden) ? hidden.filter((name): name is string => names.has(name)) : [];
}
