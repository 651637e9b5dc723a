/** The options of the suites that run so many cases of each operation: --cases, --seed, --name, --json. */
import type { Command } from 'commander';
import { parseCount } from '../../src/cli/values.js';
import { Report } from './report.js';

/** What the options say. */
export interface CaseOptions {
  readonly report: Report;
  /** Cases of each operation. */
  readonly cases: number;
  readonly seed: number;
  /** Only this operation. */
  readonly name: string | undefined;
}

/** As commander gives them. */
export interface CaseFlags {
  readonly cases: string;
  readonly seed: string;
  readonly name?: string;
  readonly json?: true;
}

/** Adds the options; `preset` cases of each operation, `example` names one. */
export function addCaseOptions(command: Command, preset: number, example: string): Command {
  return command
    .option('--cases <number>', 'how many of each operation', `${preset}`)
    .option('--seed <number>', 'what the cases are made of', '1')
    .option('--name <operation>', `only this one: ${example}`)
    .option('--json', 'print the findings as JSON');
}

/** Reads the options. Throws VMTAPE_USAGE. */
export function caseOptions(suite: string, { cases, seed, name, json }: CaseFlags): CaseOptions {
  return {
    report: new Report(suite, json === true),
    cases: parseCount('--cases', cases),
    seed: parseCount('--seed', seed, 0),
    name,
  };
}
