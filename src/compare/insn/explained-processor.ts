/** Where the processor does what the interpreter's model does not, or what no manual fixes: holds for every oracle. */
import type { Explanation } from './explained.js';
import { USER_LEVELS } from './levels.js';
import { measured } from './measured.js';

/** The table. */
export const PROCESSOR_ROWS: readonly Explanation[] = [
  {
    title: 'transcendental x87 instructions: the last bit, and C1, which says whether it was rounded up',
    levels: USER_LEVELS,
    names: /^(F2XM1|FYL2X|FYL2XP1|FPATAN|FPTAN|FSIN|FCOS|FSINCOS)$/,
    kinds: /^(ST|FSW C1)$/,
    source:
      'AMD APM vol. 1 (24592), 6.4.5: "the transcendental functions provide results accurate to within one unit in the last place (ulp)"; ' +
      'SDM vol. 1, 8.3.10: "the worst case error on transcendental functions is less than 1 ulp when rounding to the nearest (even) and less than ' +
      '1.5 ulps when rounding in other modes"',
    when: (_, { field, expected, actual }) => field === 'FSW' || isNextExtended(BigInt(expected), BigInt(actual)),
  },
  {
    title: 'RCPPS, RSQRTPS: approximations, each processor has its own table',
    levels: USER_LEVELS,
    names: /^(RCP|RSQRT)[SP]S /,
    kinds: /^XMM$/,
    source: 'SDM vol. 2, RCPPS: "The relative error for this approximation is: |Relative Error| ≤ 1.5 ∗ 2^−12"',
    when: (_, { expected, actual }) => isNear(BigInt(expected), BigInt(actual)),
  },
  {
    title: 'LSL of the selector 7Bh: Linux keeps the number of the processor in that limit',
    levels: USER_LEVELS,
    names: /^LSL /,
    kinds: /^register$/,
    source:
      'Linux, arch/x86/include/asm/segment.h: "#define GDT_ENTRY_CPUNODE 15", and vdso_read_cpunode: "Load CPU and node number from the GDT.  LSL is ' +
      'faster than RDTSCP and works on all CPUs"',
    when: (_, { expected, actual }) => (BigInt(expected) ^ BigInt(actual)) < 0x1000n,
  },
  {
    title: 'AMD has LOCK MOV CR0 for MOV CR8 (AltMovCr8), which the model has not',
    levels: USER_LEVELS,
    names: /^MOV (Ry,Cy|Cy,Ry)$/,
    kinds: /^exception #UD for #GP$/,
    source:
      'AMD APM vol. 3, CPUID Fn8000_0001_ECX bit 4, AltMovCr8: "LOCK MOV CR0 means MOV CR8"; MOV (CRn): "CR8 can be read and written in legacy mode ' +
      'using the MOV (CRn) opcode, using a LOCK prefix instead of a REX prefix". The model clears the bit',
    when: ({ code }) => code.includes(0xf0),
  },
  {
    title: 'AMD has MOVNTSS and MOVNTSD (SSE4A), which the model has not',
    levels: USER_LEVELS,
    names: /^undefined$/,
    kinds: /^(exception #UD for |memory)/,
    source:
      'AMD APM vol. 4: "MOVNTSS mem32, xmm F3 0F 2B /r", and MOVNTSD with F2; vol. 1, 4.6: "The MOVNTSx instructions store one double precision ' +
      'floating point XMM register value into a 64 bit memory location or one single precision floating point XMM register value into a 32-bit ' +
      'memory location". The model clears their bit SSE4A of CPUID',
    when: ({ row }) => /^F[23] 0F 2B/.test(row.encoding),
  },
  {
    title: 'the host has CR4.OSXSAVE set: XSETBV at CPL 3 is #GP',
    levels: USER_LEVELS,
    names: /^XSETBV$/,
    kinds: /^exception #UD for #GP$/,
    source: 'SDM vol. 2, XSETBV: #UD "If CR4.OSXSAVE[bit 18] = 0", #GP(0) "If the current privilege level is not 0"',
  },
  {
    title: 'this host reports INT1 as if it were a fault: RIP is not behind it',
    levels: USER_LEVELS,
    names: /^INT1$/,
    kinds: /^RIP$/,
    source:
      'SDM vol. 2, INT n/INTO/INT3/INT1: "The INT1 instruction also uses a one-byte opcode (F1) and generates a debug exception (#DB) without setting ' +
      `any bits in DR6"; ${measured('a process gets SIGTRAP with RIP at the F1, and not behind it, too')}`,
  },
];

/** Two 80-bit values in a row, of one sign. */
function isNextExtended(left: bigint, right: bigint): boolean {
  return magnitude(left) - magnitude(right) === 1n || magnitude(right) - magnitude(left) === 1n;
}

/** Exponent and fraction as one number; the integer bit follows from the exponent, and the sign stays above. */
function magnitude(value: bigint): bigint {
  return ((value >> 64n) << 63n) | (value & 0x7fff_ffff_ffff_ffffn);
}

/** Four singles, each within 1.5 × 2^-12 of the exact value, so within twice that of each other. */
function isNear(left: bigint, right: bigint): boolean {
  const view = new DataView(new ArrayBuffer(8));
  for (let i = 0n; i < 4n; i++) {
    view.setUint32(0, Number((left >> (32n * i)) & 0xffff_ffffn));
    view.setUint32(4, Number((right >> (32n * i)) & 0xffff_ffffn));
    const [a, b] = [view.getFloat32(0), view.getFloat32(4)];
    if (view.getUint32(0) !== view.getUint32(4) && !(Math.abs(a - b) <= Math.abs(a) * 3 * 2 ** -12)) return false;
  }
  return true;
}
