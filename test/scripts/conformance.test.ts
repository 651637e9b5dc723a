/** `npm run conformance` as people call it. What the suites find is tested where the suites are (test/compare, test/interp). */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exitCodeOf, summaryOf } from '../../scripts/conformance/all.js';
import { top, workFolder } from '../helpers/cli.js';

const folder = workFolder();

/** Runs dist/scripts/conformance.js to its end, far from the project. */
function conformance(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(top, 'dist/scripts/conformance.js'), ...args], { cwd: folder });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (bytes: Buffer) => {
      stdout += bytes.toString();
    });
    child.stderr.on('data', (bytes: Buffer) => {
      stderr += bytes.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('npm run conformance', () => {
  it.each([
    [[], ['sst', 'decoder', 'softfloat', 'sse', 'landmarks', 'all']],
    [['sst'], ['--sst <dir>', '--file', '--test', '--json']],
    [['decoder'], ['--count', '--seed', '--mode', '--bytes', '--json']],
    [['softfloat'], ['--cases', '--seed', '--name', '--json']],
    [['sse'], ['--cases', '--seed', '--name', '--json']],
    [['landmarks'], ['--count', '--seed', '--name', '--json']],
    [['all'], ['--sst <dir>', '--json']],
  ])('%j --help explains the options on standard output', async (suite, words) => {
    const { code, stdout, stderr } = await conformance(...suite, '--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of words) expect(stdout).toContain(word);
  });

  it.each([
    [[], 'conformance: no suite is given; see npm run conformance -- --help'],
    [['nosuch'], 'conformance: unknown command nosuch'],
    [['decoder', '--cout', '5'], 'conformance: unknown option --cout (Did you mean --count?)'],
    [['decoder', '--mode', '48'], 'conformance: --mode 48 is not known (it is one of: 16, 32, 64)'],
    [['decoder', '--bytes', 'xyz'], 'conformance: --bytes xyz is not one to sixteen bytes in hexadecimal'],
    [['softfloat', '--cases', 'many'], 'conformance: --cases many is not a whole number'],
    [['sst', '--test', '3'], 'conformance: --test wants a --file too'],
    [['landmarks', '--name', 'nosuch'], 'conformance: --name nosuch is not known'],
    [['all', 'decoder'], 'conformance: too many arguments for all. Expected 0 arguments but got 1'],
    [
      ['all', '--sst', 'nosuch'],
      'conformance: --sst nosuch is no directory (the set is at https://github.com/SingleStepTests/80286)',
    ],
  ])('%j is one line on standard error, and exit code 2', async (args, message) => {
    const { code, stdout, stderr } = await conformance(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toContain(message);
  });

  const isHere = existsSync(join(top, '../shared/data/sst-80286'));
  it(`sst without --sst looks beside the project's folder [${isHere ? 'the set is there' : 'skipped: it is not there'}]`, async () => {
    const { code, stdout } = await conformance('sst', ...(isHere ? ['--file', '90.MOO.gz', '--test', '0'] : []));
    expect(code).toBe(isHere ? 0 : 6);
    expect(stdout).toContain(
      isHere ? '1 passed, 0 failed' : 'sst: skipped: there is no ../shared/data/sst-80286; --sst names',
    );
  });

  it('shows progress on a terminal only, and with --json one object alone', async () => {
    const { code, stdout, stderr } = await conformance('decoder', '--count', '20000', '--mode', '16', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ suite: 'decoder', seed: 1, different: 0 });
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('npm run conformance -- all', () => {
  const equal = { suite: 'sse', exitCode: 0, seconds: 1.5 };
  const skipped = { suite: 'sst', exitCode: 6, seconds: 0.1 };
  const different = { suite: 'decoder', exitCode: 3, seconds: 2 };

  it('ends well where a suite was skipped, and says so', () => {
    expect(exitCodeOf([skipped, equal])).toBe(0);
    expect(summaryOf([skipped, equal])).toEqual([
      'sst        skipped, as said above (exit code 6, 0.1 s)',
      'sse        equal (exit code 0, 1.5 s)',
      '1 of 2 suites passed, 1 skipped',
    ]);
  });

  it('ends as the first suite that differs, or that was killed', () => {
    expect(exitCodeOf([skipped, equal, different])).toBe(3);
    expect(summaryOf([equal, different]).at(-1)).toBe('1 of 2 suites passed');
    expect(summaryOf([different])[0]).toBe('decoder    DIFFERENT (exit code 3, 2 s)');
    expect(exitCodeOf([{ ...equal, exitCode: 1 }, different])).toBe(1);
  });
});
