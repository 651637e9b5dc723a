/** Open holes that a recording on KVM sees itself: the rest is seen by a replay on the interpreter (src/replay/unhooked.ts). */
import type { Vcpu } from '../vmm/cpu/vcpu.js';
import type { Ledger } from './ledger.js';

const CR4_OSXSAVE = 1n << 18n;

/** Enters into the ledger what the run that ended on `vcpu` hit. Once a run. */
export function noteHoles(ledger: Ledger, vcpu: Vcpu): void {
  if (vcpu.engine !== 'kvm') return;
  // Executed by the interpreter in KVM's place: with its own count for a clock.
  for (const { name, count } of vcpu.unhooked?.() ?? []) ledger.breach(name === 'CPUID' ? 'cpuid' : 'tsc', count);
  // The guest found XSAVE and turned it on: it saves, and may use, state that the interpreter does not have.
  if ((vcpu.getState().cr4 & CR4_OSXSAVE) !== 0n) ledger.hit('cpuid-beyond-model');
}
