/**
 * npm run compare:console [-- NAME …] [-- --append "TEXT"] [-- --keep FOLDER]: boots the guests of `npm run guest:debian` with QEMU
 * (TCG, qemu-system-x86_64 and -i386) and with vmtape on the interpreter, and compares what the kernels print. Differences have a
 * reason each (compare-console/explained.ts); one without, a word that means trouble, or a run that does not end by power-off, is
 * a finding: exit code 4. Takes some minutes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { reasonFor } from './compare-console/explained.js';
import { consoleLines, differences } from './compare-console/lines.js';

/** The emulator, and the processor that is nearest to ours. */
const GUESTS = {
  'debian-amd64': ['qemu-system-x86_64', 'qemu64'],
  'debian-686': ['qemu-system-i386', 'qemu64,-lm,-syscall'],
} as const;
type GuestName = keyof typeof GUESTS;
const MINUTES = 60_000;
/** What no boot may print. QEMU's -no-reboot and ours end alike. */
const TROUBLE = /\bBUG\b|WARNING|Call Trace|soft lockup|Kernel panic|MP-BIOS bug/;

/** The console goes to a file: a pipe that is full makes QEMU's serial port lose bytes. */
function qemu(name: GuestName, folder: string, append: string, path: string): string {
  const [emulator, cpu] = GUESTS[name];
  // No HPET and no VGA, as here; time by instructions, so that a busy host does not disturb the kernel's checks of its timers.
  const machine = [
    '-accel',
    'tcg',
    '-machine',
    'pc,hpet=off',
    '-cpu',
    cpu,
    '-icount',
    'shift=3,sleep=off',
    '-m',
    '256M',
  ];
  const files = ['-kernel', join(folder, 'bzImage'), '-initrd', join(folder, 'initramfs.cpio.gz'), '-append', append];
  const rest = ['-vga', 'none', '-net', 'none', '-display', 'none', '-serial', `file:${path}`, '-no-reboot'];
  const result = spawnSync(emulator, [...machine, ...files, ...rest], { input: '', timeout: 10 * MINUTES });
  if (result.error) throw new Error(`${emulator}: ${result.error.message}`);
  return readFileSync(path, 'latin1');
}

function vmtape(folder: string, append: string, path: string): string {
  const files = [
    '--kernel',
    join(folder, 'vmlinux'),
    '--initrd',
    join(folder, 'initramfs.cpio.gz'),
    '--append',
    append,
  ];
  const args = ['bin/vmtape.mjs', 'run', '--engine', 'interp', '--mem', '256M', ...files, '--serial', `file:${path}`];
  const result = spawnSync(process.execPath, args, { timeout: 20 * MINUTES });
  if (result.status !== 0) throw new Error(`vmtape run ended with ${result.status}: ${result.stderr}`);
  return readFileSync(path, 'latin1');
}

/** Prints the comparison; how many findings it has. */
function compare(name: GuestName, append: string, keep: string): number {
  const folder = resolve('.cache', 'guests', name);
  if (!existsSync(join(folder, 'vmlinux'))) throw new Error(`${folder} is missing: npm run guest:debian`);
  const theirs = qemu(name, folder, append, join(keep, `${name}.qemu.txt`));
  const ours = vmtape(folder, append, join(keep, `${name}.vmtape.txt`));
  const found = differences(consoleLines(theirs), consoleLines(ours));
  say(`${name}, ${append}: ${found.same} lines are the same, ${found.numbers.length} but for numbers.`);
  const findings = [...troubles('QEMU', theirs), ...troubles('vmtape', ours)];
  const reasons = new Map<string, number>();
  for (const [mark, lines] of [
    ['only QEMU', found.onlyFirst],
    ['only vmtape', found.onlySecond],
  ] as const) {
    for (const line of lines) {
      const reason = reasonFor(line);
      if (reason === undefined) findings.push(`${mark}: ${line}`);
      else reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
  }
  for (const [reason, count] of reasons) say(`  ${count} lines differ: ${reason}.`);
  for (const finding of findings) say(`  FOUND ${finding}`);
  return findings.length;
}

function troubles(who: string, text: string): string[] {
  const lines = consoleLines(text).map((line) => line.text);
  const found = lines.filter((line) => TROUBLE.test(line)).map((line) => `${who}: ${line}`);
  for (const needed of ['BOOT-OK', 'WORK-OK', 'reboot: Power down']) {
    if (!lines.includes(needed)) found.push(`${who}: no line ${needed}`);
  }
  return found;
}

function main(): number {
  const { values, positionals } = parseArgs({
    options: { append: { type: 'string' }, keep: { type: 'string' } },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => !(name in GUESTS));
  if (unknown !== undefined) throw new Error(`there is no guest ${unknown}`);
  const keep = values.keep ?? mkdtempSync(join(tmpdir(), 'vmtape-console-'));
  mkdirSync(keep, { recursive: true });
  try {
    const names = (positionals.length > 0 ? positionals : Object.keys(GUESTS)) as GuestName[];
    const append = `console=ttyS0 panic=-1${values.append === undefined ? '' : ` ${values.append}`}`;
    return names.map((name) => compare(name, append, keep)).reduce((sum, count) => sum + count, 0);
  } finally {
    if (values.keep === undefined) rmSync(keep, { recursive: true });
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  process.exitCode = main() === 0 ? 0 : 4;
} catch (error) {
  process.stderr.write(`compare:console: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
