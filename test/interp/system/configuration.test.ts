/** What a guest can configure though nothing comes of it: PAT, CR4.MCE; and what the model has not: MONITOR, MWAIT, PKE, LA57, more of XCR0. */
import { describe, expect, it } from 'vitest';
import { vmtape64Cpuid } from '../../../src/vmm/cpu/cpuid.js';
import { type CpuidEntry, ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import { loadGuest } from './system-guest.js';

const PAT = 0x277;

/** Runs 64-bit code at CPL 0 to its HLT. Without an IDT, a fault is a shutdown. */
async function run(code: readonly number[], cpuid?: readonly CpuidEntry[], look?: (vcpu: Vcpu) => void) {
  const { vcpu } = await loadGuest('interp', Uint8Array.from([...code, 0xf4]), 'long64', 0x1_0000);
  try {
    if (cpuid) vcpu.setCpuid(cpuid);
    const reason = vcpu.run(1000);
    look?.(vcpu);
    return reason;
  } finally {
    vcpu.close();
  }
}

function word(value: bigint): number[] {
  return [...new Uint8Array(new BigUint64Array([value]).buffer).subarray(0, 4)];
}

/** mov ecx, index; mov eax, low; mov edx, high; wrmsr */
function writeMsr(index: number, value: bigint): number[] {
  return [0xb9, ...word(BigInt(index)), 0xb8, ...word(value & 0xffff_ffffn), 0xba, ...word(value >> 32n), 0x0f, 0x30];
}

describe('IA32_PAT', () => {
  it.each([0x0007_0406_0007_0406n, 0x0000_0000_0000_0000n, 0x0706_0504_0100_0706n])('takes 0x%s', async (value) => {
    await expect(run(writeMsr(PAT, value), undefined, (vcpu) => expect(vcpu.getState().pat).toBe(value))).resolves.toBe(
      ExitReason.Halt,
    );
  });

  // SDM volume 3A, section 12.12.2: a reserved type (2, 3, 8 and above) in any of the eight fields is #GP.
  it.each(Array.from({ length: 8 }, (_, field) => field))('refuses reserved types in field %i', async (field) => {
    for (const type of [2n, 3n, 8n, 0x10n, 0x80n, 0xffn]) {
      expect(await run(writeMsr(PAT, type << BigInt(field * 8)))).toBe(ExitReason.Shutdown);
    }
  });
});

it('CR4.MCE can be set, and no machine check comes', async () => {
  // mov rax, cr4; or eax, 40h; mov cr4, rax; mov rcx, cr4
  const code = [0x0f, 0x20, 0xe0, 0x83, 0xc8, 0x40, 0x0f, 0x22, 0xe0, 0x0f, 0x20, 0xe1];
  expect(await run(code, vmtape64Cpuid(), (vcpu) => expect(vcpu.getState().rcx & 0x40n).toBe(0x40n))).toBe(
    ExitReason.Halt,
  );
});

describe.each([
  ['MONITOR', [0x0f, 0x01, 0xc8]],
  ['MWAIT', [0x0f, 0x01, 0xc9]],
])('%s', (_, code) => {
  // lea rax, [rip]; xor ecx, ecx; xor edx, edx
  const before = [0x48, 0x8d, 0x05, 0, 0, 0, 0, 0x31, 0xc9, 0x31, 0xd2];

  it('is undefined, as the model’s CPUID says', async () => {
    expect(await run([...before, ...code], vmtape64Cpuid())).toBe(ExitReason.Shutdown);
  });

  it('does nothing in a processor that shows it', async () => {
    const table = vmtape64Cpuid().map((row) => (row.function === 1 ? { ...row, ecx: row.ecx | 8 } : row));
    expect(await run([...before, ...code], table)).toBe(ExitReason.Halt);
  });
});

describe('what no table gives the processor', () => {
  /** Everything of leaf 7 and XSAVE, as a host may show it. */
  const everything = vmtape64Cpuid().flatMap((row) => {
    if (row.function === 7) return [{ ...row, ecx: 0xffff_ffff }];
    if (row.function !== 1) return [row];
    const states = { function: 0xd, indexed: true, ebx: 0, ecx: 0, edx: 0 };
    return [
      { ...row, ecx: (row.ecx | (1 << 26)) >>> 0 },
      { ...states, index: 0, eax: 7 },
      { ...states, index: 1, eax: 4 },
    ];
  });
  /** mov rax, cr4; or eax, bits; mov cr4, rax */
  const setCr4 = (bits: number) => [0x0f, 0x20, 0xe0, 0x0d, ...word(BigInt(bits)), 0x0f, 0x22, 0xe0];
  /** mov ecx, index; mov eax, low; xor edx, edx; xsetbv */
  const setXcr = (index: number, low: number) => [
    ...[0xb9, ...word(BigInt(index)), 0xb8, ...word(BigInt(low)), 0x31, 0xd2, 0x0f, 0x01, 0xd1],
  ];
  const OSXSAVE = setCr4(1 << 18);

  it.each([
    ['CR4.OSXSAVE can be set where XSAVE is shown', OSXSAVE, ExitReason.Halt],
    ['CR4.PKE is reserved', setCr4(1 << 22), ExitReason.Shutdown],
    ['CR4.LA57 is reserved', setCr4(1 << 12), ExitReason.Shutdown],
    ['XCR0 takes x87 and SSE', [...OSXSAVE, ...setXcr(0, 3)], ExitReason.Halt],
    ['and x87 alone', [...OSXSAVE, ...setXcr(0, 1)], ExitReason.Halt],
    ['but not AVX', [...OSXSAVE, ...setXcr(0, 7)], ExitReason.Shutdown],
    ['nor SSE alone', [...OSXSAVE, ...setXcr(0, 2)], ExitReason.Shutdown],
    ['and there is no XCR1', [...OSXSAVE, ...setXcr(1, 1)], ExitReason.Shutdown],
    // xor ecx, ecx; xgetbv
    ['XGETBV reads XCR0', [...OSXSAVE, 0x31, 0xc9, 0x0f, 0x01, 0xd0], ExitReason.Halt],
    ['and nothing else', [...OSXSAVE, 0xb9, 1, 0, 0, 0, 0x0f, 0x01, 0xd0], ExitReason.Shutdown],
    ['XGETBV is #UD while CR4.OSXSAVE is clear', [0x31, 0xc9, 0x0f, 0x01, 0xd0], ExitReason.Shutdown],
  ])('%s', async (_, code, reason) => {
    expect(await run(code, everything)).toBe(reason);
  });
});
