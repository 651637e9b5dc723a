/** Differences that are known and none of the interpreter's: row by row, with what says so. Nothing else is excused. */
import type { InsnCase } from './case.js';
import type { Oracle } from './comparison.js';
import type { FieldDifference } from './difference.js';
import { EMULATOR_ROWS } from './explained-emulator.js';
import { KVM_ROWS } from './explained-kvm.js';
import { PROCESSOR_ROWS } from './explained-processor.js';
import { Case } from './layout.js';
import type { Level } from './levels.js';

const RSP = 4;

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
  const kinds = level === 'real' ? kindsInRealMode(one, difference) : [difference.kind];
  return EXPLAINED.find(
    (row) =>
      row.levels.includes(level) &&
      (row.oracle ?? oracle) === oracle &&
      kinds.some((kind) => row.kinds.test(kind)) &&
      row.names.test(one.row.name) &&
      (row.encodings === undefined || row.encodings.test(one.row.encoding)) &&
      (row.when === undefined || row.when(one, difference)),
  );
}

/** Where SP is so small and odd, the frame of an exception crosses the end of the stack segment. */
const NO_ROOM: ReadonlySet<number> = new Set([1, 3, 5]);
const FAULTS = ['#DE', '#DB', '#BP', '#OF', '#BR', '#UD', '#NM', '#SS', '#GP'] as const;

/**
 * The kinds of a difference. Where there is no room for an exception's frame, any ends in a shutdown, and in KVM in #SS (the row "an exception
 * whose frame does not fit"): which it was does not show.
 */
function kindsInRealMode({ record }: InsnCase, { kind }: FieldDifference): readonly string[] {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  if (!NO_ROOM.has(view.getUint16(Case.registers + RSP * 8, true))) return [kind];
  const [, actual, expected] = /^exception (.*) for (.*)$/.exec(kind) ?? [];
  if (actual === undefined || expected === undefined) return [kind];
  const left = actual === 'shutdown' ? FAULTS : [actual];
  const right = expected === '#SS' ? FAULTS : [expected];
  return [kind, ...left.flatMap((it) => right.map((was) => `exception ${it} for ${was}`))];
}
