/**
 * The determinism ledger (design, section 3): every source of nondeterminism is a row; the row says how it is closed on this
 * host, and counts how often an open one was hit while recording. `vmtape doctor` prints it, and each trace's header has it.
 */
import type { EffectiveCpuid } from './probes/cpuid.js';
import type { HostReport } from './probes/host.js';
import { proposedCommandLine } from './proposal.js';

/** The ids of the rows; stable. */
export const LEDGER_IDS = [
  'io',
  'msr',
  'cpuid',
  'cpuid-beyond-model',
  'tsc',
  'random',
  'paravirtual',
  'time',
  'interrupts',
  'window',
  'dma',
  'host-input',
  'x87-transcendental',
  'sse-approximation',
] as const;
/** The id of a row. */
export type LedgerId = (typeof LEDGER_IDS)[number];

/** `closed`: cannot happen unseen. `hooked`: the instruction is replaced where it was found. `open`: it can happen unseen. */
export type LedgerStatus = 'closed' | 'hooked' | 'open';

/** One source of nondeterminism. JSON. */
export interface LedgerRow {
  readonly id: LedgerId;
  /** The source, in words. */
  readonly source: string;
  /** How it is closed. */
  readonly how: string;
  status: LedgerStatus;
  /** What shows that: what a probe saw, or why none is needed. */
  readonly evidence: string;
  /** How often it was met while recording. An open row that was hit makes a recording inexact. */
  hits: number;
}

/** What the rows depend on besides the host. */
export interface LedgerInput {
  readonly engine: 'kvm' | 'interp';
  /** The policy for RDTSC. */
  readonly tsc: 'hook' | 'hide' | 'pass';
  /** The guest's code could not be searched for instructions to hook: it unpacks itself, or it is firmware. */
  readonly isUnscanned?: boolean;
  /** False: `--preempt-ms off`. */
  readonly preempts?: boolean;
  /** The interpreter executes user code. */
  readonly assistsUser?: boolean;
  /** The interpreter executes all code. */
  readonly assistsAll?: boolean;
  /** For engine kvm. */
  readonly host?: HostReport | undefined;
}

type Judgement = Pick<LedgerRow, 'how' | 'status' | 'evidence'>;

const SOURCES: Readonly<Record<LedgerId, string>> = {
  io: 'port and MMIO reads',
  msr: 'model-specific registers',
  cpuid: 'CPUID',
  'cpuid-beyond-model': 'CPU features that the interpreter does not have',
  tsc: 'RDTSC, RDTSCP',
  random: 'RDRAND, RDSEED',
  paravirtual: 'kvmclock and hypercalls',
  time: 'time',
  interrupts: 'where interrupts land',
  window: 'where interrupts land that have to wait',
  dma: 'DMA into guest memory',
  'host-input': 'console input, disk and network content',
  'x87-transcendental': 'x87 transcendental instructions',
  'sse-approximation': 'RCPPS, RSQRTPS and their scalar forms',
};

const INTERPRETED: Judgement = {
  how: 'the interpreter has no such source',
  status: 'closed',
  evidence: 'by construction',
};

const ALWAYS: Readonly<Partial<Record<LedgerId, Judgement>>> = {
  io: {
    how: 'every access is an exit, and logged',
    status: 'closed',
    evidence: 'by construction: no device in the kernel',
  },
  time: { how: 'one clock, sampled at exits, logged where used', status: 'closed', evidence: 'by construction' },
  interrupts: {
    how: 'injected by us at exits or at landmarks, logged with RIP, registers and hashes of state',
    status: 'closed',
    evidence: 'by construction: the interrupt controllers are ours',
  },
  dma: { how: 'done by our devices at exits, logged', status: 'closed', evidence: 'by construction' },
  'host-input': { how: 'logged where it enters', status: 'closed', evidence: 'by construction' },
};

/** The ledger of a machine. */
export class Ledger {
  readonly rows: readonly LedgerRow[];

  constructor(input: LedgerInput) {
    this.rows = LEDGER_IDS.map((id) => ({ id, source: SOURCES[id], ...judgeGuest(id, input), hits: 0 }));
  }

  /** The row with that id. */
  row(id: LedgerId): LedgerRow {
    return this.rows[LEDGER_IDS.indexOf(id)] as LedgerRow;
  }

  /** The source was met. */
  hit(id: LedgerId, times = 1): void {
    this.row(id).hits += times;
  }

  /** The source was met where nothing closes it: a row that is hooked is open from then on. A closed one stays closed. */
  breach(id: LedgerId, times = 1): void {
    const row = this.row(id);
    if (row.status === 'hooked') row.status = 'open';
    if (row.status === 'open') row.hits += times;
  }

  /** The sources of the open rows that were hit: with any, the recording is not exact. */
  openHits(): string[] {
    return this.rows.filter(({ status, hits }) => status === 'open' && hits > 0).map(({ source }) => source);
  }

  toJSON(): LedgerRow[] {
    return this.rows.map((row) => ({ ...row }));
  }
}

/** The row of this host, for this guest: what cannot be hooked is open. */
function judgeGuest(id: LedgerId, input: LedgerInput): Judgement {
  const judgement = judge(id, input);
  if (judgement.status !== 'hooked' || !input.isUnscanned) return judgement;
  const how = 'nothing: the code of a bzImage or a ROM cannot be searched for it (a vmlinux can)';
  return { ...judgement, how, status: 'open' };
}

function judge(id: LedgerId, input: LedgerInput): Judgement {
  const always = ALWAYS[id];
  if (always) return always;
  if (input.engine === 'interp') {
    return id === 'tsc' ? { ...INTERPRETED, how: 'a function of the retired instructions' } : INTERPRETED;
  }
  if (input.assistsAll) {
    return id === 'tsc' ? { ...INTERPRETED, how: 'it is an exit, as the interpreter executes the guest' } : INTERPRETED;
  }
  const { host } = input;
  if (!host?.kvm.available) return { how: 'nothing', status: 'open', evidence: 'this host was not examined' };
  switch (id) {
    case 'msr':
      return host.msrFilterIsComplete
        ? {
            how: 'an MSR filter: all but pure CPU state exits',
            status: 'closed',
            evidence: evidenceOf(host, 'msr.filter'),
          }
        : { how: 'an MSR filter', status: 'open', evidence: evidenceOf(host, 'msr.filter') };
    case 'cpuid':
      return judgeCpuid(host.effectiveCpuid);
    case 'cpuid-beyond-model':
      return judgeBeyond(host.effectiveCpuid, input.assistsUser ?? false);
    case 'tsc':
      return judgeTsc(host, input.tsc);
    case 'random':
      return judgeRandom(host);
    case 'paravirtual':
      return judgeParavirtual(host);
    case 'window':
      return judgeWindow(host, input.preempts ?? true);
    case 'sse-approximation':
      return {
        how: 'executed by the host processor',
        status: 'open',
        evidence: "their bits differ between processors; the interpreter has those of AMD's Zen 5",
      };
    default:
      return {
        how: 'executed by the host processor',
        status: 'open',
        evidence:
          'the results of FSIN and the like differ between processors; hits are not seen while recording on KVM',
      };
  }
}

function judgeParavirtual(host: HostReport): Judgement {
  const hypercall = host.probes.find(({ id }) => id === 'hypercall');
  const evidence = `${evidenceOf(host, 'msr.filter')}; ${hypercall?.evidence ?? 'hypercalls were not probed'}`;
  const how = 'not in CPUID, enforced by KVM; its MSRs are filtered';
  if (host.msrFilterIsComplete && hypercall?.verdict === 'yes') return { how, status: 'closed', evidence };
  return { how: `${how}; a guest that makes hypercalls unasked reaches the host`, status: 'open', evidence };
}

function evidenceOf(host: HostReport, id: string): string {
  return host.probes.find((probe) => probe.id === id)?.evidence ?? 'not probed';
}

function judgeCpuid(seen: EffectiveCpuid | undefined): Judgement {
  if (seen?.isObeyed) return { how: 'the table that KVM was given', status: 'closed', evidence: 'CPL 0 and 3 see it' };
  const how = 'replaced by OUT in the code that vmtape loads; the machine answers from its table';
  if (!seen) return { how, status: 'hooked', evidence: 'the probe guest did not run' };
  const where = seen.isSame ? 'the same at CPL 0 and 3' : 'different at CPL 0 and 3';
  return { how, status: 'hooked', evidence: `elsewhere KVM shows another table than asked, ${where}` };
}

function judgeBeyond(seen: EffectiveCpuid | undefined, assistsUser: boolean): Judgement {
  if (!seen) return { how: 'nothing', status: 'open', evidence: 'the probe guest did not run' };
  if (seen.beyond.length === 0) return { how: 'hidden in CPUID', status: 'closed', evidence: 'the guest sees none' };
  const userSees = assistsUser ? 'runs on the interpreter, and sees none' : `sees ${listOf(seen.beyond)}`;
  return {
    how: `CPUID does not hide them on this host: boot Linux with ${proposedCommandLine(seen.beyondAtCpl0)}`,
    status: 'open',
    evidence: `a kernel sees ${listOf(seen.beyondAtCpl0)}; user code ${userSees}`,
  };
}

/** Where an interrupt goes that found no exit which could take it: by all ways a replay finds the place. */
function judgeWindow(host: HostReport, preempts: boolean): Judgement {
  const landmarks = preempts && host.dirtyLogWorks && host.kickWorks;
  const evidence = host.windowIsExact
    ? 'the window is exact in real mode, at CPL 0 and 3'
    : 'windows open late on this host';
  const how = host.windowIsExact
    ? `at the first boundary of the window${landmarks ? ', without an exit at a landmark' : ''}`
    : landmarks
      ? 'at a landmark: a place that registers and hashes of the state tell'
      : 'they wait for an exit';
  const kicks = landmarks ? '; a kick comes in time, and the log of written pages is exact' : '';
  const off = preempts ? '; kicks or the log of written pages do not work' : '; --preempt-ms is off';
  return { how, status: 'closed', evidence: `${evidence}${landmarks ? kicks : off}` };
}

function judgeTsc(host: HostReport, policy: 'hook' | 'hide' | 'pass'): Judgement {
  const evidence = host.rdtscExits ? 'RDTSC exits' : 'RDTSC executes without an exit';
  if (host.rdtscExits) return { how: 'it is an exit', status: 'closed', evidence };
  if (policy === 'hook') {
    const how =
      'replaced by OUT in the code that vmtape loads; not in programs, whose time stamps vdso=0 leads to the kernel';
    return { how, status: 'hooked', evidence };
  }
  return { how: policy === 'hide' ? 'hidden in CPUID' : 'nothing', status: 'open', evidence };
}

function judgeRandom(host: HostReport): Judgement {
  const hidden = !host.effectiveCpuid?.beyond.some((name) => name === 'rdrand' || name === 'rdseed');
  const executes = host.rdrandExecutes ? 'RDRAND executes' : 'RDRAND does not execute';
  if (hidden) return { how: 'hidden in CPUID', status: 'closed', evidence: `the guest does not see it; ${executes}` };
  return {
    how: 'replaced by OUT in the code that vmtape loads',
    status: 'hooked',
    evidence: `CPUID shows it; ${executes}`,
  };
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(' ');
}
