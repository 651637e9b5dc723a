/**
 * `npm run conformance -- softfloat [--cases N] [--seed N] [--name FADD]`: x87 and scalar SSE arithmetic against the host's own FPU, N operands
 * (default: 50000) for each operation, rounding mode and precision. Transcendental functions may differ by one unit in the last place.
 *
 * `npm run conformance -- sst [DIR] [--file F.MOO.gz] [--test N]`: runs recorded single-instruction tests on the interpreter. DIR is a directory of
 * .MOO or .MOO.gz files of the SingleStepTests 80286 set; default: ../shared/data/sst-80286.
 *
 * `npm run conformance -- sse [--cases N] [--seed N] [--name ADDPS]`: runs N cases of each MMX and SSE instruction on the interpreter and on the
 * processor of this host, from the same state; everything must be equal.
 *
 * `npm run conformance -- decoder …` (conformance-decoder.ts) and `npm run conformance -- all` (conformance-all.ts).
 */
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { ExitCode, VmtapeError } from '../src/base/errors.js';
import { hexBytes } from '../src/base/hex.js';
import { compareSoftfloat } from '../src/compare/softfloat/conformance.js';
import { SseGuest } from '../src/compare/sse/guest.js';
import { buildSseOracle } from '../src/compare/sse/oracle.js';
import { runSseRows, SSE_FAMILIES } from '../src/compare/sse/suite.js';
import { createSstRunner } from '../src/compare/sst/engine.js';
import { listFiles, loadFile, runFile, type SstFailure, type SstTotals } from '../src/compare/sst/suite.js';
import { conformAll } from './conformance-all.js';
import { conformDecoder } from './conformance-decoder.js';

const DEFAULT_DIRECTORY = '../shared/data/sst-80286';
/** Failures shown in full for each file. */
const SHOWN = 3;
/** Operands of each operation in each mode. */
const SOFTFLOAT_OPERANDS = 50_000;
/** Cases of each instruction. */
const SSE_CASES = 3000;

function usage(message: string): never {
  throw new VmtapeError(
    'VMTAPE_USAGE',
    message,
    ExitCode.Usage,
    'npm run conformance -- sst [DIR] [--file F.MOO.gz] [--test N], or sse [--cases N] [--seed N] [--name ADDPS]',
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

function sse(cases: number, seed: number, name: string | undefined): boolean {
  const oracle = buildSseOracle();
  if ('missing' in oracle) {
    throw new VmtapeError('VMTAPE_HOST', `there is no oracle: ${oracle.missing}`, ExitCode.HostCannot);
  }
  const guest = new SseGuest();
  const start = performance.now();
  let total = 0;
  let failed = 0;
  let number = 0;
  for (const [family, rows] of Object.entries(SSE_FAMILIES)) {
    for (const row of rows) {
      number++;
      if (name !== undefined && row.name.split(' ')[0] !== name) continue;
      const report = runSseRows([row], cases, seed + number, oracle, guest);
      total += report.cases;
      failed += report.differences.length;
      for (const { text } of report.differences.slice(0, SHOWN)) console.log(`${family}: ${text}`);
    }
  }
  oracle.close();
  if (total === 0) usage(`there is no instruction ${name}`);
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${total} cases of ${Object.values(SSE_FAMILIES).flat().length} rows, seed ${seed}: ${total - failed} equal, ${failed} different (${seconds.toFixed(1)} s)`,
  );
  return failed === 0;
}

function softfloat(operands: number, seed: number, operation: string | undefined): boolean {
  const start = performance.now();
  const options = { operands, seed, stack: true, ...(operation === undefined ? {} : { operation }) };
  const totals = compareSoftfloat(options, ({ operation: name, operands: values, control, what }) => {
    console.log(`${name}: ${values}, control word ${control.toString(16)}: ${what}`);
  });
  if ('missing' in totals) {
    throw new VmtapeError('VMTAPE_HOST', `there is no oracle: ${totals.missing}`, ExitCode.HostCannot);
  }
  if (totals.operations === 0) usage(`there is no operation ${operation}`);
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${totals.cases} cases of ${totals.operations} operations, seed ${seed}: ${totals.cases - totals.different} equal, ${totals.different} different (${seconds.toFixed(1)} s)`,
  );
  return totals.different === 0;
}

function whole(value: string | undefined, preset: number, option: string): number {
  const number = value === undefined ? preset : Number(value);
  if (!(Number.isInteger(number) && number >= 0)) usage(`${option} wants a number from 0 on`);
  return number;
}

async function main(): Promise<void> {
  const [first, ...others] = process.argv.slice(2);
  if (first === 'all' && others.length === 0) {
    process.exitCode = conformAll();
    return;
  }
  if (first === 'decoder') {
    if (!conformDecoder(others)) process.exitCode = ExitCode.Divergence;
    return;
  }
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: 'string' },
      test: { type: 'string' },
      cases: { type: 'string' },
      seed: { type: 'string' },
      name: { type: 'string' },
    },
  });
  const [suite, directory, ...rest] = positionals;
  if (suite === 'softfloat' && directory === undefined) {
    const operands = whole(values.cases, SOFTFLOAT_OPERANDS, '--cases');
    if (!softfloat(operands, whole(values.seed, 1, '--seed'), values.name)) process.exitCode = ExitCode.Divergence;
    return;
  }
  if (suite === 'sse' && directory === undefined) {
    const equal = sse(whole(values.cases, SSE_CASES, '--cases'), whole(values.seed, 1, '--seed'), values.name);
    if (!equal) process.exitCode = ExitCode.Divergence;
    return;
  }
  if (suite !== 'sst' || rest.length > 0) usage('the suites are sst, sse and softfloat');
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
