/** `npm run conformance -- all`: every suite with its own defaults, one after the other, each in a process of its own, and one summary. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The suites of `npm run conformance`. */
export const SUITES = ['sst', 'decoder', 'softfloat', 'sse'] as const;

const OUTCOMES: Readonly<Record<number, string>> = { 0: 'equal', 2: 'usage', 6: 'not possible on this host' };

/** Runs them all; the exit code is that of the first that failed. */
export function conformAll(): number {
  const script = fileURLToPath(new URL('conformance.js', import.meta.url));
  const results = SUITES.map((suite) => {
    console.log(`── ${suite}`);
    const start = performance.now();
    const status = spawnSync(process.execPath, [script, suite], { stdio: 'inherit' }).status ?? 1;
    return { suite, status, seconds: (performance.now() - start) / 1000 };
  });
  console.log('── all');
  for (const { suite, status, seconds } of results) {
    console.log(
      `${suite.padEnd(10)} ${OUTCOMES[status] ?? 'DIFFERENT'} (exit code ${status}, ${seconds.toFixed(1)} s)`,
    );
  }
  const failed = results.filter(({ status }) => status !== 0);
  console.log(`${results.length - failed.length} of ${results.length} suites passed`);
  return failed[0]?.status ?? 0;
}
