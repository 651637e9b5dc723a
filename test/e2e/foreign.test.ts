/** Boot images that others made (npm run guest:foreign), unmodified: as far as they come, recorded and replayed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { top, vmtape, workFolder } from '../helpers/cli.js';

const folder = workFolder();
const images = join(top, '.cache', 'guests', 'foreign');

/** A file, how it is booted, and what it says last. */
interface Case {
  readonly name: string;
  readonly options?: readonly string[];
  readonly last: string;
  /** It takes long: it is replayed in machine mode only. */
  readonly isLong?: boolean;
}

const CASES: readonly Case[] = [
  { name: 'seabios.rom', last: 'No bootable device.' },
  { name: 'seabios-256k.rom', last: 'No bootable device.' },
  { name: 'u-boot-x86.rom', last: 'Hit any key to stop autoboot' },
  { name: 'u-boot-x86-64.rom', last: 'Hit any key to stop autoboot' },
  { name: 'ovmf.rom', last: 'UEFI Interactive Shell' },
  { name: 'xen', options: ['--append', 'console=com1 com1=115200,8n1 noreboot'], last: 'dom0 kernel not specified' },
  { name: 'memtest86+x64.bin', options: ['--append', 'console=ttyS0,115200'], last: 'Memtest86+ v', isLong: true },
];

describe.each(CASES)('$name', ({ name, options = [], last, isLong }) => {
  const path = join(images, name);
  const isThere = existsSync(path);
  const suite = isThere ? '(there)' : '(skipped: npm run guest:foreign fetches it)';
  describe.skipIf(!isThere)(suite, () => {
    const trace = join(folder, `${name}.vmtape`);
    const kind = name.endsWith('.rom') ? '--rom' : '--kernel';

    test(`comes to "${last}", and replays`, { timeout: 240_000 }, async () => {
      const guest = [kind, path, ...options, '--until-serial', last];
      const recording = await vmtape(['record', '--engine', 'interp', ...guest, '-o', trace]);
      expect([recording.code, recording.stderr]).toEqual([0, '']);
      expect(recording.stdout.endsWith(last)).toBe(true);
      for (const mode of isLong ? ['machine'] : ['machine', 'cpu']) {
        const replay = await vmtape(['replay', trace, '--engine', 'interp', '--mode', mode]);
        expect([replay.code, replay.stdout]).toEqual([0, recording.stdout]);
      }
    });
  });
});

const xen = join(images, 'xen');
const debian = join(top, '.cache', 'guests', 'debian-amd64');
const isThere = existsSync(xen) && existsSync(join(debian, 'bzImage'));

describe.skipIf(!isThere)(`Xen ${isThere ? '' : '(skipped: npm run guest:foreign and guest:debian fetch it)'}`, () => {
  test('starts Debian’s kernel as Dom0, in ring 3', { timeout: 240_000 }, async () => {
    const result = await vmtape([
      ...['run', '--engine', 'interp', '--mem', '512M', '--kernel', xen, '--append', 'console=com1 com1=115200,8n1'],
      ...['--module', `${join(debian, 'bzImage')} console=hvc0 earlyprintk=xen`],
      ...['--module', join(debian, 'initramfs.cpio.gz'), '--until-serial', 'Hypervisor detected: Xen PV'],
    ]);
    expect([result.code, result.stderr]).toEqual([0, '']);
    expect(result.stdout).toContain('Linux version ');
    expect(result.stdout).toContain('Command line: console=hvc0 earlyprintk=xen');
  });
});
