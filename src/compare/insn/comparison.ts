/** Both engines side by side. */
import type { InsnCase } from './case.js';
import { differencesOf, type FieldDifference, hasStrayed, isEqual, isStray, strayDifference } from './difference.js';
import { type CaseRunner, InsnEngine } from './engine.js';
import { type Explanation, explanationOf } from './explained.js';
import { executesForeign } from './foreign.js';
import { layoutOf } from './guest-layout.js';
import { Result } from './layout.js';
import type { Level } from './levels.js';
import { SiliconProcess } from './silicon.js';

/** What became of one case that is not the same on both engines. */
export interface CaseDifference {
  readonly one: InsnCase;
  readonly differences: readonly FieldDifference[];
}

/** A comparison of one case by itself. */
export interface SingleComparison {
  readonly expected: Uint8Array;
  readonly actual: Uint8Array;
  /** All of them. */
  readonly differences: readonly FieldDifference[];
  /** Those that no row explains. */
  readonly unexplained: readonly FieldDifference[];
}

/** What the interpreter is held against: KVM, or the processor in a process of the host. */
export type Oracle = 'kvm' | 'process';

/** An oracle and the interpreter with the same guest. Close it. */
export class Comparison {
  readonly #oracle: CaseRunner;
  readonly #interp: InsnEngine;

  constructor(
    readonly level: Level,
    readonly oracle: Oracle = 'kvm',
  ) {
    this.#oracle = oracle === 'kvm' ? new InsnEngine('kvm', level) : new SiliconProcess(level);
    this.#interp = new InsnEngine('interp', level);
  }

  /** Runs a batch; the cases that differ. `strayed`: the memory around the window differs afterwards. */
  runBatch(cases: readonly InsnCase[]): { readonly different: readonly CaseDifference[]; readonly strayed: boolean } {
    const actual = this.#interp.run(cases);
    const expected = this.#oracle.run(cases);
    const different: CaseDifference[] = [];
    for (const [i, one] of cases.entries()) {
      const left = expected.subarray(i * Result.size, (i + 1) * Result.size);
      const right = actual.subarray(i * Result.size, (i + 1) * Result.size);
      if (isEqual(left, right)) continue;
      const differences = differencesOf(left, right);
      if (differences.length > 0) different.push({ one, differences });
    }
    // What one of them left in KVM (the VIF that its emulator of IRET takes from the stack, say) is not for the next batch.
    if (different.length > 0) this.#reset();
    return { different, strayed: !isEqual(this.#oracle.outside, this.#interp.outside) };
  }

  /** Runs one case by itself. */
  runOne(one: InsnCase): SingleComparison {
    this.#reset();
    const actual = this.#interp.run([one]).slice();
    const expected = this.#oracle.run([one]).slice();
    const differences = [...differencesOf(expected, actual)];
    const [base] = layoutOf(this.level).outside;
    if (hasStrayed([expected, this.#oracle.outside], [actual, this.#interp.outside], base)) {
      differences.push(strayDifference(expected, actual));
    }
    const unexplained = differences.filter((it) => !explanationOf(one, this.level, this.oracle, it));
    // Where only one of them raised an exception, memory differs too.
    const follows = differences.some(({ field }) => field === 'exception') && unexplained.every(isStray);
    return { expected, actual, differences, unexplained: follows ? [] : unexplained };
  }

  /** Does case `index` of a batch execute bytes of other cases? */
  executesForeign(cases: readonly InsnCase[], index: number): boolean {
    return executesForeign(this.#interp, cases, index);
  }

  #reset(): void {
    this.#oracle.reset();
    this.#interp.reset();
  }

  /** The row that explains a difference. */
  explain(one: InsnCase, difference: FieldDifference): Explanation | undefined {
    return explanationOf(one, this.level, this.oracle, difference);
  }

  close(): void {
    this.#oracle.close();
    this.#interp.close();
  }
}

/** What differences are sorted by: the opcode, and which fields differ. */
export function keyOf(one: InsnCase, differences: readonly FieldDifference[]): string {
  const kinds = [...new Set(differences.map(({ kind }) => kind))].sort();
  return `${one.row.encoding} (${one.row.name}): ${kinds.slice(0, 4).join(', ')}${kinds.length > 4 ? ' and more' : ''}`;
}
