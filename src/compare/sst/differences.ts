/**
 * Where an 80286 differs from today's processors: the one table of what the conformance run does not compare, or compares with
 * something else than the recording, row by row with the reason. Nothing else is masked.
 */
import { lockAllowed, prefixes } from './instruction.js';
import type { MooTest } from './moo.js';

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
  /** Today's processors raise this exception at the instruction instead: that is what is expected. */
  readonly raises?: number;
  /** The recording says nothing that holds for today's processors: only that the run ends is checked. */
  readonly ignore?: true;
}

/** `C0.4` to `C0.7` and the like. */
function group(opcodes: readonly string[], extensions: readonly number[]): string[] {
  return opcodes.flatMap((opcode) => extensions.map((extension) => `${opcode}.${extension}`));
}

/** The rows. */
export const differences: readonly Difference[] = [
  {
    reason: 'LOCK before an instruction that cannot be locked: the 80286 obeys, the 80386 and later raise #UD (SDM vol. 2, LOCK)',
    when: (test) => prefixes(test.bytes).includes(0xf0) && !lockAllowed(test.bytes),
    raises: 6,
  },
  {
    opcodes: group(['C0', 'C1', 'D2', 'D3'], [0, 1, 2, 3]),
    reason: 'rotations by more than 1 leave OF undefined (SDM vol. 2, RCL)',
    flags: OF,
  },
  {
    opcodes: group(['C0', 'C1', 'D2', 'D3'], [4, 5, 6, 7]),
    reason: 'shifts leave AF undefined, by more than 1 OF, by more than the width CF (SDM vol. 2, SAL)',
    flags: AF | OF | CF,
  },
  { opcodes: group(['D0', 'D1'], [4, 5, 6, 7]), reason: 'shifts leave AF undefined (SDM vol. 2, SAL)', flags: AF },
  {
    opcodes: ['69', '6B', ...group(['F6', 'F7'], [4, 5])],
    reason: 'products leave SF, ZF, AF, PF undefined (SDM vol. 2, MUL, IMUL)',
    flags: SF | ZF | AF | PF,
  },
  {
    opcodes: group(['F6', 'F7'], [6, 7]),
    reason: 'divisions leave all status flags undefined (SDM vol. 2, DIV)',
    flags: CF | PF | AF | ZF | SF | OF,
  },
  { opcodes: ['27', '2F'], reason: 'DAA and DAS leave OF undefined (SDM vol. 2)', flags: OF },
  { opcodes: ['37', '3F'], reason: 'AAA and AAS leave OF, SF, ZF, PF undefined (SDM vol. 2)', flags: OF | SF | ZF | PF },
  { opcodes: ['D4', 'D5'], reason: 'AAM and AAD leave OF, AF, CF undefined (SDM vol. 2)', flags: OF | AF | CF },
];

/** The rows that hold for a test. */
export function differencesOf(opcode: string, test: MooTest): Difference[] {
  return differences.filter(
    (row) => (row.opcodes === undefined || row.opcodes.includes(opcode)) && (row.when === undefined || row.when(test)),
  );
}
