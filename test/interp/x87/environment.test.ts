/** FNSTENV, FLDENV, FNSAVE and FRSTOR in their four forms: real and protected mode, 16 and 32 bits (SDM vol. 1, figures 8-9 to 8-12). */
import { afterEach, describe, expect, test } from 'vitest';
import type { CpuState } from '../../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../../src/vmm/memory.js';
import { type GuestMode, loadGuest } from '../system/system-guest.js';

const CODE = 0x1000;
const AREA = 0x3000;
const HLT = 0xf4;
/** The instructions' ModRM with the operand at [3000h]. */
const at3000 = (mode: GuestMode, digit: number): number[] =>
  mode === 'real' ? [(digit << 3) | 6, 0x00, 0x30] : [(digit << 3) | 5, 0x00, 0x30, 0, 0];

let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

/** An image with two registers in use, TOP = 6; ST0 a pseudo-denormal, ST1 an unnormal; an exception that waits, so that pointers are shown. */
function image(fxsave: Uint8Array): Uint8Array {
  const bytes = fxsave.slice();
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x37e, true);
  view.setUint16(2, 0xb081, true);
  view.setUint8(4, 0xc0);
  view.setUint16(6, 0x5a5, true);
  view.setBigUint64(8, 0xb_1234n, true);
  view.setBigUint64(16, 0xc_5678n, true);
  view.setBigUint64(32, 0x8000_0000_0000_0001n, true);
  view.setUint16(40, 0x0000, true);
  view.setBigUint64(48, 0x4000_0000_0000_0000n, true);
  view.setUint16(56, 0x3fff, true);
  return bytes;
}

/** Executes code with the operand at 3000h; `wide`: 66 in 16-bit code, none in 32-bit code, and the other way about. */
async function run(mode: GuestMode, wide: boolean, code: readonly number[]): Promise<CpuState> {
  const prefixed = (mode === 'real') === wide ? [0x66] : [];
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from([...prefixed, ...code, HLT]), mode, CODE));
  const state = vcpu.getState();
  vcpu.setState({ ...state, fxsave: image(state.fxsave) });
  expect(vcpu.run(10)).toBe(ExitReason.Halt);
  return vcpu.getState();
}

const words = (count: number): number[] => Array.from({ length: count }, (_, i) => memory.readU16(AREA + i * 2));
const dwords = (count: number): number[] => Array.from({ length: count }, (_, i) => memory.readU32(AREA + i * 4));
/** Registers 6 and 7 in use: a pseudo-denormal and an unnormal are special, 10. */
const TAGS = 0xafff;

/** The upper halves of doublewords that are reserved. */
const HALF = 0xffff;
const ALL = 0xffff_ffff;

describe('FNSTENV', () => {
  test.each([
    ['real mode, 16 bits', 'real', false, [], [0x1234, 0xb5a5, 0x5678, 0xc000]],
    ['real mode, 32 bits', 'real', true, [HALF, HALF, HALF, HALF, ALL, HALF, ALL], [0x1234, 0xb5a5, 0x5678, 0xc000]],
    ['protected mode, 16 bits', 'prot32', false, [], [0x1234, 0, 0x5678, 0]],
    [
      'protected mode, 32 bits',
      'prot32',
      true,
      [HALF, HALF, HALF, ALL, ALL, ALL, HALF],
      [0xb_1234, 0x5a5_0000, 0xc_5678, 0],
    ],
  ] as [string, GuestMode, boolean, number[], number[]][])('%s', async (_, mode, wide, masks, pointers) => {
    const after = await run(mode, wide, [0xd9, ...at3000(mode, 6)]);
    const seen = wide ? dwords(7).map((value, i) => (value & (masks[i] as number)) >>> 0) : words(7);
    expect(seen).toEqual([0x37e, 0xb081, TAGS, ...pointers]);
    // All exceptions are masked now.
    expect(after.fxsave[0]).toBe(0x7f);
  });
});

describe.each([
  ['real mode', 'real'],
  ['protected mode', 'prot32'],
] as [string, GuestMode][])('FNSAVE and FRSTOR in %s', (_, mode) => {
  test.each([
    ['16 bits', false, 14],
    ['32 bits', true, 28],
  ])(
    '%s: the registers follow the environment bit for bit, FNINIT follows, and all comes back',
    async (_, wide, at) => {
      const after = await run(mode, wide, [0xdd, ...at3000(mode, 6)]);
      expect(memory.readU32(AREA + at)).toBe(1);
      expect(memory.readU32(AREA + at + 4)).toBe(0x8000_0000);
      expect(memory.readU16(AREA + at + 8)).toBe(0);
      expect(memory.readU32(AREA + at + 14)).toBe(0x4000_0000);
      expect(memory.readU16(AREA + at + 18)).toBe(0x3fff);
      expect([...after.fxsave.subarray(0, 5)]).toEqual([0x7f, 3, 0, 0, 0]);
      const prefix = (mode === 'real') === wide ? [0x66] : [];
      memory.write(CODE, Uint8Array.from([...prefix, 0xdd, ...at3000(mode, 4), HLT]));
      vcpu.invalidateCode(CODE, 32);
      vcpu.setState({ ...after, rip: BigInt(CODE), halted: false });
      expect(vcpu.run(10)).toBe(ExitReason.Halt);
      const back = vcpu.getState().fxsave;
      const want = image(back);
      expect([...back.subarray(0, 5)]).toEqual([...want.subarray(0, 5)]);
      expect([...back.subarray(32, 64)]).toEqual([...want.subarray(32, 64)]);
    },
  );
});
