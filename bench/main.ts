/**
 * `npm run bench`: how fast the interpreter is, what an instruction of each class and an exit cost, what recording costs, and what a record
 * weighs; the boot of a Debian kernel; beside it, in the same run, the peers that are installed. `--help` has the options (options.ts). What
 * was learnt: bench/README.md.
 */
import { cpus } from 'node:os';
import { CommanderError } from 'commander';
import { ExitCode } from '../src/base/errors.js';
import type { EngineName } from '../src/vmm/machine-options.js';
import { benchClasses } from './classes.js';
import { benchDebian } from './debian.js';
import { median, printTable } from './figures.js';
import { type Load, loads, roundsOf, type Width } from './guests.js';
import { type BenchOptions, benchOptions } from './options.js';
import { type ExitsRun, recordExits, runExits, runLoad } from './ours.js';
import { type Peer, peers, runPeer } from './peers.js';
import { benchTraces } from './traces.js';

/** Ends the program after help, or a mistake. */
function optionsOrExit(): BenchOptions {
  try {
    return benchOptions(process.argv.slice(2));
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage);
    throw error;
  }
}

const { quick, measured } = optionsOrExit();
const repeats = quick ? 1 : 3;
const share = quick ? 0.1 : 1;

interface Column {
  readonly load: Load;
  readonly width: Width;
  readonly rounds: number;
  /** Filled in by the interpreter, which counts. */
  instructions: number;
  result: string;
  mips: number;
}

const columns: Column[] = loads.flatMap((load) =>
  ([64, 32] as const).map((width) => ({
    load,
    width,
    rounds: Math.ceil(roundsOf[load] * share),
    instructions: 0,
    result: '',
    mips: 0,
  })),
);

/** The median of what `measure` gives. */
async function repeated(measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let round = 0; round < repeats; round++) values.push(await measure());
  return median(values);
}

async function measureOurs(column: Column): Promise<string> {
  column.mips = await repeated(async () => {
    const { seconds, instructions, result } = await runLoad(column.load, column.width, column.rounds);
    column.instructions = instructions;
    column.result = result;
    return instructions / seconds / 1e6;
  });
  return column.mips.toFixed(0);
}

/** The guest's work grows in proportion to its rounds, so the interpreter's count serves here too. */
async function measurePeer(peer: Peer, { load, width, rounds, instructions, result, mips }: Column): Promise<string> {
  const theirs = await repeated(async () => {
    const run = await runPeer(peer, load, width, rounds * peer.factor);
    if (peer.factor === 1 && run.result !== result) {
      throw new Error(`${peer.name} computed "${run.result}", the interpreter "${result}"`);
    }
    return (instructions * peer.factor) / run.seconds / 1e6;
  });
  return `${theirs.toFixed(0)} (${(mips / theirs).toFixed(2)}×)`;
}

/** What went wrong goes below the table. */
const failures: string[] = [];
function failed(name: string, error: Error): string {
  failures.push(`${name}: ${error.message}`);
  return 'failed';
}

async function benchSpeed(): Promise<void> {
  console.log(
    `\nMillion guest instructions a second, median of ${repeats}. In brackets: vmtape's figure divided by it.\n`,
  );
  const rows = [['', ...columns.map(({ load, width }) => `${load} ${width}`)]];
  const row = async (name: string, measure: (column: Column) => Promise<string>): Promise<void> => {
    const cells = [name];
    for (const column of columns) cells.push(await measure(column).catch((error: Error) => failed(name, error)));
    rows.push(cells);
  };
  await row('vmtape interpreter', measureOurs);
  const absent: string[] = [];
  for (const peer of peers()) {
    if (peer.absent) absent.push(`${peer.name}: not measured, ${peer.absent}`);
    else await row(peer.name, (column) => measurePeer(peer, column));
  }
  printTable(rows);
  for (const line of [...absent, ...failures]) console.log(`  ${line}`);
}

const perExit = (run: ExitsRun): number => (run.seconds / run.exits) * 1e9;

/** With and without recording in turns, so that a slow moment of the host falls on both. */
async function benchExits(engine: EngineName, rounds: number): Promise<readonly string[]> {
  const without: number[] = [];
  const withIt: number[] = [];
  const ratios: number[] = [];
  let bytes = Number.NaN;
  await runExits(engine, rounds / 10);
  const small = await recordExits(engine, rounds / 10);
  for (let round = 0; round < (quick ? 1 : 7); round++) {
    const plain = perExit(await runExits(engine, rounds));
    const recording = await recordExits(engine, rounds);
    const recorded = perExit(recording);
    without.push(plain);
    withIt.push(recorded);
    ratios.push(recorded / plain);
    bytes = (recording.bytes - small.bytes) / (recording.records - small.records);
  }
  const cells = [median(without), median(withIt)].map((nanoseconds) => `${nanoseconds.toFixed(0)} ns`);
  return [engine, ...cells, `${median(ratios).toFixed(2)}×`, bytes.toFixed(2)];
}

async function benchRecording(): Promise<void> {
  console.log(
    '\nAn exit (port writes and reads in turns), without and with recording; bytes of the trace for each record.\n',
  );
  const rows: (readonly string[])[] = [['', 'exit', 'recorded', 'ratio', 'bytes/record']];
  rows.push(await benchExits('interp', 400_000 * share));
  let noKvm: string | undefined;
  try {
    rows.push(await benchExits('kvm', 40_000 * share));
  } catch (error) {
    noKvm = `  kvm: not measured, ${(error as Error).message}`;
  }
  printTable(rows);
  if (noKvm) console.log(noKvm);
}

console.log(`${cpus()[0]?.model.trim()}, ${cpus().length} processors, Node ${process.versions.node}`);
if (measured.has('speed')) await benchSpeed();
if (measured.has('exits')) await benchRecording();
if (measured.has('traces')) await benchTraces(quick);
if (measured.has('classes')) await benchClasses(repeats);
if (measured.has('debian')) await benchDebian(quick);
