/**
 * `npm test`: makes the clone ready, then checks format and lint, types, that generated files are what their generators
 * write, and runs the tests. Every check runs even if an earlier one failed. The last line is always
 * `N passed, N failed, N skipped`, where a failed check counts as one failed test.
 *
 * `npm test -- test/vmm` passes its arguments on to vitest.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setupOrExit } from './setup.mjs';

const top = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(top);
const failures = [];

function check(name, run) {
  console.log(`\n── ${name}`);
  const start = performance.now();
  const ok = run();
  console.log(`── ${name}: ${ok ? 'fine' : 'FAILED'} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  if (!ok) failures.push(name);
}

/** The tools are started by node itself: no shell, no PATH, no npx. */
function node(script, ...args) {
  const result = spawnSync(process.execPath, [script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  return result.status === 0;
}

/** Path → content and time of every file below `folder`. */
function contents(folder, into = new Map()) {
  if (!existsSync(folder)) return into;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const status = statSync(path);
    if (status.isDirectory()) contents(path, into);
    else into.set(path, { text: readFileSync(path, 'utf8'), time: status.mtime });
  }
  return into;
}

/** Runs every generator and compares what it wrote with what was there. */
function generatedUnchanged() {
  const generators = existsSync('dist/scripts')
    ? readdirSync('dist/scripts').filter((name) => /^generate-.*\.js$/.test(name))
    : [];
  const look = () => contents('docs', contents('interp/generated'));
  const before = look();
  for (const name of generators) if (!node(join('dist/scripts', name))) return false;
  const changed = [];
  for (const [path, { text }] of look()) {
    const old = before.get(path);
    if (old === undefined || old.text !== text) changed.push(path);
    // A file that was written anew with the same content must not make a build stale.
    else utimesSync(path, old.time, old.time);
  }
  for (const path of changed) console.log(`${path} was not what its generator writes; it is now: commit it`);
  console.log(`${generators.length} generator(s) run`);
  return changed.length === 0;
}

/** Runs vitest; returns its counts. A file that could not even be loaded counts as one failed test. */
function vitest() {
  const report = join(top, '.cache/vitest.json');
  mkdirSync(dirname(report), { recursive: true });
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const ok = node('node_modules/vitest/vitest.mjs', 'run', ...reporters, ...process.argv.slice(2));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  if (existsSync(report)) {
    const json = JSON.parse(readFileSync(report, 'utf8'));
    const unloaded = json.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
    counts.passed = json.numPassedTests;
    counts.failed = json.numFailedTests + unloaded.length;
    counts.skipped = json.numPendingTests + json.numTodoTests;
  }
  if (!ok && counts.failed === 0) counts.failed = 1;
  return counts;
}

const biome = 'node_modules/@biomejs/biome/bin/biome';
const tsc = 'node_modules/typescript/bin/tsc';

await setupOrExit();
check('format and lint (repair with: npm run format)', () => node(biome, 'check', '--error-on-warnings', '.'));
check('types', () => node(tsc, '-p', 'tsconfig.json', '--noEmit'));
check('generated files', generatedUnchanged);
console.log('\n── tests');
const counts = vitest();
for (const name of failures) console.log(`FAILED: ${name}`);
const failed = counts.failed + failures.length;
console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`);
process.exitCode = failed === 0 && counts.passed > 0 ? 0 : 1;
