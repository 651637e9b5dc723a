/** What is committed of the generator is what it makes now. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('interp/generated/opcodes.ts is up to date', () => {
  const script = fileURLToPath(new URL('../../../dist/scripts/generate-opcodes.js', import.meta.url));
  const run = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  expect(run.status).toBe(0);
});
