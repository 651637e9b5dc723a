/**
 * The guests of guests/*.s that judge themselves: a line "ok …" or "FAILED …" for each test. On KVM with the interpreter executing what its
 * emulator does not, where lines may fail that docs/kvm-emulator.md explains.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { ExitReason } from '../../../src/vmm/cpu/vcpu.js';
import { kvmMissing, kvmNote } from '../../native/kvm-host.js';
import { type GuestRun, guestImage, runGuest } from './system-guest.js';

/** A guest: how many lines it prints, and which of them may fail on KVM. */
interface Case {
  readonly name: string;
  readonly lines: number;
  readonly onKvm: readonly RegExp[];
  /** The last line on KVM; absent: a KVM without hardware virtualisation does not come to the end, or to the first line. */
  readonly last?: RegExp;
  /** No more than these lines are asked for on KVM; absent: all. */
  readonly kvmLines?: number;
}

const cases: readonly Case[] = [
  {
    name: 'debug',
    lines: 86,
    onKvm: [
      /^(data|port): /,
      /^step: (MOV SS|a step of)/,
      /^register: (DR7.RTM|general detect)/,
      /^branch: BTF/,
      /^user: (breakpoints|INT1)/,
    ],
    last: /MOV DR|INT1|HLT/,
  },
  // kvm_pvm does not go into virtual-8086 mode, and delivers no exception to a task.
  { name: 'v86', lines: 62, onKvm: [] },
  { name: 'switches', lines: 31, onKvm: [] },
  // What follows is in ring 3, where kvm_pvm makes #UD of INT and looks up call gates in the tables of its host.
  {
    name: 'gates',
    lines: 80,
    onKvm: [/^#UD whose gate is not present/],
    kvmLines: 30,
    last: /drops what it may not have/,
  },
];

let run: GuestRun | undefined;
afterEach(() => {
  run?.vcpu.close();
  run = undefined;
});

describe.each(cases)('guest $name', ({ name, lines, onKvm, last, kvmLines }) => {
  test('on the interpreter', async () => {
    run = await runGuest('interp', guestImage(name), 'prot32');
    expect(run.lines.filter((line) => !line.startsWith('ok '))).toEqual([]);
    expect(run.lines).toHaveLength(lines);
    expect(run.reason).toBe(ExitReason.Halt);
  });

  test.skipIf(kvmMissing !== undefined)(`on KVM${kvmNote}`, async () => {
    run = await runGuest('assisted', guestImage(name), 'prot32', undefined, kvmLines);
    const failed = run.lines.flatMap((line) => (line.startsWith('ok ') ? [] : [line.replace(/^FAILED /, '')]));
    expect(failed.filter((line) => !onKvm.some((known) => known.test(line)))).toEqual([]);
    if (last === undefined) return;
    expect(run.lines.at(-1)).toMatch(last);
    if (kvmLines === undefined) expect(run.reason).toBe(ExitReason.Halt);
  });
});
