/**
 * Sites found late (design, section 3): the recording processor executed instructions that no hook kept from the guest,
 * and answered them in its own way. The interpreter sees them when it replays, and says where they stand.
 */
import type { TraceHeader } from '../trace/header.js';
import type { UnhookedInstruction, Vcpu } from '../vmm/cpu/vcpu.js';

/** What the replay met so far that makes it inexact, a sentence each. None on KVM, and none for an interpreter's trace. */
export function unhookedNotes(header: TraceHeader, vcpu: Vcpu): string[] {
  if (header.engine !== 'kvm') return [];
  return (vcpu.unhooked?.() ?? []).filter((one) => isOpen(header, one)).map(describe);
}

/** CPUID does no harm where the recording KVM showed what the trace has: a closed row of its ledger. */
function isOpen(header: TraceHeader, one: UnhookedInstruction): boolean {
  if (one.name !== 'CPUID' || !Array.isArray(header.ledger)) return true;
  const row = header.ledger.find((entry: { id?: unknown } | null) => entry?.id === 'cpuid') as { status?: unknown };
  return row?.status !== 'closed';
}

function describe({ name, count, rip }: UnhookedInstruction): string {
  const times = count === 1 ? 'once' : `${count} times`;
  return `not exact: the guest executed ${name} ${times} where no hook is, first at 0x${rip.toString(16)}`;
}
