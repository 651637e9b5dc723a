/**
 * MXCSR.MM (AMD APM vol. 2, 11.3.6): where CPUID shows MisAlignSse, or the processor of a recording has it, the operand of a computation need
 * not be aligned. The expectations are what Zen 4 does in a process.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { vmtape64Cpuid } from '../../../src/vmm/cpu/cpuid.js';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../../src/vmm/memory.js';
import { loadGuest } from '../system/system-guest.js';

const CODE = 0x7c00;
const HANDLERS = 0x600;
const OSFXSR = 0x200n;
const MM = 0x2_0000;
const AT = 0x2000;

let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

/** Runs code of real mode whose operands lie at 2000h and below; the vector of the exception, or undefined. */
async function run(code: readonly number[], shown: readonly string[], hidden: readonly string[], mxcsr: number) {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from([...code, 0xf4]), 'real', CODE));
  for (let vector = 0; vector < 32; vector++) {
    memory.writeU32(vector * 4, HANDLERS + vector);
    memory.writeU8(HANDLERS + vector, 0xf4);
  }
  for (let i = 0; i < 512; i++) memory.writeU8(AT + i, 0);
  memory.writeU32(0x1f00, mxcsr);
  vcpu.setCpuid(vmtape64Cpuid(shown), hidden);
  vcpu.setState({ ...vcpu.getState(), cr4: OSFXSR });
  expect(vcpu.run(100)).toBe(ExitReason.Halt);
  const at = vcpu.rip - 1 - HANDLERS;
  return at >= 0 && at < 32 ? at : undefined;
}

/** ldmxcsr [1f00h] */
const LDMXCSR = [0x0f, 0xae, 0x16, 0x00, 0x1f];
/** fxsave [2000h] */
const FXSAVE = [0x0f, 0xae, 0x06, 0x00, 0x20];
/** fxrstor [2000h] */
const FXRSTOR = [0x0f, 0xae, 0x0e, 0x00, 0x20];

describe('who has it', () => {
  test.each([
    ['nobody asked', [], [], 0xffff, 13],
    ['CPUID shows it', ['misalignsse'], [], 0x2_ffff, undefined],
    ['CPUID hides it, the processor of the recording has it', [], ['misalignsse'], 0x2_ffff, undefined],
  ] as const)('%s: MXCSR_MASK, LDMXCSR, FXRSTOR', async (_, shown, hidden, mask, vector) => {
    expect(await run(FXSAVE, shown, hidden, 0)).toBeUndefined();
    expect(memory.readU32(AT + 28)).toBe(mask);
    expect(await run(LDMXCSR, shown, hidden, 0x1f80 | MM)).toBe(vector);
    // fxsave [2000h]; or byte [201ah], 2; fxrstor
    expect(await run([...FXSAVE, 0x80, 0x0e, AT + 26, 0x20, 2, ...FXRSTOR], shown, hidden, 0)).toBe(vector);
    expect(await run(LDMXCSR, shown, hidden, 0x1f80 | 0x1_0000)).toBe(13);
  });
});

describe('what it lets pass, at 2008h', () => {
  test.each([
    ['ADDPS', [0x0f, 0x58], undefined, 13],
    ['PADDD', [0x66, 0x0f, 0xfe], undefined, 13],
    ['UNPCKLPS', [0x0f, 0x14], undefined, 13],
    ['PSLLW', [0x66, 0x0f, 0xf1], undefined, 13],
    ['MOVSHDUP', [0xf3, 0x0f, 0x16], undefined, 13],
    ['MOVAPS', [0x0f, 0x28], 13, 13],
    ['MOVDQA', [0x66, 0x0f, 0x6f], 13, 13],
    ['MOVNTDQA', [0x66, 0x0f, 0x38, 0x2a], 13, 13],
    ['MOVAPS to memory', [0x0f, 0x29], 13, 13],
    ['MOVNTPS', [0x0f, 0x2b], 13, 13],
    ['MOVUPS', [0x0f, 0x10], undefined, undefined],
  ] as const)('%s', async (_, code, set, clear) => {
    const misaligned = [...LDMXCSR, ...code, 0x06, 0x08, 0x20];
    expect(await run(misaligned, ['misalignsse'], [], 0x1f80 | MM)).toBe(set);
    expect(await run(misaligned, ['misalignsse'], [], 0x1f80)).toBe(clear);
  });
});
