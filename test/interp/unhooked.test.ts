/** The places at which the interpreter executed what no hook replaced. */
import { expect, test } from 'vitest';
import { InterpVcpu } from '../../src/vmm/cpu/interp.js';
import { interpResumptionTable } from '../../src/vmm/cpu/interp-resumption.js';
import { powerOnState } from '../../src/vmm/cpu/state.js';
import { GuestMemory } from '../../src/vmm/memory.js';
import { decodeState, encodeState } from '../../src/vmm/state/codec.js';

/** 64 KiB of 16-bit code at CS 0 that executes the bytes at RIP 0. */
function open(code: Uint8Array = new Uint8Array(0)): InterpVcpu {
  const memory = new GuestMemory({ ramSize: 0x10_0000 });
  memory.write(0, code);
  const vcpu = InterpVcpu.open(memory);
  const state = powerOnState();
  vcpu.setState({ ...state, rip: 0n, cs: { ...state.cs, base: 0n, selector: 0 } });
  return vcpu;
}

test('ten thousand places are kept in their order, and more are counted', () => {
  // jmp 2ee0; nop; then 12,000 times rdtsc. The half behind 2EE0h comes first.
  const code = new Uint8Array(0xc000).fill(0x90);
  for (let at = 4; at < 24_004; at += 2) code.set([0x0f, 0x31], at);
  code.set([0xe9, 0xdd, 0x2e], 0);
  const vcpu = open(code);
  vcpu.run(1 + (24_004 - 0x2ee0) / 2);
  const half = vcpu.unhookedSites();
  expect(half[0]).toEqual({ rip: 0x2ee0n, kind: 1 });
  const state = vcpu.getState();
  vcpu.setState({ ...state, rip: 4n });
  vcpu.run(vcpu.retired + 12_000);
  const all = vcpu.unhookedSites();
  expect(all.slice(0, half.length)).toEqual(half);
  expect(all).toHaveLength(10_000);
  expect(new Set(all.map(({ rip }) => rip)).size).toBe(10_000);
  expect(all[half.length]?.rip).toBe(4n);
  expect(vcpu.unhookedCount).toBe(half.length + 12_000);
  vcpu.close();
});

test('a checkpoint has them; one of an older vmtape has none', () => {
  const vcpu = open(Uint8Array.of(0x0f, 0x31, 0x0f, 0xa2, 0x0f, 0x31));
  vcpu.run(3);
  const sites = [
    { rip: 0n, kind: 1 },
    { rip: 2n, kind: 5 },
    { rip: 4n, kind: 1 },
  ];
  expect(vcpu.unhookedSites()).toEqual(sites);
  const saved = vcpu.saveResumption();
  const other = open(Uint8Array.of(0x0f, 0x31));
  other.run(1);
  other.loadResumption(saved);
  expect(other.unhookedSites()).toEqual(sites);
  const old = encodeState(interpResumptionTable, decodeState(interpResumptionTable, saved), 1);
  other.loadResumption(old);
  expect(other.unhookedSites()).toEqual([]);
  expect(other.retired).toBe(3);
});
