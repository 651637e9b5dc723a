/** The guests of guests/*.s: mode switches, faults with their codes, gates, ring 3. Each also on KVM as far as it goes. */
import { afterEach, describe, expect, test } from 'vitest';
import { ExitReason } from '../../../src/vmm/cpu/vcpu.js';
import { kvmMissing, kvmNote } from '../../native/kvm-host.js';
import { type GuestMode, type GuestRun, guestImage, runGuest } from './system-guest.js';

/** `6 0 0 8` as numbers. */
const hex = (text: string): number[] =>
  text
    .trim()
    .split(/\s+/)
    .map((word) => Number.parseInt(word, 16));

const REAL = hex(`
  246 46  246 46  a92 892
  fffe fffe fffd
  7c7a 0 100  7c7f 0 100
  100 6cdb 10
  beef
  11 500 1 18 80000011
`);

/** Exceptions are written as vector, code, RIP relative to the instruction, CS, and CR2 for a page fault. */
const LONG = hex(`
  6 0 0 8       0 0 0 8       b 30 0 8      d 100 0 8     d 60 0 8      d 20 0 8      0
  d 0 0 8       d 0 0 8       d 0 0 8       d 0 0 8
  e 0 0 8 3010  e 3 0 8 8     e 9 0 8 4020  e 11 0 8 2000
  3 29000 0
  fb 8  fa 8  c0 58
  af9b00 f0 1 38
  8 0 0 8
  d 0 0 2b      d 0 0 2b      80 0 2b 0     d 40a 0 2b
  e 5 0 2b 0    e 7 0 2b 5000
  d 0 0 2b      c 0 0 2b
  10b           d 0 0 2b      d 0 0 2b      d 0 0 2b
  0 8 10  2b 23
  d 0 0 2b      d 0 0 2b      d 10 0 2b
  f1
`);

const PROTECTED = hex(`
  d 0 0 8  d 0 0 8  d 0 0 8  d 0 0 8  d 0 0 8
  d 58 0 8  b 60 0 8  c 60 0 8
  100  5eed  b c 0 8  d 100 0 8
  81 2 8  80 2 8 20000 c  d 40 0 8  d 482 0 8
  fa 8  1a
  18c00 ffffffff 13 30  4 0 1 8
  e 0 0 8 2010  77  e 3 0 8 3000  e 0 0 8 400000
  5067 8000a7 8000e7
  d 0 0 1b  80 2 1b 20000 8000e7  d 41a 0 1b
  e 5 0 1b 4000  e 7 0 1b 3000  d 10 0 1b  d 0 0 1b
  ca bbbb aaaa 23 1b 27fe8
  80 0 1b 20000 0  23 f1
`);

const REGISTERS = hex(`
  7 756e6547  3028
  11111111 1234  a1 a2 300000  0
  37f  27f 0 1fa0  1f80 deadbeef
  2b000 8 10
  5 77 8000003b 33
  5ca1ab1e
`);

const PAGING = hex(`
  d 0 0
  e 11 0 40000
  e 3 0 42000  1234 2000e7
  e 0 0 40000000  e 0 0 600000
  e 11 0 41000
  e 1 0 41000  c3  e 3 0 41004
  bbbb
  d00 15010f
  e 9 0 8  d 100 0 8
  d 0 0 8  d 0 0 8
  f1
`);

const TASKS = hex(`
  11111111 22222222 29ffc 38 48 10  89 8b  2 0 8 0 abcd  1 abcd 30 ba
  4046 30 8b 8b  8b 89  a9 4046  4046 30 8b 8b
  d 30 0 8  b 58 0 8  a 60 0 8  d 4 0 8  d c 0 8  b 70 0 8  8b 89
  a 38 0 8  a 4 0 8
  a f00 0 8 4e  b 78 0 8 4e  28ffc 28 38 4e
  1 0 0 8 ffff8ff0
  b000 4002 0 abcd 10
  28ffc 3f0 30 beef  29000 30 f1
`);

const VIRTUAL = hex(`
  4000 6000 f000
  d 0 0 1000  d 0 0 1000  d 0 0 1000  d 0 0 1000  d 0 0 1000  d 0 0 1000
  6 0 0 1000  30002 f000 1000  3000 4000 5000 6000 0
  3 0 0 1000  d 0 0 1000
  6 0 0 1000  30002 f000 1000  3000 4000 5000 6000 0
  3202 3002  20 3002 3202  3202
  d 0 0 1000  d 0 0 1000  d 0 0 1000  3202
  6 0 0 1000  b0002 effe 1000  3000 4000 5000 6000 0
  3002  20 3002 3002  d 18 0 1000  f1
`);

const cases: readonly { name: string; mode: GuestMode; base?: number; values: number[]; end: ExitReason }[] = [
  { name: 'real', mode: 'real', base: 0x7c00, values: REAL, end: ExitReason.Shutdown },
  { name: 'long', mode: 'long64', values: LONG, end: ExitReason.Halt },
  { name: 'registers', mode: 'long64', values: REGISTERS, end: ExitReason.Halt },
  { name: 'paging', mode: 'prot32', values: PAGING, end: ExitReason.Halt },
  { name: 'protected', mode: 'prot32', values: PROTECTED, end: ExitReason.Halt },
  { name: 'tasks', mode: 'prot32', values: TASKS, end: ExitReason.Halt },
  { name: 'virtual', mode: 'prot32', values: VIRTUAL, end: ExitReason.Halt },
];

let run: GuestRun | undefined;
afterEach(() => {
  run?.vcpu.close();
  run = undefined;
});

describe.each(cases)('guest $name', ({ name, mode, base, values, end }) => {
  test('on the interpreter', async () => {
    run = await runGuest('interp', guestImage(name), mode, base);
    expect(run.values).toEqual(values);
    expect(run.reason).toBe(end);
  });

  test.skipIf(kvmMissing !== undefined)(`on KVM as far as it goes${kvmNote}`, async () => {
    run = await runGuest('kvm', guestImage(name), mode, base);
    // A KVM without hardware virtualisation stops at what its emulator does not know (INT3, IRET of protected mode).
    if (run.reason !== ExitReason.EngineError) expect(run.reason).toBe(end);
    expect(run.values).toEqual(values.slice(0, run.values.length));
  });
});
