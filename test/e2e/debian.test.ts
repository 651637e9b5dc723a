/**
 * Debian's kernels (npm run guest:debian) as far as their timer checks: what the APICs must do for Linux is then done. The whole way
 * to WORK-OK takes minutes: npm run compare:console goes it, and compares with QEMU.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ReplayResult } from '../../src/replay/options.js';
import { addCheckpoints, endOf } from '../helpers/checkpoints.js';
import { top, vmtape, workFolder } from '../helpers/cli.js';
import { kvmMissing, kvmNote } from '../native/kvm-host.js';

const folder = workFolder();
const guests = join(top, '.cache', 'guests');
const TROUBLE = /\bBUG\b|WARNING|Call Trace|soft lockup|MP-BIOS bug|Kernel panic/;

/** Options of run and record. */
function options(name: string, append: string, engine = 'interp'): string[] {
  const files = ['--kernel', join(guests, name, 'vmlinux'), '--append', `console=ttyS0 ${append}`];
  return ['--engine', engine, '--mem', '256M', ...files, '--until-serial', 'BogoMIPS'];
}

/** How many whole states are compared on the way depends on where it begins. */
async function withoutStates(end: ReturnType<typeof endOf>): Promise<Record<string, unknown>> {
  const { result, ...rest } = (await end) as { result: Extract<ReplayResult, { kind: 'complete' }> };
  expect(result).toMatchObject({ kind: 'complete', digests: { passedOver: 0 } });
  return { ...rest, result: { ...result, digests: { ...result.digests, states: 0 } } };
}

describe.each(['debian-amd64', 'debian-686'])('%s', (name) => {
  const isThere = existsSync(join(guests, name, 'vmlinux'));
  const suite = isThere ? '(there)' : '(skipped: npm run guest:debian fetches it)';
  describe.skipIf(!isThere)(suite, () => {
    const trace = join(folder, `${name}.vmtape`);
    let console = '';

    test('finds the timer at input 2 of the I/O APIC', { timeout: 120_000 }, async () => {
      const result = await vmtape(['record', ...options(name, ''), '-o', trace]);
      console = result.stdout;
      expect(result.code).toBe(0);
      expect(console).toContain('IOAPIC[0]: apic_id 0, version 17, address 0xfec00000, GSI 0-23');
      expect(console).toContain('..TIMER: vector=0x30 apic1=0 pin1=2 apic2=-1 pin2=-1');
      expect(console).not.toMatch(TROUBLE);
    });

    test.for(['machine', 'cpu'])('replays in %s mode', { timeout: 120_000 }, async (mode) => {
      const result = await vmtape(['replay', trace, '--engine', 'interp', '--mode', mode]);
      expect([result.code, result.stdout]).toEqual([0, console]);
    });

    test('replays from each of its checkpoints to the same end', { timeout: 240_000 }, async () => {
      const records = await addCheckpoints(trace, 4);
      expect(records.length).toBeGreaterThanOrEqual(4);
      for (const [mode, some] of [
        ['machine', records],
        ['cpu', records.slice(1, 2)],
      ] as const) {
        const whole = await withoutStates(endOf(trace, mode));
        for (const from of some)
          expect(await withoutStates(endOf(trace, mode, from)), `${mode} from ${from}`).toEqual({
            ...whole,
            start: from,
          });
      }
    });

    test('noapic nolapic: it stays with the 8259A', { timeout: 120_000 }, async () => {
      const result = await vmtape(['run', ...options(name, 'noapic nolapic')]);
      expect(result.code).toBe(0);
      expect(result.stdout).toContain('APIC: Keep in PIC mode(8259)');
      expect(result.stdout).not.toMatch(TROUBLE);
    });
  });
});

// A KVM that has no 32-bit paging leaves it to the interpreter, so that this takes seconds; that of amd64 takes a minute and more.
const is686There = existsSync(join(guests, 'debian-686', 'vmlinux'));
describe.skipIf(!is686There || kvmMissing !== undefined)(`debian-686 on KVM${kvmNote}`, () => {
  const trace = join(folder, 'debian-686-kvm.vmtape');
  let console = '';

  test('finds the timer, too', { timeout: 240_000 }, async () => {
    const result = await vmtape(['record', ...options('debian-686', '', 'kvm'), '-o', trace]);
    console = result.stdout;
    expect(result.code).toBe(0);
    expect(console).toContain('..TIMER: vector=0x30 apic1=0 pin1=2 apic2=-1 pin2=-1');
    expect(console).not.toMatch(TROUBLE);
  });

  test.for(['interp', 'kvm'])('replays on %s', { timeout: 240_000 }, async (engine) => {
    const result = await vmtape(['replay', trace, '--engine', engine]);
    expect([result.code, result.stdout]).toEqual([0, console]);
  });
});
