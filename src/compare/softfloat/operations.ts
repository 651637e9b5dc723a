/** The x87 instructions that are compared with the processor: what they compute from a at [RSI], b at [RSI+16]. */
import type { OperandKind } from './operands.js';

/** One instruction and its operands. */
export interface X87Operation {
  readonly name: string;
  /** What ST0 is, and what ST1 is or, if `loads` is false, memory at RSI + 16. */
  readonly a: OperandKind;
  readonly b?: OperandKind;
  /** b is pushed before a. */
  readonly loads: boolean;
  readonly code: readonly number[];
  /** The precision control matters. */
  readonly precision?: true;
  /** An instruction of SSE on XMM0 = a and XMM1 = b that leaves its result at RSI + 140; the control word is MXCSR. */
  readonly sse?: true;
  /** Results that are not specified to the last bit: units in the last place that they may differ by. */
  readonly tolerance?: number;
}

/** ModRM and displacement of [RSI+16] and of [RSI+140], where results go. */
const source = (digit: number): number[] => [0x46 | (digit << 3), 16];
const target = (digit: number): number[] => [0x86 | (digit << 3), 140, 0, 0, 0];

function unary(name: string, code: number[], a: OperandKind = 'ext'): X87Operation {
  return { name, a, loads: false, code };
}

function binary(name: string, code: number[], b: OperandKind = 'ext'): X87Operation {
  return { name, a: 'ext', b, loads: true, code };
}

function fromMemory(name: string, b: OperandKind, opcode: number, digit: number): X87Operation {
  return { name, a: 'ext', b, loads: false, code: [opcode, ...source(digit)] };
}

const names = ['FADD', 'FMUL', 'FCOM', 'FCOMP', 'FSUB', 'FSUBR', 'FDIV', 'FDIVR'];
const memoryForms = names.flatMap((name, digit) =>
  (
    [
      ['m32', 'f32', 0xd8],
      ['m64', 'f64', 0xdc],
      ['m32int', 'integer', 0xda],
      ['m16int', 'integer', 0xde],
    ] as const
  ).map(([suffix, kind, opcode]): X87Operation => {
    return { ...fromMemory(`${name} ${suffix}`, kind, opcode, digit), precision: true };
  }),
);
const registerForms = names.flatMap((name, digit): X87Operation[] => [
  { ...binary(`${name} ST0,ST1`, [0xd8, 0xc1 + digit * 8]), precision: true },
  ...(digit === 2 || digit === 3
    ? []
    : [
        { ...binary(`${name} to ST1`, [0xdc, 0xc1 + digit * 8]), precision: true as const },
        { ...binary(`${name}P to ST1`, [0xde, 0xc1 + digit * 8]), precision: true as const },
      ]),
]);

/** Pops into RFLAGS' place of the slot: PUSHF, POP [RSI+140]. */
const keepFlags = [0x9c, 0x8f, ...target(0)];

/** Every instruction that is specified to the bit. */
export const EXACT_OPERATIONS: readonly X87Operation[] = [
  ...registerForms,
  ...memoryForms,
  { ...unary('FSQRT', [0xd9, 0xfa]), precision: true },
  unary('FRNDINT', [0xd9, 0xfc]),
  binary('FPREM', [0xd9, 0xf8]),
  binary('FPREM1', [0xd9, 0xf5]),
  binary('FSCALE', [0xd9, 0xfd], 'scale'),
  binary('FSCALE any', [0xd9, 0xfd]),
  unary('FXTRACT', [0xd9, 0xf4]),
  unary('FCHS', [0xd9, 0xe0]),
  unary('FABS', [0xd9, 0xe1]),
  unary('FXAM', [0xd9, 0xe5]),
  unary('FTST', [0xd9, 0xe4]),
  binary('FUCOM', [0xdd, 0xe1]),
  binary('FUCOMPP', [0xda, 0xe9]),
  binary('FCOMPP', [0xde, 0xd9]),
  binary('FCOMI', [0xdb, 0xf1, ...keepFlags]),
  binary('FUCOMIP', [0xdf, 0xe9, ...keepFlags]),
  binary('FXCH', [0xd9, 0xc9]),
  binary('FST ST(3)', [0xdd, 0xd3]),
  ...['FCMOVB', 'FCMOVE', 'FCMOVBE', 'FCMOVU', 'FCMOVNB', 'FCMOVNE', 'FCMOVNBE', 'FCMOVNU'].map((name, i) =>
    // CMP BYTE [RSI], 80h sets the flags.
    binary(name, [0x80, 0x3e, 0x80, 0xda + (i >> 2), 0xc1 + (i & 3) * 8]),
  ),
  binary('FINCSTP', [0xd9, 0xf7]),
  binary('FDECSTP', [0xd9, 0xf6]),
  binary('FFREE ST(1)', [0xdd, 0xc1]),
  binary('FFREEP ST(0)', [0xdf, 0xc0]),
  binary('FNOP', [0xd9, 0xd0]),
  fromMemory('FLD m32', 'f32', 0xd9, 0),
  fromMemory('FLD m64', 'f64', 0xdd, 0),
  fromMemory('FLD m80', 'ext', 0xdb, 5),
  fromMemory('FILD m16', 'integer', 0xdf, 0),
  fromMemory('FILD m32', 'integer', 0xdb, 0),
  fromMemory('FILD m64', 'integer', 0xdf, 5),
  fromMemory('FBLD', 'decimal', 0xdf, 4),
  unary('FST m32', [0xd9, ...target(2)]),
  unary('FSTP m32', [0xd9, ...target(3)]),
  unary('FST m64', [0xdd, ...target(2)]),
  unary('FSTP m64', [0xdd, ...target(3)]),
  unary('FSTP m80', [0xdb, ...target(7)]),
  unary('FIST m16', [0xdf, ...target(2)]),
  unary('FISTP m16', [0xdf, ...target(3)]),
  unary('FIST m32', [0xdb, ...target(2)]),
  unary('FISTP m32', [0xdb, ...target(3)]),
  unary('FISTP m64', [0xdf, ...target(7)]),
  unary('FISTTP m16', [0xdf, ...target(1)]),
  unary('FISTTP m32', [0xdb, ...target(1)]),
  unary('FISTTP m64', [0xdd, ...target(1)]),
  unary('FBSTP', [0xdf, ...target(6)]),
  ...['FLD1', 'FLDL2T', 'FLDL2E', 'FLDPI', 'FLDLG2', 'FLDLN2', 'FLDZ'].map((name, i) => unary(name, [0xd9, 0xe8 + i])),
];

function transcendental(name: string, code: number[], a: OperandKind, b?: OperandKind): X87Operation {
  return { name, a, ...(b === undefined ? { loads: false } : { b, loads: true }), code, tolerance: 1 };
}

/** The last bit of these is the processor's own. */
export const TRANSCENDENTAL_OPERATIONS: readonly X87Operation[] = [
  transcendental('F2XM1', [0xd9, 0xf0], 'small'),
  transcendental('FYL2X', [0xd9, 0xf1], 'positive', 'angle'),
  transcendental('FYL2XP1', [0xd9, 0xf9], 'tiny', 'angle'),
  transcendental('FPTAN', [0xd9, 0xf2], 'angle'),
  transcendental('FPATAN', [0xd9, 0xf3], 'angle', 'angle'),
  transcendental('FSIN', [0xd9, 0xfe], 'angle'),
  transcendental('FCOS', [0xd9, 0xff], 'angle'),
  transcendental('FSINCOS', [0xd9, 0xfb], 'angle'),
  transcendental('F2XM1 any', [0xd9, 0xf0], 'ext'),
  transcendental('FYL2X any', [0xd9, 0xf1], 'ext', 'ext'),
  transcendental('FPATAN any', [0xd9, 0xf3], 'ext', 'ext'),
  transcendental('FSIN any', [0xd9, 0xfe], 'ext'),
  transcendental('FCOS any', [0xd9, 0xff], 'ext'),
];

function scalar(bits: 32 | 64): X87Operation[] {
  const kind = bits === 32 ? 'f32' : 'f64';
  const suffix = bits === 32 ? 'SS' : 'SD';
  const prefix = bits === 32 ? 0xf3 : 0xf2;
  // MOVQ [RSI+140], XMM0; MOV [RSI+140], RAX.
  const store = [0x66, 0x0f, 0xd6, ...target(0)];
  const storeRax = [0x48, 0x89, ...target(0)];
  const make = (name: string, code: number[], a: OperandKind = kind): X87Operation => {
    return { name, a, b: kind, loads: false, sse: true, code };
  };
  const compare = bits === 32 ? [] : [0x66];
  return [
    make(`ADD${suffix}`, [prefix, 0x0f, 0x58, 0xc1, ...store]),
    make(`SUB${suffix}`, [prefix, 0x0f, 0x5c, 0xc1, ...store]),
    make(`MUL${suffix}`, [prefix, 0x0f, 0x59, 0xc1, ...store]),
    make(`DIV${suffix}`, [prefix, 0x0f, 0x5e, 0xc1, ...store]),
    make(`SQRT${suffix}`, [prefix, 0x0f, 0x51, 0xc0, ...store]),
    make(`MIN${suffix}`, [prefix, 0x0f, 0x5d, 0xc1, ...store]),
    make(`MAX${suffix}`, [prefix, 0x0f, 0x5f, 0xc1, ...store]),
    make(`ROUND${suffix}`, [0x66, 0x0f, 0x3a, bits === 32 ? 0x0a : 0x0b, 0xc0, 4, ...store]),
    make(bits === 32 ? 'CVTSS2SD' : 'CVTSD2SS', [prefix, 0x0f, 0x5a, 0xc0, ...store]),
    make(`CVT${suffix}2SI r32`, [prefix, 0x0f, 0x2d, 0xc0, ...storeRax]),
    make(`CVT${suffix}2SI r64`, [prefix, 0x48, 0x0f, 0x2d, 0xc0, ...storeRax]),
    make(`CVTT${suffix}2SI r32`, [prefix, 0x0f, 0x2c, 0xc0, ...storeRax]),
    make(`CVTT${suffix}2SI r64`, [prefix, 0x48, 0x0f, 0x2c, 0xc0, ...storeRax]),
    make(`CVTSI2${suffix} m32`, [prefix, 0x0f, 0x2a, 0x06, ...store], 'integer'),
    make(`CVTSI2${suffix} m64`, [prefix, 0x48, 0x0f, 0x2a, 0x06, ...store], 'integer'),
    make(`COMI${suffix}`, [...compare, 0x0f, 0x2f, 0xc1, ...keepFlags]),
    make(`UCOMI${suffix}`, [...compare, 0x0f, 0x2e, 0xc1, ...keepFlags]),
  ];
}

/** SSE's scalar arithmetic, which shares the integer core with the x87. */
export const SSE_OPERATIONS: readonly X87Operation[] = [...scalar(32), ...scalar(64)];

/** A stack fault of every kind: on an empty and on a full stack. */
export const STACK_OPERATIONS: readonly X87Operation[] = EXACT_OPERATIONS.flatMap((operation): X87Operation[] => [
  { ...operation, name: `${operation.name} on an empty stack`, code: [0xdb, 0xe3, 0xd9, 0x6e, 10, ...operation.code] },
  {
    ...operation,
    name: `${operation.name} on a full stack`,
    code: [0xdb, 0xe3, ...Array.from({ length: 8 }, () => [0xd9, 0xe8]).flat(), 0xd9, 0x6e, 10, ...operation.code],
  },
  {
    ...operation,
    name: `${operation.name} with one register`,
    code: [0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0x6e, 10, ...operation.code],
  },
]);
