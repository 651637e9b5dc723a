/**
 * `npm run conformance -- sst [DIR] [--file F.MOO.gz] [--test N]`: runs recorded single-instruction tests on the interpreter. DIR is a directory of
 * .MOO or .MOO.gz files of the SingleStepTests 80286 set; default: ../shared/data/sst-80286.
 */
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { ExitCode, VmtapeError } from '../src/base/errors.js';
import { hexBytes } from '../src/base/hex.js';
import { createSstRunner } from '../src/compare/sst/engine.js';
import { listFiles, loadFile, runFile, type SstFailure, type SstTotals } from '../src/compare/sst/suite.js';

const DEFAULT_DIRECTORY = '../shared/data/sst-80286';
/** Failures shown in full for each file. */
const SHOWN = 3;

function usage(message: string): never {
  throw new VmtapeError(
    'VMTAPE_USAGE',
    message,
    ExitCode.Usage,
    'npm run conformance -- sst [DIR] [--file F.MOO.gz] [--test N]',
  );
}

function show(failure: SstFailure, directory: string): void {
  const { file, number, test, mismatches } = failure;
  console.log(`${file} test ${number} (${test.index} of the full set): ${test.name}  [${hexBytes(test.bytes, ' ')}]`);
  for (const { what, expected, actual } of mismatches)
    console.log(`    ${what}: expected ${expected}, actual ${actual}`);
  const place = directory === DEFAULT_DIRECTORY ? '' : ` ${directory}`;
  console.log(`    npm run conformance -- sst${place} --file ${file} --test ${number}`);
}

async function sst(directory: string, only: string | undefined, number: number | undefined): Promise<boolean> {
  const all = listFiles(directory);
  const files = only === undefined ? all : all.filter((name) => name === only);
  if (files.length === 0) usage(`${directory} has no file ${only}`);
  const runner = await createSstRunner();
  const totals: SstTotals = { tests: 0, failed: 0, byOpcode: new Map() };
  const start = performance.now();
  for (const file of files) {
    let shown = 0;
    runFile(
      runner,
      loadFile(directory, file),
      file,
      totals,
      (failure) => shown++ < SHOWN && show(failure, directory),
      number,
    );
  }
  const seconds = (performance.now() - start) / 1000;
  if (totals.tests === 0) usage(`${only} has no test ${number}`);
  for (const [opcode, count] of totals.byOpcode) console.log(`${opcode}: ${count} failed`);
  const from = relative('.', directory);
  console.log(
    `${totals.tests} tests of ${files.length} files in ${from}: ${totals.tests - totals.failed} passed, ${totals.failed} failed (${seconds.toFixed(1)} s)`,
  );
  return totals.failed === 0;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { file: { type: 'string' }, test: { type: 'string' } },
  });
  const [suite, directory, ...rest] = positionals;
  if (suite !== 'sst' || rest.length > 0) usage('the one suite is sst');
  const number = values.test === undefined ? undefined : Number(values.test);
  if (number !== undefined && !(Number.isInteger(number) && number >= 0)) usage('--test wants a number from 0 on');
  if (number !== undefined && values.file === undefined) usage('--test wants a --file too');
  if (!(await sst(directory ?? DEFAULT_DIRECTORY, values.file, number))) process.exitCode = ExitCode.GuestFailed;
}

try {
  await main();
} catch (error) {
  if (error instanceof VmtapeError) {
    console.error(`conformance: ${error.message}${error.hint ? ` (${error.hint})` : ''}`);
    process.exitCode = error.exitCode;
  } else if (error instanceof TypeError && 'code' in error) {
    console.error(`conformance: ${error.message}`);
    process.exitCode = ExitCode.Usage;
  } else throw error;
}
