/** Boot images that others made (npm run guest:foreign), unmodified: as far as they come, recorded and replayed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { top, vmtape, workFolder } from '../helpers/cli.js';

const folder = workFolder();
const images = join(top, '.cache', 'guests', 'foreign');

/** Name of the file, how it is booted, and what it says last. */
const CASES: readonly (readonly [name: string, options: readonly string[], last: string])[] = [
  ['seabios.rom', [], 'No bootable device.'],
  ['seabios-256k.rom', [], 'No bootable device.'],
  ['u-boot-x86.rom', [], 'Hit any key to stop autoboot'],
  ['u-boot-x86-64.rom', [], 'Hit any key to stop autoboot'],
  ['ovmf.rom', [], 'UEFI Interactive Shell'],
  ['xen', ['--append', 'console=com1 com1=115200,8n1 noreboot'], 'dom0 kernel not specified'],
  ['memtest86+x64.bin', ['--append', 'console=ttyS0,115200'], 'Memtest86+ v'],
];

describe.each(CASES)('%s', (name, options, last) => {
  const path = join(images, name);
  const isThere = existsSync(path);
  const suite = isThere ? '(there)' : '(skipped: npm run guest:foreign fetches it)';
  describe.skipIf(!isThere)(suite, () => {
    const trace = join(folder, `${name}.vmtape`);
    const kind = name.endsWith('.rom') ? '--rom' : '--kernel';

    test(`comes to "${last}", and replays in both modes`, { timeout: 240_000 }, async () => {
      const guest = [kind, path, ...options, '--until-serial', last];
      const recording = await vmtape(['record', '--engine', 'interp', ...guest, '-o', trace]);
      expect([recording.code, recording.stderr]).toEqual([0, '']);
      expect(recording.stdout.endsWith(last)).toBe(true);
      for (const mode of ['machine', 'cpu']) {
        const replay = await vmtape(['replay', trace, '--engine', 'interp', '--mode', mode]);
        expect([replay.code, replay.stdout]).toEqual([0, recording.stdout]);
      }
    });
  });
});
