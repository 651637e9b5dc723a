/**
 * `npm run conformance -- sst [DIR]`: recorded single-instruction tests on the interpreter. DIR holds .MOO or .MOO.gz files of the
 * SingleStepTests 80286 set.
 */
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { ExitCode, VmtapeError } from '../../src/base/errors.js';
import { hexBytes } from '../../src/base/hex.js';
import { createSstRunner } from '../../src/compare/sst/engine.js';
import { listFiles, loadFile, runFile, type SstFailure, type SstTotals } from '../../src/compare/sst/suite.js';
import { Report, usageError, wholeNumber } from './report.js';

/** Where the set is if no DIR is given. */
const DIRECTORY = '../shared/data/sst-80286';
/** Failures shown in full for each file. */
const SHOWN = 3;
const USAGE = 'npm run conformance -- sst [DIR] [--file F.MOO.gz] [--test N] [--json]';

function show(report: Report, failure: SstFailure, directory: string): void {
  const { file, number, test, mismatches } = failure;
  report.line(`${file} test ${number} (${test.index} of the full set): ${test.name}  [${hexBytes(test.bytes, ' ')}]`);
  for (const { what, expected, actual } of mismatches) {
    report.line(`    ${what}: expected ${expected}, actual ${actual}`);
  }
  const place = directory === DIRECTORY ? '' : ` ${directory}`;
  report.line(`    npm run conformance -- sst${place} --file ${file} --test ${number}`);
}

/** Runs the suite. */
export async function conformSst(args: string[]): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { file: { type: 'string' }, test: { type: 'string' }, json: { type: 'boolean', default: false } },
  });
  const report = new Report(values.json);
  const [directory = DIRECTORY, ...rest] = positionals;
  if (rest.length > 0) throw usageError('there is one DIR', USAGE);
  const number = values.test === undefined ? undefined : wholeNumber(values.test, 0, '--test', USAGE);
  if (number !== undefined && values.file === undefined) throw usageError('--test wants a --file too', USAGE);
  if (!existsSync(directory)) {
    const hint = 'the 80286 set is at https://github.com/SingleStepTests/80286; name its directory';
    throw new VmtapeError('VMTAPE_SST', `there is no ${directory}`, ExitCode.HostCannot, hint);
  }
  const all = listFiles(directory);
  const files = values.file === undefined ? all : all.filter((name) => name === values.file);
  if (files.length === 0) throw usageError(`${directory} has no file ${values.file}`, USAGE);
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
  if (totals.tests === 0) throw usageError(`${values.file} has no test ${number}`, USAGE);
  for (const [opcode, count] of totals.byOpcode) report.line(`${opcode}: ${count} failed`);
  const { tests: cases, failed: different } = totals;
  const { seconds } = report;
  const from = relative('.', directory);
  return report.finish(
    { suite: 'sst', cases, different, seconds, files: files.length, failed: Object.fromEntries(totals.byOpcode) },
    `${cases} tests of ${files.length} files in ${from}: ${cases - different} passed, ${different} failed (${seconds} s)`,
    ExitCode.GuestFailed,
  );
}
