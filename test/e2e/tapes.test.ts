/**
 * Every guest of ours, through the real command: recorded on each engine, replayed on the interpreter in both modes and
 * on KVM, with the same console bytes and no difference.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { vmtape, workFolder } from '../helpers/cli.js';
import { guestImages, guestOptions } from '../helpers/guest-sources.js';
import { kvmDoesSyscall, whyNoKvm } from '../helpers/kvm.js';

const folder = workFolder();
let noKvm: string | undefined;
beforeAll(async () => {
  noKvm = await whyNoKvm();
});

/** A trace without its prelude's id, date and checksum over them. */
function body(path: string): Buffer {
  const bytes = readFileSync(path);
  return bytes.fill(0, 16, 40).fill(0, 44, 48);
}

async function replays(trace: string, engine: string, mode: string, console: string, ...more: string[]): Promise<void> {
  const replay = await vmtape(['replay', trace, '--engine', engine, '--mode', mode, ...more]);
  expect(replay.stderr).not.toMatch(/diverge/i);
  expect(replay.stdout).toBe(console);
  expect(replay.code).toBe(0);
}

describe.each(guestImages().filter((image) => !image.bench))('$name', ({ name, options, exitCode }) => {
  test.for(['interp', 'kvm'])('recorded on %s', { timeout: 180_000 }, async (engine, context) => {
    if (engine === 'kvm' && noKvm !== undefined) context.skip(noKvm);
    const onKvm = noKvm === undefined && (name !== 'long-syscall' || (await kvmDoesSyscall()));
    if (engine === 'kvm' && !onKvm) context.skip('the KVM of this host cannot do SYSCALL from ring 3 or INT n');
    // What a processor remembers of page tables is its own: this guest tells, so that another engine rightly differs.
    const isItsOwn = name === 'translations';
    if (engine === 'kvm' && isItsOwn) context.skip('what this guest prints is the own matter of each processor');
    const trace = join(folder, `${name}.${engine}.vmtape`);
    const recording = await vmtape(['record', '--engine', engine, ...options, '-o', trace]);
    expect(recording.stdout).toMatch(/OK\n$/);
    expect(recording.code).toBe(exitCode);
    await replays(trace, 'interp', 'machine', recording.stdout);
    await replays(trace, 'interp', 'cpu', recording.stdout);
    // What the interpreter shows and this KVM lacks, these guests see but do not use.
    const cpu = engine === 'interp' ? ['--ignore-cpu'] : [];
    if (onKvm && !isItsOwn) await replays(trace, 'kvm', 'machine', recording.stdout, ...cpu);
  });
});

test('twenty recordings of the interrupt guest on KVM differ from each other, and each replays exactly', async (context) => {
  if (noKvm !== undefined) context.skip(noKvm);
  const consoles = new Set<string>();
  const bodies = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const trace = join(folder, `ticks-${round}.vmtape`);
    const recording = await vmtape(['record', '--engine', 'kvm', ...guestOptions('prot32-ticks'), '-o', trace]);
    expect(recording.code).toBe(33);
    consoles.add(recording.stdout);
    bodies.add(body(trace).toString('latin1'));
    await replays(trace, 'interp', 'machine', recording.stdout);
  }
  expect(bodies.size).toBe(20);
  // Where the ticks landed can be read on the console, too.
  expect(consoles.size).toBeGreaterThan(10);
}, 300_000);

test.each(['prot32-ticks', 'clocks'])(
  'two recordings of %s on the interpreter are byte-identical but for id and date',
  async (name) => {
    const files = ['a', 'b'].map((letter) => join(folder, `${name}.${letter}.vmtape`));
    for (const file of files) {
      const recording = await vmtape(['record', '--engine', 'interp', ...guestOptions(name), '-o', file]);
      expect(recording.code).toBe(33);
    }
    const [first, second] = files.map(body);
    expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
  },
);
