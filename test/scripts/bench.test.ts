import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { benchOptions } from '../../bench/options.js';

function bench(...options: string[]) {
  return spawnSync(process.execPath, ['dist/bench/main.js', ...options], { encoding: 'utf8', timeout: 60_000 });
}

describe('npm run bench', () => {
  it('measures every part, or those that are named', () => {
    expect([...benchOptions([]).measured]).toEqual(['speed', 'exits', 'classes', 'debian', 'traces']);
    const { quick, measured } = benchOptions(['--traces', '--quick', '--speed']);
    expect(quick).toBe(true);
    expect([...measured]).toEqual(['speed', 'traces']);
  });

  it('explains its options and measures nothing', () => {
    const { status, stdout } = bench('--help');
    expect(status).toBe(0);
    expect(stdout).toContain('--debian');
    expect(stdout).not.toContain('processors');
  });

  it('refuses an option that it has not, in one line', () => {
    const { status, stdout, stderr } = bench('--trace');
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toBe("bench: unknown option '--trace' (Did you mean --traces?)\n");
  });
});
