import { expect, test } from 'vitest';
import { unhookedNotes } from '../../src/replay/unhooked.js';
import type { TraceHeader } from '../../src/trace/header.js';
import type { UnhookedInstruction, Vcpu } from '../../src/vmm/cpu/vcpu.js';

const header = (more: object) => ({ engine: 'kvm', ledger: [], ...more }) as unknown as TraceHeader;
const met = (...found: UnhookedInstruction[]) => ({ unhooked: () => found }) as unknown as Vcpu;
const tsc = { name: 'RDTSC', count: 2, rip: 0x10_000cn } as const;
const cpuid = { name: 'CPUID', count: 1, rip: 0x10n } as const;

test('a time stamp that no hook kept from the guest is named with its address', () => {
  expect(unhookedNotes(header({}), met(tsc))).toEqual([
    'the guest executed RDTSC 2 times where no hook is, first at 0x10000c',
  ]);
});

test('CPUID matters only where the recording KVM showed another table', () => {
  expect(unhookedNotes(header({ ledger: [{ id: 'cpuid', status: 'closed' }] }), met(cpuid))).toEqual([]);
  expect(unhookedNotes(header({ ledger: [null, { id: 'cpuid', status: 'hooked' }] }), met(cpuid))).toHaveLength(1);
  expect(unhookedNotes(header({ ledger: 'damaged' }), met(cpuid))).toHaveLength(1);
});

test('a recording of the interpreter has no such instructions, but for time stamps where the replay is on KVM', () => {
  expect(unhookedNotes(header({ engine: 'interp' }), met(tsc))).toEqual([]);
  const closed = { engine: 'interp', ledger: [{ id: 'cpuid', status: 'closed' }] };
  const onKvm = { ...met(tsc, cpuid), engine: 'kvm' } as Vcpu;
  expect(unhookedNotes(header(closed), onKvm)).toEqual([expect.stringContaining('RDTSC 2 times')]);
  expect(unhookedNotes(header({}), {} as Vcpu)).toEqual([]);
});
