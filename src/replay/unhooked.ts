/**
 * Sites found late (design, section 3): the recording processor executed instructions that no hook kept from the guest,
 * and answered them in its own way. The interpreter sees them when it replays, and says where they stand.
 */
import type { TraceHeader } from '../trace/header.js';
import type { UnhookedInstruction, Vcpu } from '../vmm/cpu/vcpu.js';

/**
 * What the replay met so far that makes it inexact, a sentence each. On KVM it is what the interpreter executed in KVM's place: the time stamp of a
 * program that an interpreter recorded is a count of instructions, which only the interpreter alone has again.
 */
export function unhookedNotes(header: TraceHeader, vcpu: Vcpu): string[] {
  if (header.engine !== 'kvm' && vcpu.engine !== 'kvm') return [];
  return (vcpu.unhooked?.() ?? []).filter((one) => isOpen(header, one)).map(describe);
}

/** An open hole that the replay came to: from its record on, a difference is no divergence of engines. */
export interface OpenHole {
  /** In words: the instruction, how often it was executed so far, and where it stands. */
  readonly what: string;
  /** The ordinal of the record in front of which it was executed first. */
  readonly record: number;
}

/** Watches a replay for instructions that no hook kept from the recording's processor. */
export class HoleWatch {
  readonly #header: TraceHeader;
  readonly #vcpu: Vcpu;
  #count: number;
  #record = -1;

  constructor(header: TraceHeader, vcpu: Vcpu) {
    this.#header = header;
    this.#vcpu = vcpu;
    this.#count = vcpu.unhookedCount ?? 0;
  }

  /** The next record has this ordinal. Costs next to nothing: it is asked at each. */
  look(record: number): void {
    const count = this.#vcpu.unhookedCount ?? 0;
    if (count === this.#count) return;
    this.#count = count;
    if (this.#record < 0 && unhookedNotes(this.#header, this.#vcpu).length > 0) this.#record = record;
  }

  /** What was met; undefined: nothing yet. */
  get hole(): OpenHole | undefined {
    if (this.#record < 0) return undefined;
    return { what: unhookedNotes(this.#header, this.#vcpu).join('; '), record: this.#record };
  }

  /** A sentence for each, for a replay that came to its end. */
  get notes(): string[] {
    const at = this.#record < 0 ? '' : `, before record ${this.#record}`;
    return unhookedNotes(this.#header, this.#vcpu).map((note) => `not exact: ${note}${at}`);
  }
}

/** CPUID does no harm where the recording KVM showed what the trace has: a closed row of its ledger. */
function isOpen(header: TraceHeader, one: UnhookedInstruction): boolean {
  if (one.name !== 'CPUID' || !Array.isArray(header.ledger)) return true;
  const row = header.ledger.find((entry: { id?: unknown } | null) => entry?.id === 'cpuid') as { status?: unknown };
  return row?.status !== 'closed';
}

function describe({ name, count, rip }: UnhookedInstruction): string {
  const times = count === 1 ? 'once' : `${count} times`;
  return `the guest executed ${name} ${times} where no hook is, first at 0x${rip.toString(16)}`;
}
