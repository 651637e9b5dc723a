/**
 * What a replay needs of its processor: the features of the header's CPUID table. A trace of another host, or of a later vmtape, may show its
 * guest what this engine lacks; then it is refused before the guest runs, instead of diverging where the guest uses it.
 */
import { ExitCode, VmtapeError } from '../base/errors.js';
import type { TraceHeader } from '../trace/header.js';
import { INTERPRETED_FEATURES } from '../vmm/cpu/cpuid.js';
import { featureNames, featuresBeyond } from '../vmm/cpu/cpuid-features.js';
import { hiddenOfTrace } from '../vmm/cpu/hidden.js';
import type { CpuidEntry } from '../vmm/cpu/vcpu.js';
import { HookKind } from '../vmm/hooks/table.js';
import type { EngineName } from '../vmm/machine-options.js';

/** What is asked of the header. */
export type DemandingHeader = Pick<TraceHeader, 'engine' | 'cpuid' | 'host' | 'hooks' | 'files' | 'ledger'>;

/** What a guest of this host's KVM reads by CPUID if it is given the table `asked`. */
export type EffectiveTable = (asked: readonly CpuidEntry[]) => readonly CpuidEntry[];

/**
 * Throws VMTAPE_CPU, exit code 6, where the engine lacks features that the guest was shown and may use. On KVM only if the guest could ask: one
 * without CPUID in its code may go well there, and gets {@link featuresHint} if it does not. `effective` says what KVM shows where CPUID is
 * not hooked; without it, what KVM supports is all.
 */
export async function checkFeatures(
  path: string,
  header: DemandingHeader,
  engine: EngineName,
  effective?: EffectiveTable,
): Promise<void> {
  if (engine === 'kvm' && !canAsk(header)) return;
  const lacking = await lackingFeatures(header, engine, effective);
  if (lacking.length === 0) return;
  const who = engine === 'kvm' ? "this host's KVM" : "this version's interpreter";
  const hint = engine === 'kvm' ? 'use --engine interp' : 'use the vmtape that recorded it, or later';
  const message = `${path}: the guest was shown ${lacking.join(', ')}, which ${who} does not have`;
  throw new VmtapeError('VMTAPE_CPU', message, ExitCode.HostCannot, hint);
}

/** For the report of a divergence on KVM, in a sentence; undefined: nothing is missing. */
export async function featuresHint(header: DemandingHeader): Promise<string | undefined> {
  const { supportedCpuid } = await import('../vmm/cpu/kvm-cpuid.js');
  const shown = await lackingFeatures(header, 'kvm');
  const host = featureNames(supportedCpuid());
  const executed = hiddenOfTrace(header.host).filter((name) => !host.includes(name));
  const parts = [
    ...(shown.length > 0 ? [`features that the guest was shown: ${shown.join(', ')}`] : []),
    ...(executed.length > 0 ? [`features that executed though they were not shown: ${executed.join(', ')}`] : []),
  ];
  return parts.length === 0 ? undefined : `this host's KVM lacks ${parts.join('; ')}; try --engine interp`;
}

async function lackingFeatures(
  header: DemandingHeader,
  engine: EngineName,
  effective?: EffectiveTable,
): Promise<string[]> {
  const demanded = demandedFeatures(header);
  if (engine === 'interp') return demanded.filter((name) => !INTERPRETED_FEATURES.includes(name));
  const { forThisKvm } = await import('../vmm/cpu/kvm-cpuid.js');
  const unsupported = featuresBeyond(header.cpuid, forThisKvm(header.cpuid)).filter((name) => demanded.includes(name));
  if (unsupported.length === 0 || isHooked(header)) return unsupported;
  // An instruction that KVM lets through shows the processor's features, supported or not; so it did to the recorder.
  if (effective === undefined) return unsupported;
  const unseen = featuresBeyond(header.cpuid, effective(header.cpuid));
  return unsupported.filter((name) => unseen.includes(name));
}

const isHooked = ({ hooks }: DemandingHeader): boolean => hooks.some(({ kind }) => kind === HookKind.Cpuid);

/** Without those that the recording KVM forced upon the guest: an open row of its ledger, from which the guest was kept otherwise. */
function demandedFeatures({ engine, cpuid, ledger }: DemandingHeader): string[] {
  const shown = featureNames(cpuid);
  const rows: readonly unknown[] = engine === 'kvm' && Array.isArray(ledger) ? ledger : [];
  const beyond = rows.find((row) => (row as { id?: unknown } | null)?.id === 'cpuid-beyond-model');
  const isForced = (beyond as { status?: unknown } | undefined)?.status === 'open';
  return isForced ? shown.filter((name) => INTERPRETED_FEATURES.includes(name)) : shown;
}

/** Its code has a CPUID; or it could not be searched for one: firmware, or a kernel that unpacks itself. */
function canAsk(header: DemandingHeader): boolean {
  if (header.hooks.length > 0) return isHooked(header);
  return header.files.some(({ role }) => role === 'kernel' || role === 'rom');
}
