/** `npm run conformance -- all`: every suite with its own defaults, one after the other, each in a process of its own, and one summary. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { ExitCode } from '../../src/base/errors.js';
import { sstDirectory } from './sst.js';

const SUITES = ['sst', 'decoder', 'softfloat', 'sse'] as const;

const OUTCOMES: Readonly<Record<number, string>> = {
  [ExitCode.Ok]: 'equal',
  [ExitCode.Divergence]: 'DIFFERENT',
  [ExitCode.HostCannot]: 'skipped, as said above',
};

const HELP = `
The suites are ${SUITES.join(', ')}, each with its defaults: eight to twelve minutes on two cores. One that the host cannot run is
skipped, with the reason, and does not fail the whole.`;

/** What came of one. */
export interface Outcome {
  readonly suite: string;
  readonly exitCode: number;
  readonly seconds: number;
  /** The object that it wrote; undefined without --json, or where it ended with an error. */
  readonly result?: unknown;
}

interface Flags {
  readonly sst?: string;
  readonly json?: true;
}

/** Adds the command. `setExit` takes the exit code. */
export function addAll(program: Command, setExit: (code: number) => void): void {
  program
    .command('all')
    .summary(`${SUITES.join(', ')}, with their defaults`)
    .description('Runs the suites one after the other.')
    .option('--sst <dir>', 'as of the suite sst')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', HELP)
    .action((flags: Flags) => setExit(conformAll(flags)));
}

/** The exit code of the whole: that of the first suite that failed; one that the host cannot run has not. */
export function exitCodeOf(outcomes: readonly Outcome[]): number {
  const failed = outcomes.find(({ exitCode }) => exitCode !== ExitCode.Ok && exitCode !== ExitCode.HostCannot);
  return failed?.exitCode ?? ExitCode.Ok;
}

/** The summary, for people. */
export function summaryOf(outcomes: readonly Outcome[]): string[] {
  const equal = outcomes.filter(({ exitCode }) => exitCode === ExitCode.Ok).length;
  const skipped = outcomes.filter(({ exitCode }) => exitCode === ExitCode.HostCannot).length;
  const line = ({ suite, exitCode, seconds }: Outcome) =>
    `${suite.padEnd(10)} ${OUTCOMES[exitCode] ?? 'FAILED'} (exit code ${exitCode}, ${seconds} s)`;
  return [
    ...outcomes.map(line),
    `${equal} of ${outcomes.length} suites passed${skipped === 0 ? '' : `, ${skipped} skipped`}`,
  ];
}

function runSuite(suite: string, args: readonly string[], json: boolean): Outcome {
  const script = fileURLToPath(new URL('../conformance.js', import.meta.url));
  const start = performance.now();
  const done = spawnSync(process.execPath, [script, suite, ...args, ...(json ? ['--json'] : [])], {
    stdio: ['ignore', json ? 'pipe' : 'inherit', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const seconds = Math.round((performance.now() - start) / 100) / 10;
  const result: unknown = done.stdout ? JSON.parse(done.stdout) : undefined;
  return { suite, exitCode: done.status ?? 1, seconds, result };
}

function conformAll({ sst, ...flags }: Flags): number {
  const json = flags.json === true;
  // A mistake is said before the first suite, not after it.
  sstDirectory(sst);
  const outcomes = SUITES.map((suite) => {
    if (!json) console.log(`── ${suite}`);
    return runSuite(suite, suite === 'sst' && sst !== undefined ? ['--sst', sst] : [], json);
  });
  if (json) console.log(JSON.stringify({ suite: 'all', suites: outcomes }));
  else {
    console.log('── all');
    for (const line of summaryOf(outcomes)) console.log(line);
  }
  return exitCodeOf(outcomes);
}
