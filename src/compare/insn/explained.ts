/** Differences that are known and none of the interpreter's: row by row, with what says so. Nothing else is excused. */
import type { InsnCase } from './case.js';
import type { Oracle } from './comparison.js';
import type { FieldDifference } from './difference.js';
import { EMULATOR_ROWS } from './explained-emulator.js';
import { KVM_ROWS } from './explained-kvm.js';
import { PROCESSOR_ROWS } from './explained-processor.js';
import type { Level } from './levels.js';

/** A row: holds for the opcodes and fields named, and nothing else. */
export interface Explanation {
  /** A few words. */
  readonly title: string;
  readonly levels: readonly Level[];
  /** Absent: every oracle. */
  readonly oracle?: Oracle;
  /** The name in the opcode table. */
  readonly names: RegExp;
  /** The encoding in the opcode table; absent: every one. */
  readonly encodings?: RegExp;
  /** `kind` of the difference. */
  readonly kinds: RegExp;
  /** Manual, erratum or source. */
  readonly source: string;
  readonly when?: (one: InsnCase, difference: FieldDifference) => boolean;
  /** A process of the host cannot say who is right: Linux answers for the processor there (CR4.UMIP), or it has other tables. */
  readonly unconfirmed?: true;
}

/** The table. */
export const EXPLAINED: readonly Explanation[] = [...PROCESSOR_ROWS, ...KVM_ROWS, ...EMULATOR_ROWS];

/** The row that explains a difference; undefined: none. */
export function explanationOf(
  one: InsnCase,
  level: Level,
  oracle: Oracle,
  difference: FieldDifference,
): Explanation | undefined {
  return EXPLAINED.find(
    (row) =>
      row.levels.includes(level) &&
      (row.oracle ?? oracle) === oracle &&
      row.kinds.test(difference.kind) &&
      row.names.test(one.row.name) &&
      (row.encodings === undefined || row.encodings.test(one.row.encoding)) &&
      (row.when === undefined || row.when(one, difference)),
  );
}
