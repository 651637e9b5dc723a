/** The whole comparison of softfloat with the processor of the host: every operation, rounding mode and precision. */
import { buildNativeRunner, hostVendor } from './native.js';
import {
  EXACT_OPERATIONS,
  SSE_OPERATIONS,
  STACK_OPERATIONS,
  TRANSCENDENTAL_OPERATIONS,
  type X87Operation,
} from './operations.js';
import { compareCases, makeCases, routineOf, SLOT, type X87Difference, X87Guest } from './suite.js';

/** What is compared. */
export interface SoftfloatOptions {
  /** Operands for each operation, rounding mode and precision. */
  readonly operands: number;
  readonly seed: number;
  /** Only operations whose name begins so. */
  readonly operation?: string;
  /** Operations with faults of the register stack too, by 64 operands each. */
  readonly stack: boolean;
}

/** What came of it. */
export interface SoftfloatTotals {
  cases: number;
  operations: number;
  different: number;
}

/** Differing cases shown of each operation. */
const SHOWN = 3;
const STACK_OPERANDS = 64;

/** Compares; calls `show` for the first differences of each operation, `progress` at each operation's begin. Returns the reason if there is no processor to compare with. */
export function compareSoftfloat(
  options: SoftfloatOptions,
  show: (difference: X87Difference) => void,
  progress: (operation: string, done: number, all: number) => void = () => {},
): SoftfloatTotals | { missing: string } {
  const native = buildNativeRunner();
  if ('missing' in native) return native;
  const totals: SoftfloatTotals = { cases: 0, operations: 0, different: 0 };
  const guest = new X87Guest(Math.max(options.operands, STACK_OPERANDS) * SLOT, hostVendor());
  const batch = (operation: X87Operation, rounding: number, precision: number | undefined, count: number): void => {
    const controls = precision === undefined ? { rounding } : { rounding, precision };
    const data = makeCases(operation, controls, count, options.seed * 64 + rounding * 4 + (precision ?? 1));
    const routine = routineOf(operation, count);
    const expected = native.run(routine, data);
    const result = compareCases(operation, expected, guest.run(routine, data), SHOWN);
    for (const difference of result.shown) show(difference);
    totals.cases += count;
    totals.different += result.count;
  };
  try {
    const all = [...EXACT_OPERATIONS, ...SSE_OPERATIONS, ...TRANSCENDENTAL_OPERATIONS];
    const wanted = (operation: X87Operation): boolean => operation.name.startsWith(options.operation ?? '');
    const chosen = all.filter(wanted);
    for (const operation of chosen) {
      progress(operation.name, totals.operations++, chosen.length);
      for (let rounding = 0; rounding < 4; rounding++) {
        const precisions = operation.precision ? [0, 2, 3] : [undefined];
        for (const precision of precisions) batch(operation, rounding, precision, options.operands);
      }
    }
    if (options.stack)
      for (const operation of STACK_OPERATIONS.filter(wanted)) batch(operation, 0, undefined, STACK_OPERANDS);
  } finally {
    native.close();
  }
  return totals;
}
