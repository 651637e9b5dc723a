/**
 * A far pointer in memory, and the bounds of BOUND, are two operands: each is held against the limit by itself, and the second one's offset
 * wraps at the address size. The 80286's manual has it for LDS and LES in real mode, "Interrupt 13 for operand at offset 0FFFFH or 0FFFDH": not
 * at 0FFFEH; and an AMD EPYC (family 25, model 17) does the same in 16-bit user code, whether the limit is FFFFh or 4 GiB.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import { loadGuest } from '../system/system-guest.js';

const BASE = 0x7c00;
const DATA = 0x2000;
const HANDLER = 0x600;
const TARGET = 0x700;
/** HLT there tells the handlers of #BR and #GP from the code. */
const BOUND_EXCEEDED = HANDLER + 5;
const PROTECTION = HANDLER + 13;

let vcpu: Vcpu;
afterEach(() => vcpu.close());

/** Runs `code` with DS = DATA / 16 and BX = `offset`, where `pointer` lies, wrapped at 64 KiB; where it halted, and AX and ES then. */
async function run(code: readonly number[], offset: number, pointer: readonly number[]) {
  const loaded = await loadGuest('interp', Uint8Array.from([...code, 0xf4]), 'real', BASE);
  vcpu = loaded.vcpu;
  const { memory } = loaded;
  for (const [vector, at] of [
    [5, BOUND_EXCEEDED],
    [13, PROTECTION],
  ] as const) {
    memory.writeU32(vector * 4, at);
    memory.writeU8(at, 0xf4);
  }
  memory.writeU8(TARGET, 0xf4);
  for (const [index, byte] of pointer.entries()) memory.writeU8(DATA + ((offset + index) & 0xffff), byte);
  const state = vcpu.getState();
  vcpu.setState({
    ...state,
    rax: 5n,
    rbx: BigInt(offset),
    ds: { ...state.ds, selector: DATA >> 4, base: BigInt(DATA) },
  });
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  const after = vcpu.getState();
  return { at: vcpu.rip - 1, ax: Number(after.rax & 0xffffn), es: after.es.selector };
}

const LES = [0xc4, 0x07]; // les ax,[bx]
const LES32 = [0x66, 0xc4, 0x07];
const JMP = [0xff, 0x2f]; // jmp far [bx]
const BOUND = [0x62, 0x07]; // bound ax,[bx]

describe('the second part of an operand in two parts, behind offset FFFFh', () => {
  test('of LES wraps to the beginning of the segment', async () => {
    expect(await run(LES, 0xfffe, [0x34, 0x12, 0x00, 0x30])).toEqual({ at: BASE + 2, ax: 0x1234, es: 0x3000 });
    expect(await run(LES32, 0xfffc, [0x34, 0x12, 0, 0, 0x00, 0x30])).toEqual({ at: BASE + 3, ax: 0x1234, es: 0x3000 });
  });

  test('of JMP FAR wraps likewise', async () => {
    expect(await run(JMP, 0xfffe, [TARGET & 0xff, TARGET >> 8, 0, 0])).toMatchObject({ at: TARGET });
  });

  test('of BOUND wraps likewise', async () => {
    expect(await run(BOUND, 0xfffe, [1, 0, 7, 0])).toMatchObject({ at: BASE + 2 });
    expect(await run(BOUND, 0xfffe, [1, 0, 4, 0])).toMatchObject({ at: BOUND_EXCEEDED });
  });

  test.each([
    ['LES, at FFFFh', LES, 0xffff],
    ['LES, at FFFDh', LES, 0xfffd],
    ['LES of a pointer of 48 bits, at FFFBh', LES32, 0xfffb],
    ['JMP FAR, at FFFDh', JMP, 0xfffd],
    ['BOUND, at FFFFh', BOUND, 0xffff],
  ] as const)('is #GP where it, or the first, crosses the end itself: %s', async (_, code, offset) => {
    expect(await run(code, offset, [0, 0, 0, 0, 0, 0])).toMatchObject({ at: PROTECTION, ax: 5 });
  });
});
