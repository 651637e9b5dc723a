/** Both engines side by side. */
import type { InsnCase } from './case.js';
import { differencesOf, type FieldDifference, isEqual } from './difference.js';
import { InsnEngine } from './engine.js';
import { type Explanation, explanationOf } from './explained.js';
import type { LongLevel } from './image.js';
import { Result } from './layout.js';

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

/** KVM and the interpreter with the same guest. Close it. */
export class Comparison {
  readonly #kvm: InsnEngine;
  readonly #interp: InsnEngine;

  constructor(readonly level: LongLevel) {
    this.#kvm = new InsnEngine('kvm', level);
    this.#interp = new InsnEngine('interp', level);
  }

  /** Runs a batch; the cases that differ. `strayed`: the memory around the window differs afterwards. */
  runBatch(cases: readonly InsnCase[]): { readonly different: readonly CaseDifference[]; readonly strayed: boolean } {
    const actual = this.#interp.run(cases);
    const expected = this.#kvm.run(cases);
    const different: CaseDifference[] = [];
    for (const [i, one] of cases.entries()) {
      const left = expected.subarray(i * Result.size, (i + 1) * Result.size);
      const right = actual.subarray(i * Result.size, (i + 1) * Result.size);
      if (isEqual(left, right)) continue;
      const differences = differencesOf(left, right);
      if (differences.length > 0) different.push({ one, differences });
    }
    return { different, strayed: !isEqual(this.#kvm.outside, this.#interp.outside) };
  }

  /** Runs one case by itself. */
  runOne(one: InsnCase): SingleComparison {
    const actual = this.#interp.run([one]).slice();
    const expected = this.#kvm.run([one]).slice();
    const differences = [...differencesOf(expected, actual)];
    if (!isEqual(this.#kvm.outside, this.#interp.outside)) {
      differences.push({ field: 'memory', kind: 'memory around the window', expected: '', actual: '' });
    }
    return {
      expected,
      actual,
      differences,
      unexplained: differences.filter((it) => !explanationOf(one, this.level, it)),
    };
  }

  /** The row that explains a difference. */
  explain(one: InsnCase, difference: FieldDifference): Explanation | undefined {
    return explanationOf(one, this.level, difference);
  }

  close(): void {
    this.#kvm.close();
    this.#interp.close();
  }
}

/** What differences are sorted by: the opcode, and which fields differ. */
export function keyOf(one: InsnCase, differences: readonly FieldDifference[]): string {
  const kinds = [...new Set(differences.map(({ kind }) => kind))].sort();
  return `${one.row.encoding} (${one.row.name}): ${kinds.slice(0, 4).join(', ')}${kinds.length > 4 ? ' and more' : ''}`;
}
