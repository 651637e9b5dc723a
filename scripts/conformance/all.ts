/** `npm run conformance -- all`: every suite with its own defaults, one after the other, each in a process of its own, and one summary. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ExitCode } from '../../src/base/errors.js';
import { usageError } from './report.js';

/** The suites of `npm run conformance`. */
export const SUITES = ['sst', 'decoder', 'softfloat', 'sse'] as const;

const OUTCOMES: Readonly<Record<number, string>> = { 0: 'equal', 2: 'usage', 6: 'not possible on this host' };
const USAGE = 'npm run conformance -- all [--sst DIR] [--json]';

/** What came of one. */
interface Outcome {
  readonly suite: string;
  readonly exitCode: number;
  readonly seconds: number;
  /** The object that it wrote; undefined without --json, or where it ended with an error. */
  readonly result: unknown;
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

/** Runs them all; the exit code is that of the first that failed. */
export function conformAll(args: string[]): ExitCode {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { sst: { type: 'string' }, json: { type: 'boolean', default: false } },
  });
  if (positionals.length > 0) throw usageError(`all has no ${positionals[0]}`, USAGE);
  const { json } = values;
  const outcomes = SUITES.map((suite) => {
    if (!json) console.log(`── ${suite}`);
    return runSuite(suite, suite === 'sst' && values.sst !== undefined ? [values.sst] : [], json);
  });
  const failed = outcomes.filter(({ exitCode }) => exitCode !== 0);
  if (json) console.log(JSON.stringify({ suite: 'all', suites: outcomes }));
  else {
    console.log('── all');
    for (const { suite, exitCode, seconds } of outcomes) {
      console.log(`${suite.padEnd(10)} ${OUTCOMES[exitCode] ?? 'DIFFERENT'} (exit code ${exitCode}, ${seconds} s)`);
    }
    console.log(`${outcomes.length - failed.length} of ${outcomes.length} suites passed`);
  }
  return (failed[0]?.exitCode ?? 0) as ExitCode;
}
