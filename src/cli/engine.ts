/** Choosing the engine, and what it needs: the CPUID table, the ledger, how exact its interrupt window is. */
import { accessSync, constants } from 'node:fs';
import { ExitCode, VmtapeError } from '../base/errors.js';
import type { Ledger } from '../record/ledger.js';
import type { BootedGuest } from '../vmm/boot/boot.js';
import { EFER_LME } from '../vmm/cpu/control-bits.js';
import { vmtape64Cpuid } from '../vmm/cpu/cpuid.js';
import { featureNames, findCpuid } from '../vmm/cpu/cpuid-features.js';
import { hiddenFeatures } from '../vmm/cpu/hidden.js';
import type { CpuidEntry } from '../vmm/cpu/vcpu.js';
import { HookKind } from '../vmm/hooks/table.js';
import type { EngineName } from '../vmm/machine-options.js';
import { type CpuChoice, PLAIN_MODEL } from './cpu-model.js';
import type { AssistChoice, EngineChoice, TscPolicy } from './machine-arguments.js';
import { usageError } from './values.js';

/** CPUID.01H:EDX bit 4, TSC; CPUID.80000001H:EDX bit 4 (AMD's copy) and bit 27, RDTSCP; 80000007H:EDX bit 8, invariant. */
const HIDDEN_TSC = [
  [0x1, 1 << 4],
  [0x8000_0001, (1 << 4) | (1 << 27)],
  [0x8000_0007, 1 << 8],
] as const;

/** `auto` becomes KVM where it can be opened, and the interpreter elsewhere, with the reason. */
export async function chooseEngine(choice: EngineChoice): Promise<{ engine: EngineName; reason?: string }> {
  if (choice !== 'auto') return { engine: choice };
  const reason = await whyNotKvm();
  return reason === undefined ? { engine: 'kvm' } : { engine: 'interp', reason };
}

/** Why KVM cannot be used here; undefined: it can. */
export async function whyNotKvm(): Promise<string | undefined> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    const { KvmSystem } = await import('../vmm/cpu/addon.js');
    new KvmSystem().close();
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === 'ENOENT') return 'this host has no /dev/kvm';
    if (code === 'EACCES' || code === 'EPERM') return '/dev/kvm may not be opened: no permission';
    return message.replace(/\.$/, '');
  }
}

/** The CPUID table of a machine: what model and engine both have, without the time-stamp counter if it is to be hidden. */
export async function cpuidFor(
  tsc: TscPolicy,
  engine: EngineName,
  { added, removed }: CpuChoice = PLAIN_MODEL,
): Promise<CpuidEntry[]> {
  const model = vmtape64Cpuid(added, removed);
  const table = engine === 'kvm' ? (await import('../vmm/cpu/kvm-cpuid.js')).forThisKvm(model) : model;
  const shown = featureNames(table);
  const missing = added.filter((name) => !shown.includes(name));
  if (missing.length > 0) {
    const message = `this host's KVM does not have ${missing.join(', ')}`;
    throw new VmtapeError('VMTAPE_HOST', message, ExitCode.HostCannot, 'leave it out of --cpu, or use --engine interp');
  }
  if (tsc !== 'hide') return table;
  return table.map((row) => {
    const hidden = HIDDEN_TSC.find(([leaf]) => findCpuid([row], leaf, 0) !== undefined);
    return hidden === undefined ? row : { ...row, edx: (row.edx & ~hidden[1]) >>> 0 };
  });
}

/** What to replace in the guest's code. Random numbers and CPUID are the machine's whatever becomes of time stamps. */
export function hooksFor(tsc: TscPolicy): ReadonlySet<HookKind> {
  const kinds = new Set<HookKind>([HookKind.Rdrand, HookKind.Rdseed, HookKind.Cpuid]);
  if (tsc === 'hook') for (const kind of [HookKind.Rdtsc, HookKind.Rdtscp]) kinds.add(kind);
  return kinds;
}

/** What an engine gives to a machine and to a trace's header. */
export interface EngineFacts {
  /** The CPUID table of the machine: what hooked CPUID answers, and what is recorded. */
  readonly cpuid: readonly CpuidEntry[];
  /** On KVM: what its processor executes although the table does not show it. */
  readonly hiddenFeatures?: readonly string[];
  /** The interrupt window opens at the first boundary that can take an interrupt. */
  readonly windowExact: boolean;
  /** A guest that computes can be kicked, and the pages that it writes are logged. */
  readonly canPreempt: boolean;
  /** How many times slower than the host's the time of a guest goes that computes, for it to keep up with its timers. */
  readonly timeScale: number;
  /** Where the interpreter takes over from KVM to execute user code; undefined: it does not. */
  readonly userReturns: readonly bigint[] | undefined;
  /** KVM has no paging outside long mode: the interpreter executes what is under it. */
  readonly assistsPaging: boolean;
  /** The same, and the guest is a 32-bit kernel that unpacks itself: the interpreter executes all of it. */
  readonly assistsAll: boolean;
  /** KVM: its FXSAVE at CPL 0 clears what lies behind the registers. */
  readonly fxsaveClears: boolean;
  readonly ledger: Ledger;
  /** Features beyond the model that a guest sees at CPL 0 although CPUID was to hide them, and its CPUID is not hooked. */
  readonly unhidden: readonly string[];
  /** The guest's RDTSC is hooked in its kernel, and in user code executes unseen. */
  readonly programsReadTsc: boolean;
}

/**
 * Examines the engine on this host. A KVM that shows another CPUID table than asked for: where the guest's CPUID
 * instructions are hooked they get the model all the same; elsewhere what the guest really sees is recorded.
 */
export async function examineEngine(
  engine: EngineName,
  tsc: TscPolicy,
  guest: BootedGuest,
  cpu: CpuChoice = PLAIN_MODEL,
  preempts = true,
  assistUser: AssistChoice = 'auto',
): Promise<EngineFacts> {
  const { Ledger } = await import('../record/ledger.js');
  const cpuid = await cpuidFor(tsc, engine, cpu);
  if (engine === 'interp')
    return {
      cpuid,
      windowExact: true,
      canPreempt: true,
      timeScale: 1,
      userReturns: undefined,
      assistsPaging: false,
      assistsAll: false,
      fxsaveClears: false,
      ledger: new Ledger({ engine, tsc }),
      unhidden: [],
      programsReadTsc: false,
    };
  const { examineHost } = await import('../record/probes/host.js');
  const host = await examineHost({ scope: 'ledger', cpuid });
  const isHooked = guest.hooks.sites.some((site) => site.kind === HookKind.Cpuid);
  const seen = host.effectiveCpuid;
  const isBroken = host.kvm.available && !host.userReachesKernel;
  const userReturns = assistedReturns(assistUser, guest, isBroken);
  const assistsPaging = assistUser !== 'off' && host.kvm.available && !host.pagesOutsideLongMode;
  // A Linux that does not begin in long mode is 32 bits wide: its first act is to turn paging on.
  const isInterpreted = assistsPaging && guest.isLinux && (guest.cpu.efer & EFER_LME) === 0n;
  const assistsAll = isInterpreted && !guest.isScanned;
  const seesTable = isHooked || assistsAll;
  const table = seesTable || seen === undefined ? cpuid : seen.table;
  const { supportedCpuid } = await import('../vmm/cpu/kvm-cpuid.js');
  return {
    cpuid: table,
    hiddenFeatures: hiddenFeatures(supportedCpuid(), table),
    windowExact: host.windowIsExact,
    canPreempt: host.dirtyLogWorks && host.kickWorks,
    timeScale: isInterpreted ? 1 : host.timeScale,
    userReturns,
    assistsPaging,
    assistsAll,
    fxsaveClears: host.kvm.available && !host.fxsaveLeavesRest,
    unhidden: seesTable ? [] : (seen?.beyondAtCpl0 ?? []),
    programsReadTsc:
      tsc === 'hook' && guest.isScanned && !host.rdtscExits && userReturns === undefined && !isInterpreted,
    ledger: new Ledger({
      engine,
      tsc,
      host,
      isUnscanned: !guest.isScanned,
      preempts,
      assistsUser: userReturns !== undefined,
      assistsAll,
    }),
  };
}

function assistedReturns(
  choice: AssistChoice,
  { userReturns }: BootedGuest,
  isBroken: boolean,
): readonly bigint[] | undefined {
  if (choice === 'off' || (choice === 'auto' && !isBroken)) return undefined;
  if (userReturns.length > 0) return userReturns;
  if (choice === 'auto') return undefined;
  throw usageError('--assist-user on: no return to user mode was found', 'it takes a 64-bit vmlinux or flat image');
}
