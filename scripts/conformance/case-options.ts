/** The options of the suites that run so many cases of each operation: --cases, --seed, --name, --json. */
import { parseArgs } from 'node:util';
import { Report, wholeNumber } from './report.js';

/** What the options say. */
export interface CaseOptions {
  readonly report: Report;
  /** Cases of each operation. */
  readonly cases: number;
  readonly seed: number;
  /** Only this operation. */
  readonly name: string | undefined;
}

/** Reads the options; `preset` stands for --cases, `usage` is the suite's form. Throws VMTAPE_USAGE. */
export function caseOptions(args: string[], preset: number, usage: string): CaseOptions {
  const { values } = parseArgs({
    args,
    options: {
      cases: { type: 'string' },
      seed: { type: 'string' },
      name: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const report = new Report(values.json);
  const cases = wholeNumber(values.cases, preset, '--cases', usage);
  const seed = wholeNumber(values.seed, 1, '--seed', usage);
  return { report, cases, seed, name: values.name };
}
