/**
 * Alignment checks (SDM vol. 3A, 6.15, #AC, and table 6-7) at CPL 3 in 64-bit mode, for AMD's CPUID. What is expected was measured in a process
 * of an AMD Zen 5 (EFLAGS.AC set, SIGBUS counted), at the offsets 0 to 15 from a multiple of 16: `.` nothing, `A` #AC, `G` #GP(0).
 */
import { beforeAll, expect, test } from 'vitest';
import { RAM_BASE } from '../../../interp/layout.js';
import { CODE, LongGuest, vectorOf } from './long-guest.js';

const AC = 0x4_0000n;
const CR0_AM = 0x4_0000n;
const UD2 = [0x0f, 0x0b];
const TASK = 0x10_7000;
const OPERAND = CODE + 0x1000;
const EVERY_2 = '.A.A.A.A.A.A.A.A';
const EVERY_4 = '.AAA.AAA.AAA.AAA';
const EVERY_8 = '.AAAAAAA.AAAAAAA';
const EVERY_16 = '.AAAAAAAAAAAAAAA';
const NEVER = '................';
const ONLY_16 = '.GGGGGGGGGGGGGGG';

let guest: LongGuest;
beforeAll(async () => {
  guest = await LongGuest.create('AuthenticAMD');
  guest.memory.view.setBigUint64(RAM_BASE + TASK + 4, BigInt(TASK + 0x1000), true);
});

/** Runs the instruction at CPL 3 with RDI, RSI and RSP + 64 at the operand; returns the vector, 6 (the UD2 behind it) as undefined. */
function vectorAt(code: readonly number[], address: bigint, change: { cr0?: bigint; rflags?: bigint } = {}) {
  const registers = new BigUint64Array(16);
  registers[1] = 2n;
  registers[4] = address + 64n;
  registers[6] = address;
  registers[7] = address;
  guest.enter(Uint8Array.from([...code, ...UD2]), registers, AC, 64);
  const state = guest.vcpu.getState();
  guest.vcpu.setState({
    ...state,
    cr0: 0x8000_0033n | CR0_AM,
    cr4: 0x620n,
    cs: { selector: 0x0b, base: 0n, limit: 0xffff_ffff, attributes: 0xa0fb },
    ss: { selector: 0x13, base: 0n, limit: 0xffff_ffff, attributes: 0xc0f3 },
    tr: { selector: 0x20, base: BigInt(TASK), limit: 0x67, attributes: 0x8b },
    ...change,
  });
  guest.vcpu.run(guest.vcpu.retired + 100);
  const vector = vectorOf(guest.vcpu.getState());
  return vector === 6 ? undefined : vector;
}

function pattern(code: readonly number[]): string {
  const letters = new Map([
    [undefined, '.'],
    [17, 'A'],
    [13, 'G'],
  ]);
  return Array.from({ length: 16 }, (_, i) => letters.get(vectorAt(code, BigInt(OPERAND + 0x100 + i))) ?? '?').join('');
}

test.each<[string, number[], string]>([
  ['MOV of 16 bits', [0x66, 0x8b, 0x07], EVERY_2],
  ['MOV of 32 bits', [0x8b, 0x07], EVERY_4],
  ['MOV of 64 bits', [0x48, 0x8b, 0x07], EVERY_8],
  ['XADD of 32 bits', [0x0f, 0xc1, 0x07], EVERY_4],
  ['BT of 16 bits', [0x66, 0x0f, 0xa3, 0x0f], EVERY_2],
  ['CMPXCHG8B', [0x0f, 0xc7, 0x0f], EVERY_8],
  ['CMPXCHG16B', [0x48, 0x0f, 0xc7, 0x0f], ONLY_16],
  ['REP STOSD', [0xf3, 0xab], EVERY_4],
  ['REP MOVSQ', [0xf3, 0x48, 0xa5], EVERY_8],
  ['LODSQ', [0x48, 0xad], EVERY_8],
  ['PUSH of memory', [0xff, 0x37], EVERY_8],
  ['PUSH', [0x6a, 0x00], EVERY_8],
  ['PUSH of 16 bits', [0x66, 0x6a, 0x00], EVERY_2],
  ['ENTER', [0xc8, 0, 0, 0], EVERY_8],
  ['ENTER with a misaligned frame', [0xc8, 2, 0, 0], EVERY_16.replace('.', 'A')],
  ['ENTER of 16 bits with an odd frame', [0x66, 0xc8, 1, 0, 0], EVERY_16.replace('.', 'A')],
  ['CRC32 of 64 bits', [0xf2, 0x48, 0x0f, 0x38, 0xf1, 0x07], EVERY_8],
  ['FNSAVE', [0xdd, 0x37], EVERY_4],
  ['FNSAVE of 16 bits', [0x66, 0xdd, 0x37], EVERY_2],
  ['FRSTOR', [0xdd, 0x27], EVERY_4],
  ['FRSTOR of 16 bits', [0x66, 0xdd, 0x27], EVERY_2],
  ['FNSTENV', [0xd9, 0x37], EVERY_4],
  ['FLDENV of 16 bits', [0x66, 0xd9, 0x27], EVERY_2],
  ['FLD of 80 bits', [0xdb, 0x2f], EVERY_8],
  ['FBSTP', [0xdf, 0x37], EVERY_8],
  ['FILD of 16 bits', [0xdf, 0x07], EVERY_2],
  ['FXSAVE', [0x0f, 0xae, 0x07], '.AAAGAAAGAAAGAAA'],
  ['LDMXCSR', [0x0f, 0xae, 0x17], EVERY_4],
  ['MOVQ mm', [0x0f, 0x6f, 0x07], EVERY_8],
  ['PUNPCKLBW mm', [0x0f, 0x60, 0x07], EVERY_4],
  ['MASKMOVQ', [0x0f, 0xf7, 0xc1], EVERY_8],
  ['MASKMOVDQU', [0x66, 0x0f, 0xf7, 0xc1], EVERY_8],
  ['MOVHPS', [0x0f, 0x16, 0x07], EVERY_8],
  ['PMOVZXBQ', [0x66, 0x0f, 0x38, 0x32, 0x07], EVERY_2],
  ['CVTPS2PD', [0x0f, 0x5a, 0x07], EVERY_8],
  ['MOVUPS', [0x0f, 0x10, 0x07], EVERY_16],
  ['MOVUPS to memory', [0x0f, 0x11, 0x07], EVERY_16],
  ['PCMPISTRI', [0x66, 0x0f, 0x3a, 0x63, 0x07, 0], EVERY_16],
  ['MOVAPS', [0x0f, 0x28, 0x07], ONLY_16],
  ['CLFLUSH', [0x0f, 0xae, 0x3f], NEVER],
  ['INC of a byte', [0xfe, 0x07], NEVER],
  ['LEA', [0x48, 0x8d, 0x47, 0x01], NEVER],
])('%s', (_, code, expected) => {
  expect(pattern(code)).toBe(expected);
});

test.each<[string, number[]]>([
  ['MOV', [0x8b, 0x07]],
  ['FNSAVE', [0xdd, 0x37]],
  ['PUSH of memory', [0xff, 0x37]],
])('%s: #AC comes before #PF and behind #GP', (_, code) => {
  const absent = BigInt(CODE + 0x40_0000);
  expect(vectorAt(code, absent)).toBe(14);
  expect(vectorAt(code, absent + 2n)).toBe(17);
  expect(vectorAt(code, 0x8000_0000_0002n)).toBe(13);
});

test('an access across pages is misaligned before the second one is absent', () => {
  const end = BigInt(CODE + 0x3_0000);
  expect(vectorAt([0x8b, 0x07], end - 2n)).toBe(17);
  expect(vectorAt([0x8b, 0x07], end - 4n)).toBeUndefined();
  // FRSTOR begins in the last page and is aligned.
  expect(vectorAt([0xdd, 0x27], end - 100n)).toBe(14);
});

test('nothing is checked without CR0.AM or without EFLAGS.AC', () => {
  const odd = BigInt(OPERAND + 1);
  expect(vectorAt([0x8b, 0x07], odd)).toBe(17);
  expect(vectorAt([0x8b, 0x07], odd, { cr0: 0x8000_0033n })).toBeUndefined();
  expect(vectorAt([0x8b, 0x07], odd, { rflags: 0x202n })).toBeUndefined();
});
