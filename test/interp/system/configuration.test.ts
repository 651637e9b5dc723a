/** What a guest can configure though nothing comes of it: PAT, CR4.MCE; and MONITOR and MWAIT, which the model has not. */
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
