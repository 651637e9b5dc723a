/** D8 to DF and FWAIT: the x87 (SDM vol. 2, appendix A.5; interp/execute/x87-*.ts). What has no row here is #UD. */
import type { OpcodeRow } from './row.js';

const arithmetic = ['FADD', 'FMUL', 'FCOM', 'FCOMP', 'FSUB', 'FSUBR', 'FDIV', 'FDIVR'];

/** A memory form. */
function memory(encoding: string, name: string, call: string): OpcodeRow {
  return { encoding, name, size: 'none', mem: call };
}

/** A form with ModRM.mod = 3: of a digit, with ST(i), or of one byte. */
function register(encoding: string, name: string, call: string): OpcodeRow {
  return { encoding, name, size: 'none', reg: call };
}

/** `D9 C0` and so on: the row of each ST(i) beside memory forms of the same digit. */
function stack(opcode: string, first: number, name: string, call: string): OpcodeRow[] {
  return Array.from({ length: 8 }, (_, i) => {
    const modrm = (first + i).toString(16).toUpperCase();
    return register(`${opcode} ${modrm}`, name.replace('ST(i)', `ST(${i})`), call);
  });
}

function memoryArithmetic(opcode: string, operand: string, integer: boolean, call: string): OpcodeRow[] {
  return arithmetic.map((name, digit) =>
    memory(`${opcode} /${digit}`, `${integer ? name.replace('F', 'FI') : name} ${operand}`, call),
  );
}

const toSt0 = arithmetic.flatMap((name, digit) => {
  if (digit === 2) return stack('D8', 0xd0, 'FCOM ST,ST(i)', 'x87Compare(op, 0, 1, 0)');
  if (digit === 3) return stack('D8', 0xd8, 'FCOMP ST,ST(i)', 'x87Compare(op, 0, 1, 1)');
  return stack('D8', 0xc0 + digit * 8, `${name} ST,ST(i)`, 'x87ArithmeticSt0(op)');
});

/** DC and DE write the reversed and the plain operation the other way round. */
const swapped = ['FADD', 'FMUL', '', '', 'FSUBR', 'FSUB', 'FDIVR', 'FDIV'];
const toSti = [0, 1, 4, 5, 6, 7].flatMap((digit) => [
  ...stack('DC', 0xc0 + digit * 8, `${swapped[digit]} ST(i),ST`, 'x87ArithmeticSti(op)'),
  ...stack('DE', 0xc0 + digit * 8, `${swapped[digit]}P ST(i),ST`, 'x87ArithmeticPop(op)'),
]);

/** Condition numbers as in Jcc: B, E, BE, U and their contraries. */
const moves: readonly [string, string, number][] = [
  ['FCMOVB', 'DA', 2],
  ['FCMOVE', 'DA', 4],
  ['FCMOVBE', 'DA', 6],
  ['FCMOVU', 'DA', 10],
  ['FCMOVNB', 'DB', 3],
  ['FCMOVNE', 'DB', 5],
  ['FCMOVNBE', 'DB', 7],
  ['FCMOVNU', 'DB', 11],
];
const conditionalMoves = moves.flatMap(([name, opcode, condition], index) =>
  stack(
    opcode,
    0xc0 + (index & 3) * 8,
    `${name} ST,ST(i)`,
    `x87ConditionalMove(op, ${opcode === 'DA' ? 2 : 3}, ${condition})`,
  ),
);

const constants = ['FLD1', 'FLDL2T', 'FLDL2E', 'FLDPI', 'FLDLG2', 'FLDLN2', 'FLDZ'].map((name, i) =>
  register(`D9 E${(8 + i).toString(16).toUpperCase()}`, name, 'x87LoadConstant(op)'),
);

/** FCMOVcc, FCOMI and their kin came with CMOVcc, FISTTP with SSE3; FWAIT needs no x87. */
function featureOf(name: string): Pick<OpcodeRow, 'feature'> {
  if (name === 'FWAIT') return {};
  return { feature: /^(FCMOV|FU?COMI)/.test(name) ? 'cmov' : name.startsWith('FISTTP') ? 'sse3' : 'fpu' };
}

const table: OpcodeRow[] = [
  ...memoryArithmetic('D8', 'Md', false, 'x87ArithmeticF32(op)'),
  ...memoryArithmetic('DA', 'Md', true, 'x87ArithmeticI32(op)'),
  ...memoryArithmetic('DC', 'Mq', false, 'x87ArithmeticF64(op)'),
  ...memoryArithmetic('DE', 'Mw', true, 'x87ArithmeticI16(op)'),
  ...toSt0,
  ...toSti,
  ...conditionalMoves,
  ...constants,
  memory('D9 /0', 'FLD Md', 'x87LoadF32(op)'),
  memory('D9 /2', 'FST Md', 'x87StoreF32(op, 0)'),
  memory('D9 /3', 'FSTP Md', 'x87StoreF32(op, 1)'),
  { encoding: 'D9 /4', name: 'FLDENV M28byte', size: 'v', mem: 'loadEnvironment(op)' },
  memory('D9 /5', 'FLDCW Mw', 'loadControlWord(op)'),
  { encoding: 'D9 /6', name: 'FNSTENV M28byte', size: 'v', mem: 'storeEnvironment(op)' },
  memory('D9 /7', 'FNSTCW Mw', 'storeControlWord(op)'),
  memory('DB /0', 'FILD Md', 'x87LoadI32(op)'),
  memory('DB /1', 'FISTTP Md', 'x87StoreInteger<u32>(op, 3, 1, 1)'),
  memory('DB /2', 'FIST Md', 'x87StoreInteger<u32>(op, 3, 0, 0)'),
  memory('DB /3', 'FISTP Md', 'x87StoreInteger<u32>(op, 3, 1, 0)'),
  memory('DB /5', 'FLD Mt', 'x87LoadF80(op)'),
  memory('DB /7', 'FSTP Mt', 'x87StoreF80(op)'),
  memory('DD /0', 'FLD Mq', 'x87LoadF64(op)'),
  memory('DD /1', 'FISTTP Mq', 'x87StoreInteger<u64>(op, 5, 1, 1)'),
  memory('DD /2', 'FST Mq', 'x87StoreF64(op, 0)'),
  memory('DD /3', 'FSTP Mq', 'x87StoreF64(op, 1)'),
  { encoding: 'DD /4', name: 'FRSTOR M108byte', size: 'v', mem: 'restoreX87(op)' },
  { encoding: 'DD /6', name: 'FNSAVE M108byte', size: 'v', mem: 'saveX87(op)' },
  memory('DD /7', 'FNSTSW Mw', 'storeStatusWord(op)'),
  memory('DF /0', 'FILD Mw', 'x87LoadI16(op)'),
  memory('DF /1', 'FISTTP Mw', 'x87StoreInteger<u16>(op, 7, 1, 1)'),
  memory('DF /2', 'FIST Mw', 'x87StoreInteger<u16>(op, 7, 0, 0)'),
  memory('DF /3', 'FISTP Mw', 'x87StoreInteger<u16>(op, 7, 1, 0)'),
  memory('DF /4', 'FBLD Mt', 'x87LoadDecimal(op)'),
  memory('DF /5', 'FILD Mq', 'x87LoadI64(op)'),
  memory('DF /6', 'FBSTP Mt', 'x87StoreDecimal(op)'),
  memory('DF /7', 'FISTP Mq', 'x87StoreInteger<u64>(op, 7, 1, 0)'),
  ...stack('D9', 0xc0, 'FLD ST(i)', 'x87LoadRegister(op)'),
  ...stack('D9', 0xc8, 'FXCH ST(i)', 'x87Exchange(op, 1)'),
  ...stack('DD', 0xc8, 'FXCH ST(i)', 'x87Exchange(op, 5)'),
  ...stack('DF', 0xc8, 'FXCH ST(i)', 'x87Exchange(op, 7)'),
  register('D9 D0', 'FNOP', 'x87Nothing(op)'),
  ...stack('D9', 0xd8, 'FSTP ST(i)', 'x87StoreRegister(op, 1, 1)'),
  register('D9 E0', 'FCHS', 'x87ChangeSign(op)'),
  register('D9 E1', 'FABS', 'x87Absolute(op)'),
  register('D9 E4', 'FTST', 'x87Test(op)'),
  register('D9 E5', 'FXAM', 'x87Examine(op)'),
  register('D9 F0', 'F2XM1', 'x87Exponential(op)'),
  register('D9 F1', 'FYL2X', 'x87OfTwo(op, 0)'),
  register('D9 F2', 'FPTAN', 'x87Circular(op, 3)'),
  register('D9 F3', 'FPATAN', 'x87OfTwo(op, 2)'),
  register('D9 F9', 'FYL2XP1', 'x87OfTwo(op, 1)'),
  register('D9 FB', 'FSINCOS', 'x87Circular(op, 2)'),
  register('D9 FE', 'FSIN', 'x87Circular(op, 0)'),
  register('D9 FF', 'FCOS', 'x87Circular(op, 1)'),
  register('D9 F4', 'FXTRACT', 'x87Extract(op)'),
  register('D9 F5', 'FPREM1', 'x87Remainder(op, 1)'),
  register('D9 F6', 'FDECSTP', 'x87DecrementTop(op)'),
  register('D9 F7', 'FINCSTP', 'x87IncrementTop(op)'),
  register('D9 F8', 'FPREM', 'x87Remainder(op, 0)'),
  register('D9 FA', 'FSQRT', 'x87SquareRoot(op)'),
  register('D9 FC', 'FRNDINT', 'x87RoundToInteger(op)'),
  register('D9 FD', 'FSCALE', 'x87Scale(op)'),
  register('DA E9', 'FUCOMPP', 'x87Compare(op, 2, 0, 2)'),
  register('DB E0', 'FNENI', 'x87Nothing(op)'),
  register('DB E1', 'FNDISI', 'x87Nothing(op)'),
  register('DB E2', 'FNCLEX', 'clearX87Exceptions(op)'),
  register('DB E3', 'FNINIT', 'initializeX87(op)'),
  register('DB E4', 'FNSETPM', 'x87Nothing(op)'),
  ...stack('DB', 0xe8, 'FUCOMI ST,ST(i)', 'x87CompareFlags(op, 3, 0, 0)'),
  ...stack('DB', 0xf0, 'FCOMI ST,ST(i)', 'x87CompareFlags(op, 3, 1, 0)'),
  ...stack('DC', 0xd0, 'FCOM ST,ST(i)', 'x87Compare(op, 4, 1, 0)'),
  ...stack('DC', 0xd8, 'FCOMP ST,ST(i)', 'x87Compare(op, 4, 1, 1)'),
  ...stack('DD', 0xc0, 'FFREE ST(i)', 'x87Free(op, 5, 0)'),
  ...stack('DD', 0xd0, 'FST ST(i)', 'x87StoreRegister(op, 5, 0)'),
  ...stack('DD', 0xd8, 'FSTP ST(i)', 'x87StoreRegister(op, 5, 1)'),
  ...stack('DD', 0xe0, 'FUCOM ST,ST(i)', 'x87Compare(op, 5, 0, 0)'),
  ...stack('DD', 0xe8, 'FUCOMP ST,ST(i)', 'x87Compare(op, 5, 0, 1)'),
  ...stack('DE', 0xd0, 'FCOMP ST,ST(i)', 'x87Compare(op, 6, 1, 1)'),
  register('DE D9', 'FCOMPP', 'x87Compare(op, 6, 1, 2)'),
  ...stack('DF', 0xc0, 'FFREEP ST(i)', 'x87Free(op, 7, 1)'),
  ...stack('DF', 0xd0, 'FSTP ST(i)', 'x87StoreRegister(op, 7, 1)'),
  ...stack('DF', 0xd8, 'FSTP ST(i)', 'x87StoreRegister(op, 7, 1)'),
  register('DF E0', 'FNSTSW AX', 'storeStatusWordAx(op)'),
  ...stack('DF', 0xe8, 'FUCOMIP ST,ST(i)', 'x87CompareFlags(op, 7, 0, 1)'),
  ...stack('DF', 0xf0, 'FCOMIP ST,ST(i)', 'x87CompareFlags(op, 7, 1, 1)'),
  { encoding: '9B', name: 'FWAIT', size: 'none', reg: 'waitX87(op)' },
];

/** See the file's head. */
export const rows: OpcodeRow[] = table.map((row) => ({ ...row, ...featureOf(row.name) }));
