/**
 * `npm run fuzz -- [--target NAME] [--oracle NAME] [--seed N] [--path P] [--runs N]`: the oracles over every device, or
 * over one. Ends with exit code 4 and the command that shows it again when something was found.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { ExitCode, VmtapeError } from '../base/errors.js';
import { fuzz, type OracleName, oracleNames, printFailure } from './run.js';
import { findTarget, targets } from './targets.js';
import { fuzzTraces } from './trace-run.js';

/** Not a device: the readers of traces. */
const TRACES = 'traces';

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new VmtapeError(
    'VMTAPE_USAGE',
    `--${name} takes a whole number from ${min} to ${max}, not ${text}`,
    ExitCode.Usage,
  );
}

function findOracle(name: string): OracleName {
  const found = oracleNames.find((oracle) => oracle === name);
  if (found !== undefined) return found;
  throw new VmtapeError(
    'VMTAPE_USAGE',
    `there is no oracle ${name}`,
    ExitCode.Usage,
    `the oracles are ${oracleNames.join(', ')}`,
  );
}

function options() {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({ options: { target: text, oracle: text, seed: text, path: text, runs: text } }).values;
  } catch (error) {
    throw new VmtapeError('VMTAPE_USAGE', (error as Error).message, ExitCode.Usage);
  }
}

/** The readers of traces; the number of findings. Seeds of cases follow each other. */
async function traces(seed: number, runs: number, isShown: boolean): Promise<number> {
  const onRun = (done: number): void => {
    if (isShown && done % 10_000 === 0) console.log(`${done} traces`);
  };
  const { finding, slowest, memory, ...result } = await fuzzTraces({ seed, runs, onRun });
  if (finding === undefined) {
    const most = `the slowest took ${Math.round(slowest.milliseconds)} ms (seed ${slowest.seed})`;
    const { bytes, allowed, reader, seed: fullest } = memory;
    const grown = `${Math.round(bytes / 1e6)} MB of ${Math.round(allowed / 1e6)} (${reader}, seed ${fullest})`;
    console.log(`traces: every reader held in ${result.runs} runs; ${most}, the one with most memory ${grown}`);
    return 0;
  }
  const path = `${tmpdir()}/vmtape-finding-${finding.seed}.vmtape`;
  writeFileSync(path, finding.bytes);
  console.log(`traces: ${finding.reader} found: ${finding.message}\n    ${path}\nshown again by: ${finding.command}`);
  return 1;
}

async function main(): Promise<number> {
  const { target, oracle, seed, path, runs } = options();
  // The only thing here that is not determined: which seed a campaign starts with. It is printed.
  const start =
    seed === undefined ? Math.floor(Math.random() * 0x7fff_ffff) : wholeNumber('seed', seed, -0x8000_0000, 0x7fff_ffff);
  const count = runs === undefined ? 1000 : wholeNumber('runs', runs, 1, 1_000_000_000);
  console.log(`seed ${start}`);
  let found = target === undefined || target === TRACES ? await traces(start, count, target !== undefined) : 0;
  if (target === TRACES) return found === 0 ? ExitCode.Ok : ExitCode.Finding;
  for (const one of target === undefined ? targets : [findTarget(target)]) {
    for (const name of oracle === undefined ? oracleNames : [findOracle(oracle)]) {
      const result = fuzz(one, name, { seed: start, runs: count, path });
      if (result.failure === undefined) {
        console.log(`${one.name}: ${name} held in ${result.runs} runs`);
      } else {
        found++;
        console.log(printFailure(result, result.failure));
      }
    }
  }
  return found === 0 ? ExitCode.Ok : ExitCode.Finding;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof VmtapeError)) throw error;
  console.error(`vmtape: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`);
  process.exitCode = error.exitCode;
}
