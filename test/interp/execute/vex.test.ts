/** BMI1, BMI2, RDPID and SERIALIZE beside what test/interp/execute/native.test.ts compares with silicon: modes, prefixes, LES and LDS. */
import { afterEach, describe, expect, test } from 'vitest';
import { MODEL_OPTIONS, vmtape64Cpuid } from '../../../src/vmm/cpu/cpuid.js';
import type { CpuState } from '../../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../../src/vmm/memory.js';
import { type GuestMode, loadGuest } from '../system/system-guest.js';

const BASE = 0x7c00;
const HANDLERS = 0x600;
const HLT = 0xf4;

let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

/** Loads the code and a HLT; in real mode and 32-bit code, exceptions end in a HLT of their own. */
async function start(code: readonly number[], mode: GuestMode, change: Partial<CpuState> = {}) {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from([...code, HLT]), mode, BASE));
  vcpu.setCpuid(vmtape64Cpuid(MODEL_OPTIONS));
  for (let vector = 0; vector < 32; vector++) {
    if (mode === 'real') memory.writeU32(vector * 4, HANDLERS + vector);
    else memory.writeU64(0x4000 + vector * 8, (0x8en << 40n) | (0x10n << 16n) | BigInt(HANDLERS + vector));
    memory.writeU8(HANDLERS + vector, HLT);
  }
  const idtr = mode === 'prot32' ? { idtr: { base: 0x4000n, limit: 0xff } } : {};
  vcpu.setState({ ...vcpu.getState(), ...idtr, ...change });
}

/** The exception, or a register. */
function run(register: 'rax' | 'rbx' | 'rcx' = 'rbx'): string {
  expect(vcpu.run(100)).toBe(ExitReason.Halt);
  const vector = vcpu.rip - 1 - HANDLERS;
  return vector >= 0 && vector < 32 ? `#${vector}` : vcpu.getState()[register].toString(16);
}

/** andn ebx,eax,ecx */
const ANDN = [0xc4, 0xe2, 0x78, 0xf2, 0xd9];
const values = { rax: 0xf0f0n, rbx: 0n, rcx: 0xffff_ffffn };

describe('VEX', () => {
  test('is known in 32-bit code, and in 64-bit code, where W makes it 64 bits', async () => {
    await start(ANDN, 'prot32', values);
    expect(run()).toBe('ffff0f0f');
    await start(ANDN, 'long64', { ...values, rcx: -1n & 0xffff_ffff_ffff_ffffn });
    expect(run()).toBe('ffff0f0f');
    await start(ANDN.with(2, 0xf8), 'long64', { ...values, rcx: 0xffff_ffff_ffff_ffffn });
    expect(run()).toBe('ffffffffffff0f0f');
    vcpu.close();
    // W is ignored outside 64-bit mode.
    await start(ANDN.with(2, 0xf8), 'prot32', values);
    expect(run()).toBe('ffff0f0f');
  });

  test('is unknown in real mode, where C4 is LES', async () => {
    await start(ANDN, 'real', values);
    expect(run()).toBe('#6');
    // les bx,[0x1000]
    await start([0xc4, 0x1e, 0x00, 0x10], 'real', values);
    memory.writeU32(0x1000, 0x1234_5678);
    expect(run()).toBe('5678');
    expect(vcpu.getState().es.selector).toBe(0x1234);
  });

  test('leaves LES and LDS alone in 32-bit code, with all their addressing', async () => {
    // les ebx,[eax+4*ecx+0x10]
    await start([0xc4, 0x5c, 0x88, 0x10], 'prot32', { rax: 0x1000n, rcx: 4n });
    memory.writeU32(0x1020, 0xdead_beef);
    memory.writeU32(0x1024, 0x18);
    expect(run()).toBe('deadbeef');
    expect(vcpu.getState().es.selector).toBe(0x18);
  });

  test.each([
    ['66', [0x66, ...ANDN]],
    ['F2', [0xf2, ...ANDN]],
    ['F3', [0xf3, ...ANDN]],
    ['LOCK', [0xf0, ...ANDN]],
    ['L = 1', ANDN.with(2, 0x7c)],
    ['a map that there is not', ANDN.with(1, 0xe4)],
    ['another pp', ANDN.with(2, 0x79)],
    ['vvvv in an instruction without it', [0xc4, 0xe3, 0x73, 0xf0, 0xd9, 0x04]],
    ['AVX', [0xc5, 0xf8, 0x77]],
  ])('with %s raises #UD', async (_, code) => {
    await start(code, 'prot32', values);
    expect(run()).toBe('#6');
  });
});

describe('RDPID', () => {
  test('reads TSC_AUX into 64 bits of a register in 64-bit mode, into 32 elsewhere', async () => {
    await start([0xf3, 0x0f, 0xc7, 0xfb], 'long64', { rbx: 0xffff_ffff_ffff_ffffn, tscAux: 0x8000_0007n });
    expect(run()).toBe('80000007');
    vcpu.close();
    await start([0xf3, 0x0f, 0xc7, 0xfb], 'prot32', { rbx: 1n, tscAux: 7n });
    expect(run()).toBe('7');
  });
});

test('SERIALIZE does nothing that is seen; with a prefix it is #UD', async () => {
  await start([0x0f, 0x01, 0xe8], 'prot32', values);
  expect(run('rax')).toBe('f0f0');
  vcpu.close();
  await start([0x66, 0x0f, 0x01, 0xe8], 'prot32', values);
  expect(run('rax')).toBe('#6');
});
