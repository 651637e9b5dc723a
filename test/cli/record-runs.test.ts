import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { vmtape, workFolder } from '../helpers/cli.js';
import { whyNoKvm } from '../helpers/kvm.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);
/**
 * Says A, B, C or D, as the ACPI timer has it, and halts for good: mov dx,608h; in eax,dx; shr eax,3; mov dx,3f8h; and al,3;
 * add al,41h; out dx,al; cli; hlt.
 */
const CODE = [
  0xba, 0x08, 0x06, 0x66, 0xed, 0x66, 0xc1, 0xe8, 0x03, 0xba, 0xf8, 0x03, 0x24, 0x03, 0x04, 0x41, 0xee, 0xfa, 0xf4,
];
writeFileSync(at('letter.bin'), Uint8Array.from(CODE));
const options = ['--flat', at('letter.bin'), '--mem', '1M', '-o', at('t')];
const noKvm = await whyNoKvm();

test('on the interpreter, where each run is the same, --runs is refused', async () => {
  const result = await vmtape(['record', '--engine', 'interp', '--runs', '2', ...options]);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toMatch(/^vmtape: --runs: on the interpreter each run is the same[^\n]+\n$/);
});

test.skipIf(noKvm !== undefined)('--runs records until a run fails, and leaves the recording of that one', async () => {
  const runs = ['record', '--engine', 'kvm', '--runs', '400', '--fail-serial', 'A', ...options];
  const result = await vmtape(runs);
  expect(result.code).toBe(1);
  expect(result.stdout).toMatch(/^[BCD]*A$/);
  expect(result.stderr).toBe(
    `vmtape: The guest has failed: it sent "A"\nvmtape: run ${result.stdout.length} of 400 failed\n`,
  );
  const replay = await vmtape(['replay', at('t')]);
  expect(replay).toMatchObject({ code: 0, stdout: 'A' });
  const inspected = await vmtape(['inspect', at('t'), '--json']);
  expect(JSON.parse(inspected.stdout)).toMatchObject({ end: { reason: 'serial-text', exitCode: 1 } });
});

test.skipIf(noKvm !== undefined)('--runs ends with the last run if none fails', async () => {
  const result = await vmtape(['record', '--engine', 'kvm', '--runs', '3', ...options]);
  expect(result).toMatchObject({ code: 0, stderr: 'vmtape: none of 3 runs failed\n' });
  expect(result.stdout).toMatch(/^[ABCD]{3}$/);
});
