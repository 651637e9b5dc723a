/** The committed images are what their sources give, and every head tells the truth. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { top, vmtape } from '../helpers/cli.js';
import { guestFolder, guestImages } from '../helpers/guest-sources.js';

test('every image has a head that says how it is run and how it ends', () => {
  const images = readdirSync(guestFolder).filter((name) => name.endsWith('.bin'));
  const described = guestImages().map((image) => `${image.name}.bin`);
  expect(described.sort()).toEqual(images.sort());
  for (const image of guestImages()) {
    expect(image.exitCode, image.name).toBe(33);
    expect(existsSync(join(top, image.options[1] ?? '')), image.name).toBe(true);
  }
});

test('the images are what build.sh makes of the sources', (context) => {
  if (spawnSync('as', ['--version']).status !== 0) context.skip('GNU as is not installed');
  const result = spawnSync('bash', [join(guestFolder, 'build.sh'), '--check'], { encoding: 'utf8' });
  expect(`${result.stdout}${result.stderr}`).toBe('');
  expect(result.status).toBe(0);
});

describe.each(guestImages().filter((image) => !image.bench))('$name', ({ options, exitCode }) => {
  test('ends well on the interpreter', async () => {
    const result = await vmtape(['run', '--engine', 'interp', ...options]);
    expect(result.stdout).toMatch(/(^|\n)OK\n$/);
    expect(result.stdout).not.toContain('FAILED');
    expect(result.code).toBe(exitCode);
  });
});
