/**
 * `npm run conformance -- sst`: single-instruction tests recorded on an 80286, the set of SingleStepTests, on the interpreter.
 */
import { existsSync, statSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import type { ExitCode } from '../../src/base/errors.js';
import { hexBytes } from '../../src/base/hex.js';
import { parseCount, usageError } from '../../src/cli/values.js';
import { createSstRunner } from '../../src/compare/sst/engine.js';
import { listFiles, loadFile, runFile, type SstFailure, type SstTotals } from '../../src/compare/sst/suite.js';
import { Report } from './report.js';

/** Where the set is looked for: beside the project's folder. */
const DIRECTORY = '../shared/data/sst-80286';
const DEFAULT = fileURLToPath(new URL(`../../../${DIRECTORY}`, import.meta.url));
/** Failures shown in full for each file. */
const SHOWN = 3;

const HELP = `
The set is at https://github.com/SingleStepTests/80286; DIR holds its .MOO or .MOO.gz files. Without --sst it is looked for
at ${DIRECTORY}, beside the project's folder, and the suite is skipped if it is not there.

Examples:
  $ npm run conformance -- sst --sst ~/80286/v1_real_mode
  $ npm run conformance -- sst --file FF.3.MOO.gz --test 17`;

/** What `--sst` says. Throws VMTAPE_USAGE if it is no directory; undefined: it is left out, and the set is not where it is looked for. */
export function sstDirectory(text: string | undefined): string | undefined {
  if (text === undefined) return existsSync(DEFAULT) ? DEFAULT : undefined;
  if (!statSync(text, { throwIfNoEntry: false })?.isDirectory()) {
    throw usageError(`--sst ${text} is no directory`, 'the set is at https://github.com/SingleStepTests/80286');
  }
  return text;
}

interface Flags {
  readonly sst?: string;
  readonly file?: string;
  readonly test?: string;
  readonly json?: true;
}

/** Adds the suite. `setExit` takes the exit code. */
export function addSst(program: Command, setExit: (code: number) => void): void {
  program
    .command('sst')
    .summary('tests recorded on an 80286')
    .description('Runs the single-instruction tests that SingleStepTests recorded on an 80286.')
    .option('--sst <dir>', `the directory of the set; else ${DIRECTORY}`)
    .option('--file <name>', 'only this file')
    .option('--test <number>', 'only this test of the file, and in full')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => setExit(await conformSst(flags)));
}

function show(report: Report, failure: SstFailure, directory: string): void {
  const { file, number, test, mismatches } = failure;
  report.line(`${file} test ${number} (${test.index} of the full set): ${test.name}  [${hexBytes(test.bytes, ' ')}]`);
  for (const { what, expected, actual } of mismatches) {
    report.line(`    ${what}: expected ${expected}, actual ${actual}`);
  }
  const place = directory === DEFAULT ? '' : ` --sst ${directory}`;
  report.line(`    npm run conformance -- sst${place} --file ${file} --test ${number}`);
}

async function conformSst({ sst, file: only, test, json }: Flags): Promise<ExitCode> {
  const report = new Report('sst', json === true);
  const number = test === undefined ? undefined : parseCount('--test', test, 0);
  if (number !== undefined && only === undefined) throw usageError('--test wants a --file too');
  const directory = sstDirectory(sst);
  if (directory === undefined) {
    return report.skip(
      `there is no ${DIRECTORY}; --sst names the set's directory (it is at https://github.com/SingleStepTests/80286)`,
    );
  }
  const all = listFiles(directory);
  if (all.length === 0) throw usageError(`--sst ${directory} has no .MOO files`);
  const files = only === undefined ? all : all.filter((name) => name === only);
  if (files.length === 0) throw usageError(`--file ${only} is not in ${directory}`);
  const runner = await createSstRunner();
  const totals: SstTotals = { tests: 0, failed: 0, byOpcode: new Map() };
  for (const [index, file] of files.entries()) {
    report.progress(() => `sst: ${file}, ${index} of ${files.length} files`);
    let shown = 0;
    const onFailure = (failure: SstFailure): void => {
      if (shown++ < SHOWN) show(report, failure, directory);
    };
    runFile(runner, loadFile(directory, file), file, totals, onFailure, number);
  }
  if (totals.tests === 0) throw usageError(`--test ${number} is not in ${only}`);
  for (const [opcode, count] of totals.byOpcode) report.line(`${opcode}: ${count} failed`);
  const { tests: cases, failed: different } = totals;
  const { seconds } = report;
  const from = relative('.', directory);
  return report.finish(
    { cases, different, seconds, files: files.length, failed: Object.fromEntries(totals.byOpcode) },
    `${cases} tests of ${files.length} files in ${from}: ${cases - different} passed, ${different} failed (${seconds} s)`,
  );
}
