/** Everything that the probes find on this host: the data of `vmtape doctor`, and what the recorder acts on. */
import { existsSync, readFileSync } from 'node:fs';
import { arch, cpus, platform, release } from 'node:os';
import { VmtapeError } from '../../base/errors.js';
import { type HostPort, realHost } from '../../base/host.js';
import { KvmSystem } from '../../vmm/cpu/addon.js';
import { vmtape64Cpuid } from '../../vmm/cpu/cpuid.js';
import { Capability } from '../../vmm/cpu/kvm-constants.js';
import type { CpuidEntry } from '../../vmm/cpu/vcpu.js';
import { type EffectiveCpuid, readEffectiveCpuid } from './cpuid.js';
import { PROBE_MODES } from './guest.js';
import { probeHypercalls } from './hypercall.js';
import { type InstructionResult, LEDGER_INSTRUCTIONS, notEmulated, probeInstructions } from './instructions.js';
import { probeDirtyLog, probeFxsave, probeReadonly, probeSyncRegs } from './memory.js';
import { probeMsrFilter } from './msr.js';
import { probePaging } from './paging.js';
import { type ProbeResult, probe } from './result.js';
import { probeSoftwareInterrupt, probeSyscall } from './rings.js';
import { probeSingleStep } from './stepping.js';
import { measureAll, type ProbeFigures, probeKick, proposedTimeScale } from './timing.js';
import { probeWindow } from './window.js';

/** What this host can do. JSON. */
export interface HostReport {
  readonly platform: string;
  readonly kernel: string;
  readonly processor: string;
  /** /dev/kvm can be used; if not, why, and what to do. */
  readonly kvm: {
    readonly available: boolean;
    readonly reason?: string;
    readonly hint?: string;
    readonly module?: string;
  };
  /** KVM_CAP_… by name; 0 is absent. */
  readonly capabilities: Readonly<Record<string, number>>;
  readonly probes: readonly ProbeResult[];
  readonly instructions: readonly InstructionResult[];
  readonly figures: readonly ProbeFigures[];
  readonly effectiveCpuid: EffectiveCpuid | undefined;
  /** The guest sees the CPUID table that was asked for. */
  readonly cpuidIsObeyed: boolean;
  /** An interrupt window opens at the first boundary, in all modes. */
  readonly windowIsExact: boolean;
  readonly singleStepIsExact: boolean;
  readonly msrFilterIsComplete: boolean;
  readonly dirtyLogWorks: boolean;
  readonly kickWorks: boolean;
  /** How many times slower than this host's the time of a guest that computes should go: 1 where KVM runs its kernel natively. */
  readonly timeScale: number;
  /** User code of 64 bits reaches the kernel, by SYSCALL and by an interrupt gate. */
  readonly userReachesKernel: boolean;
  /** Paging outside long mode can be turned on. */
  readonly pagesOutsideLongMode: boolean;
  /** FXSAVE at CPL 0 writes no more than the registers. */
  readonly fxsaveLeavesRest: boolean;
  readonly rdtscExits: boolean;
  readonly rdrandExecutes: boolean;
}

/** Options of {@link examineHost}. */
export interface ExamineOptions {
  readonly host?: HostPort;
  /** `ledger`: only what the ledger and the recorder need, a quarter of a second; the other fields are as where there is no KVM. */
  readonly scope?: 'all' | 'ledger';
  /** The table that the guest shall see. */
  readonly cpuid?: readonly CpuidEntry[];
  /** Where KVM is looked for. The probes run on /dev/kvm: with another path only this device is opened. */
  readonly device?: string;
}

/** Runs every probe: one or two seconds. Never throws; where there is no KVM, the report says why. */
export async function examineHost(options: ExamineOptions = {}): Promise<HostReport> {
  const { host = realHost, scope = 'all', device = '/dev/kvm' } = options;
  const base = {
    platform: `${platform()} ${arch()}`,
    kernel: release(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
  };
  const kvm = examineDevice(device);
  if (!kvm.available || device !== '/dev/kvm') return { ...base, kvm, ...NOTHING };
  const probes: ProbeResult[] = [];
  const add = async (result: ProbeResult) => {
    probes.push(result);
    await host.sleep(0);
  };
  const cpuid = examineCpuid(options.cpuid ?? vmtape64Cpuid(), probes);
  await add(probeMsrFilter());
  await add(probeHypercalls());
  for (const mode of PROBE_MODES) await add(probeWindow(mode));
  if (scope === 'all') {
    for (const mode of PROBE_MODES) await add(probeSingleStep(mode));
    for (const mode of PROBE_MODES) await add(probeSyncRegs(mode));
    await add(probeReadonly());
  }
  await add(probeSyscall());
  await add(probeSoftwareInterrupt());
  await add(probePaging());
  await add(probeFxsave());
  for (const mode of PROBE_MODES) await add(probeDirtyLog(mode));
  for (const mode of PROBE_MODES) await add(probeKick(mode, host));
  const instructions = examineInstructions(probes, scope === 'all' ? undefined : LEDGER_INSTRUCTIONS);
  const all = (prefix: string) => {
    const own = probes.filter(({ id }) => id.startsWith(prefix));
    return own.length > 0 && own.every(({ verdict }) => verdict === 'yes');
  };
  const outcomes = (name: string) => instructions.filter((one) => one.name === name).map(({ outcome }) => outcome);
  return {
    ...base,
    kvm,
    capabilities: examineCapabilities(),
    probes,
    instructions,
    figures: scope === 'all' ? measureAll(host) : [],
    effectiveCpuid: cpuid,
    cpuidIsObeyed: cpuid?.isObeyed ?? false,
    windowIsExact: all('window.'),
    singleStepIsExact: all('step.'),
    msrFilterIsComplete: all('msr.'),
    dirtyLogWorks: all('dirty-log.'),
    kickWorks: all('kick.'),
    timeScale: proposedTimeScale(host),
    userReachesKernel: all('ring3.'),
    pagesOutsideLongMode: all('paging.'),
    fxsaveLeavesRest: all('fxsave'),
    rdtscExits: outcomes('RDTSC').length > 0 && outcomes('RDTSC').every((outcome) => outcome === 'exit'),
    rdrandExecutes: outcomes('RDRAND EAX').some((outcome) => outcome === 'executes'),
  };
}

const NOTHING = {
  capabilities: {},
  probes: [],
  instructions: [],
  figures: [],
  effectiveCpuid: undefined,
  cpuidIsObeyed: false,
  windowIsExact: false,
  singleStepIsExact: false,
  msrFilterIsComplete: false,
  dirtyLogWorks: false,
  kickWorks: false,
  timeScale: 1,
  userReachesKernel: false,
  pagesOutsideLongMode: false,
  fxsaveLeavesRest: false,
  rdtscExits: false,
  rdrandExecutes: false,
} as const;

/** Whether /dev/kvm can be opened, cheaply. */
export function examineDevice(path: string): HostReport['kvm'] {
  try {
    new KvmSystem(path).close();
    return { available: true, module: kernelModule() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = error instanceof VmtapeError ? error.hint : undefined;
    return { available: false, reason, ...(hint === undefined ? {} : { hint }) };
  }
}

/** Which of the kernel's modules stands behind /dev/kvm. */
function kernelModule(): string {
  for (const name of ['kvm_intel', 'kvm_amd', 'kvm_pvm']) if (existsSync(`/sys/module/${name}`)) return name;
  try {
    return /^(kvm\S*) /m.exec(readFileSync('/proc/modules', 'utf8'))?.[1] ?? 'built into the kernel';
  } catch {
    return 'unknown';
  }
}

function examineCapabilities(): Record<string, number> {
  const system = new KvmSystem();
  try {
    return Object.fromEntries(
      Object.entries(Capability).map(([name, number]) => [name, system.checkExtension(number)]),
    );
  } finally {
    system.close();
  }
}

function examineCpuid(asked: readonly CpuidEntry[], probes: ProbeResult[]): EffectiveCpuid | undefined {
  let seen: EffectiveCpuid | undefined;
  const result = probe('cpuid', 'the guest sees the CPUID table that was asked for', () => {
    seen = readEffectiveCpuid(asked);
    if (seen.isObeyed) return { verdict: 'yes', evidence: 'at CPL 0 and 3' };
    const where = seen.isSame ? 'the same at CPL 0 and 3' : 'different at CPL 0 and CPL 3';
    const beyond = seen.beyond.length === 0 ? 'no feature more' : `${seen.beyond.length} features more`;
    return { verdict: 'no', evidence: `another table, ${where}: ${beyond}, ${seen.missing.length} missing` };
  });
  probes.push(result);
  return seen;
}

function examineInstructions(probes: ProbeResult[], names: readonly string[] | undefined): InstructionResult[] {
  let results: InstructionResult[] = [];
  const result = probe('instructions', 'KVM executes every instruction', () => {
    results = probeInstructions(names);
    const missing = notEmulated(results);
    if (names !== undefined) return { verdict: 'unknown', evidence: `only ${names.join(', ')} were tried` };
    if (missing.length === 0) return { verdict: 'yes', evidence: `${results.length} tried` };
    return { verdict: 'no', evidence: `stops at ${missing.join(', ')}` };
  });
  probes.push(result);
  return results;
}
