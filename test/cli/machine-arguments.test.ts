import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, expect, test } from 'vitest';
import { addMachineOptions, type MachineFlags, readMachineArguments } from '../../src/cli/machine-arguments.js';

const folder = mkdtempSync(join(tmpdir(), 'vmtape-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
const image = join(folder, 'image.bin');
writeFileSync(image, Uint8Array.of(0xf4));
mkdirSync(join(folder, 'sub'));

/** Reads a command line as `vmtape run` does. */
function read(...args: string[]) {
  const command = addMachineOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
  command.parse(args, { from: 'user' });
  return readMachineArguments(command.opts<MachineFlags>());
}

test('the defaults', () => {
  expect(read('--flat', image)).toMatchObject({
    engine: 'auto',
    ramSize: 128 * 1024 * 1024,
    source: { kind: 'flat', loadAt: 0x7c00, mode: 'real' },
    serial: { kind: 'stdio' },
    tsc: 'hook',
    patience: 2_000_000,
    limits: {},
    strictBus: false,
    dumpMemory: [],
  });
  expect(read('--flat', image, '--mode', 'long64').source).toMatchObject({ loadAt: 0x10_0000 });
});

test('a Multiboot module is a file, and its command line behind a space', () => {
  const { source } = read('--kernel', image, '--module', `${image} console=hvc0 quiet`, '--module', image);
  expect(source).toMatchObject({
    modules: [
      { file: { name: image }, words: 'console=hvc0 quiet' },
      { file: { name: image }, words: '' },
    ],
  });
  expect(() => read('--flat', image, '--module', image)).toThrow('--kernel');
});

test('a limit on instructions chooses the engine that counts', () => {
  expect(read('--flat', image, '--max-instructions', '5').engine).toBe('interp');
});

test('every option arrives', () => {
  const out = (name: string) => join(folder, name);
  const args = read(
    ...['--kernel', image, '--initrd', image, '--append', 'console=ttyS0', '--engine', 'kvm', '--mem', '64M'],
    ...['--serial', `file:${out('serial')}`, '--tsc', 'pass', '--until-serial', 'login: ', '--max-exits', '9'],
    ...[
      '--fail-serial',
      'Oops',
      '--fail-serial',
      'é',
      '--timeout',
      '2.5',
      '--strict-bus',
      '--dump-state',
      out('state'),
    ],
    ...['--dump-mem', `0,1,${out('a')}`, '--dump-mem', `1,1,${out('b')}`],
  );
  expect(args).toMatchObject({
    engine: 'kvm',
    ramSize: 64 * 1024 * 1024,
    source: { kind: 'kernel', commandLine: 'console=ttyS0', initrd: { name: image } },
    serial: { kind: 'file', path: out('serial') },
    tsc: 'pass',
    limits: { untilSerial: 'login: ', failSerial: ['Oops', '\xc3\xa9'], exits: 9, timeout: 2.5 },
    strictBus: true,
    dumpState: out('state'),
    dumpMemory: [{ address: 0 }, { address: 1 }],
  });
});

test.each([
  [[], 'no guest is given'],
  [['--flat', image, '--kernel', image], '--kernel and --flat contradict each other'],
  [['--rom', image, '--kernel', image], '--kernel and --rom contradict each other'],
  [['--flat', image, '--initrd', image], '--initrd has a meaning only with --kernel'],
  [['--rom', image, '--append', 'x'], '--append has a meaning only with --kernel'],
  [['--kernel', image, '--load-at', '0'], '--load-at has a meaning only with --flat'],
  [['--rom', image, '--mode', 'real'], '--mode has a meaning only with --flat'],
  [['--flat', image, '--engine', 'kvm', '--max-instructions', '1'], '--max-instructions cannot be used'],
  [['--flat', image, '--engine', 'qemu'], '--engine qemu is not known'],
  [['--flat', image, '--tsc', 'maybe'], '--tsc maybe is not known'],
  [['--flat', image, '--mode', 'v86'], '--mode v86 is not known'],
  [['--flat', image, '--serial', 'tty'], '--serial tty is not known'],
  [['--flat', image, '--serial', `file:${folder}/none/x`], 'does not exist'],
  [['--flat', image, '--dump-state', folder], 'is a directory'],
  [['--flat', image, '--dump-state', image], '--dump-state and --flat name the same file'],
  [['--flat', image, '--dump-mem', `0,1,${folder}/x`, '--dump-state', `${folder}/x`], 'name the same file'],
  [['--flat', image, '--until-serial', ''], '--until-serial needs a text'],
  [['--flat', join(folder, 'none')], 'does not exist'],
  [['--flat', join(folder, 'sub')], 'is a directory'],
  [['--flat', join(image, 'x')], 'a part of its path is not a directory'],
  [['--flat', ''], '--flat names no file'],
])('%j: %s', (args, message) => {
  expect(() => read(...args)).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) }),
  );
});
