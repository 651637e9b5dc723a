import { expect, test } from 'vitest';
import type { Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import { HookPerformer } from '../../../src/vmm/hooks/perform.js';
import { HookKind, type HookSite, HookTable } from '../../../src/vmm/hooks/table.js';

const site = (key: bigint, more: Partial<HookSite> = {}): HookSite => ({
  key,
  address: key - 2n,
  kind: HookKind.Rdtsc,
  register: 0,
  width: 32,
  length: 2,
  ...more,
});

test('every site is found by its key, and no other address is', () => {
  const keys = Array.from({ length: 300 }, (_, index) => 0xffff_ffff_8100_0002n + BigInt(index * 0x1_0000));
  const table = new HookTable(keys.map((key) => site(key)));
  for (const [index, key] of keys.entries()) {
    const low = Number(key & 0xffff_ffffn);
    expect(table.find(low, 0xffff_ffff)).toBe(index);
    expect(table.find(low, 0)).toBe(-1);
    expect(table.find(low + 1, 0xffff_ffff)).toBe(-1);
  }
  expect(new HookTable([]).find(0, 0)).toBe(-1);
});

test.each([
  ['two sites of one key', [site(0x102n), site(0x102n)]],
  ['a kind that is not known', [site(0x102n, { kind: 9 as HookKind })]],
  ['a key outside the instruction', [site(0x102n, { address: 0x50n })]],
  ['a register that is none', [site(0x102n, { register: 16 })]],
  ['a width that is none', [site(0x102n, { width: 8 })]],
  ['a length that is none', [site(0x102n, { length: 1 })]],
])('a table from a trace is refused: %s', (_what, sites) => {
  expect(() => new HookTable(sites)).toThrow(expect.objectContaining({ code: 'VMTAPE_STATE', exitCode: 5 }));
});

/** Registers as an array of 18, in the order of Vcpu.readRegisters. */
class Registers {
  readonly values = new BigUint64Array(18);
  readRegisters(out: Uint8Array): void {
    out.set(new Uint8Array(this.values.buffer));
  }
  setRegister(index: number, low: number, high: number): void {
    this.values[index] = (BigInt(high) << 32n) | BigInt(low);
  }
  setFlags(low: number): void {
    this.values[17] = BigInt(low);
  }
}

function perform(one: Partial<HookSite>, rax = 0n): BigUint64Array {
  const registers = new Registers();
  registers.values.fill(0x1111_2222_3333_4444n);
  registers.values[0] = rax;
  registers.values[1] = 7n;
  registers.values[16] = 0x102n;
  registers.values[17] = 0x8d6n;
  const performer = new HookPerformer(new HookTable([site(0x102n, one)]), {
    timestamp: () => 0x5_8000_0001,
    timestampAux: () => 0xabc,
    random: () => 0x8765_4321,
    cpuid: (leaf, index, out) => out.set([leaf, index, 3, 4]),
  });
  const vcpu = registers as unknown as Vcpu;
  const index = performer.find(vcpu);
  performer.answer(index);
  performer.apply(index, vcpu);
  return registers.values;
}

test('RDTSC and RDTSCP write EDX:EAX, and ECX, zero-extended', () => {
  expect([...perform({}).slice(0, 3)]).toEqual([0x8000_0001n, 7n, 5n]);
  expect([...perform({ kind: HookKind.Rdtscp }).slice(0, 3)]).toEqual([0x8000_0001n, 0xabcn, 5n]);
});

test('CPUID takes EAX and ECX and writes four registers', () => {
  expect([...perform({ kind: HookKind.Cpuid }, 0xffff_0000_8000_0001n).slice(0, 4)]).toEqual([
    0x8000_0001n,
    3n,
    4n,
    7n,
  ]);
});

test('RDRAND sets CF, clears the other status flags, and writes as wide as its operand', () => {
  const wide = perform({ kind: HookKind.Rdrand, register: 6, width: 64 });
  expect(wide[6]).toBe(0x8765_4321_8765_4321n);
  expect(wide[17]).toBe(0x003n);
  expect(perform({ kind: HookKind.Rdseed, register: 6, width: 32 })[6]).toBe(0x8765_4321n);
  expect(perform({ kind: HookKind.Rdrand, register: 6, width: 16 })[6]).toBe(0x1111_2222_3333_4321n);
});
