/**
 * Where an 80286 differs from today's processors: the one table of what the conformance run does not compare, or compares with
 * something else than the recording, row by row with the reason. Nothing else is masked.
 */
import { isSegment, lengthOf, lockAllowed, overrunsStack, prefixes } from './instruction.js';
import { type MooTest, Register } from './moo.js';

const CF = 0x001;
const PF = 0x004;
const AF = 0x010;
const ZF = 0x040;
const SF = 0x080;
const OF = 0x800;

/** FLAGS 15:12: in real mode the 80286 clears them, later processors have IOPL and NT there (SDM vol. 3B, 23.2). */
export const UPPER_FLAGS = 0xf000;

/** One documented difference. */
export interface Difference {
  /** The file's name up to `.MOO.gz`: opcode, and extension where there is one. Absent: all. */
  readonly opcodes?: readonly string[];
  readonly reason: string;
  /** The row holds only for tests that are so; absent: for all of the opcodes. */
  readonly when?: (test: MooTest) => boolean;
  /** Flags that are not compared, in FLAGS and in a pushed FLAGS. */
  readonly flags?: number;
  /** Registers that are not compared, by Register. */
  readonly registers?: readonly number[];
  /** Today's processors raise this exception at the instruction instead: that is what is expected. */
  readonly raises?: number;
  /** The recording says nothing that holds for today's processors: only that the engine can execute it is checked. */
  readonly ignore?: true;
}

/** `C0.4` to `C0.7` and the like. */
function group(opcodes: readonly string[], extensions: readonly number[]): string[] {
  return opcodes.flatMap((opcode) => extensions.map((extension) => `${opcode}.${extension}`));
}

/** The recording ended in interrupt 13: a segment was left, or the instruction was too long. */
function overran(test: MooTest): boolean {
  return test.exception?.vector === 13;
}

/** Interrupt 13 because of the 80286's limit of 10 bytes. */
function tooLong(test: MooTest): boolean {
  return overran(test) && lengthOf(test.bytes) > 10;
}

function onStack(test: MooTest): boolean {
  return overrunsStack(test.bytes, test.initial.registers[Register.SI] ?? 0);
}

/** No signed divisor of that width can bring the magnitude of the dividend down to a quotient that fits. */
function quotientTooBig(test: MooTest, bits: 8 | 16): boolean {
  const ax = test.initial.registers[Register.AX] ?? 0;
  const dx = test.initial.registers[Register.DX] ?? 0;
  const dividend = bits === 8 ? (ax << 16) >> 16 : (dx << 16) | ax;
  const half = 2 ** (bits - 1);
  return test.exception === undefined && Math.abs(dividend) >= (half + 1) * half;
}

/** The rows. */
export const differences: readonly Difference[] = [
  {
    reason:
      'LOCK before an instruction that cannot be locked: the 80286 obeys, the 80386 and later raise #UD (SDM vol. 2, LOCK)',
    when: (test) => prefixes(test.bytes).includes(0xf0) && !lockAllowed(test.bytes),
    raises: 6,
  },
  {
    reason:
      "an instruction of more than 10 bytes: the 80286 raises interrupt 13, later processors allow 15 (80386 Programmer's Reference Manual, 14.7)",
    when: tooLong,
    ignore: true,
  },
  {
    reason:
      'a word at offset FFFFh of the stack segment: interrupt 13 on the 80286, 12 (#SS) since the 80386 (SDM vol. 3B, table 21-1)',
    when: (test) => overran(test) && !tooLong(test) && onStack(test),
    raises: 12,
  },
  {
    opcodes: ['8F'],
    reason:
      'POP to a word at offset FFFFh: the 80286 has moved SP before the fault, later processors restart with SP as it was',
    when: (test) => overran(test) && !onStack(test),
    raises: 13,
  },
  {
    opcodes: ['A5', 'A7', 'AB', 'AD', 'AF', '6D', '6F'],
    reason:
      'a string of words reaches offset FFFFh: the 80286 has moved CX, SI and DI before the fault, later processors have not',
    when: overran,
    registers: [Register.CX, Register.SI, Register.DI],
  },
  {
    opcodes: ['F6.7'],
    reason:
      'IDIV whose quotient cannot fit by any divisor: the 80286 misses some, later processors raise #DE (SDM vol. 2, IDIV)',
    when: (test) => quotientTooBig(test, 8),
    raises: 0,
  },
  {
    opcodes: ['F7.7'],
    reason:
      'IDIV whose quotient cannot fit by any divisor: the 80286 misses some, later processors raise #DE (SDM vol. 2, IDIV)',
    when: (test) => quotientTooBig(test, 16),
    raises: 0,
  },
  {
    reason:
      'HLT at offset FFFFh: IP of the 80286 wraps to 0, EIP goes on to 10000h and faults there (SDM vol. 3B, 21.1)',
    when: (test) => test.final.registers[Register.IP] === 0,
    registers: [Register.IP],
  },
  {
    opcodes: ['8E'],
    reason: 'MOV to FS or GS, which the 80386 brought: #UD on the 80286 (SDM vol. 3B, 23.4)',
    when: (test) => test.exception?.vector === 6 && isSegment(test.bytes, 4, 5),
    ignore: true,
  },
  {
    opcodes: ['D8'],
    reason:
      'ESC without an 80287 does nothing on the 80286; later processors without x87 (CR0.EM, as the runner sets it) raise #NM (SDM vol. 3A, table 2-2)',
    raises: 7,
  },
  {
    opcodes: group(['C0', 'C1', 'D0', 'D1', 'D2', 'D3'], [4, 5, 6, 7]),
    reason: 'shifts leave AF undefined (SDM vol. 2, SAL): set by the 80286 where it is cleared now, and the reverse',
    flags: AF,
  },
  {
    opcodes: ['69', '6B', ...group(['F6', 'F7'], [4, 5])],
    reason: 'products leave SF, ZF, AF, PF undefined (SDM vol. 2, MUL, IMUL)',
    flags: SF | ZF | AF | PF,
  },
  {
    opcodes: group(['F6', 'F7'], [6, 7]),
    reason: 'divisions leave all status flags undefined, also those that #DE pushes (SDM vol. 2, DIV)',
    flags: CF | PF | AF | ZF | SF | OF,
  },
  { opcodes: ['D5'], reason: 'AAD leaves OF undefined (SDM vol. 2): CF on the 80286, of the addition now', flags: OF },
];

/** The rows that hold for a test. */
export function differencesOf(opcode: string, test: MooTest): Difference[] {
  return differences.filter(
    (row) => (row.opcodes === undefined || row.opcodes.includes(opcode)) && (row.when === undefined || row.when(test)),
  );
}
