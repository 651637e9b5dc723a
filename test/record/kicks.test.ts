/** Landmarks without KVM: the interpreter is kicked as a KVM would be, at instruction counts that the replay does not know. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.js';
import { checkLandmarks } from '../../src/compare/landmarks/check.js';
import { kickedMachine, landmarkLoops } from '../../src/compare/landmarks/guest.js';
import { hastyHost, kickedVcpu } from '../../src/compare/landmarks/kicked-vcpu.js';
import { editTrace } from '../../src/trace/edit.js';
import { imageOf, machineOf, record, replay } from '../helpers/tape.js';
import { linesOf } from '../helpers/trace.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-kicks-'));
afterAll(() => rmSync(directory, { recursive: true }));

const TICKS = 60;

/** REP MOVSB of 64 MiB, which this engine ends before it is kicked, takes long for every interrupt: on KVM (landmark.test.ts) it is in. */
const loops = landmarkLoops.filter((loop) => loop !== 'copy');

describe.each([0, 3] as const)('interrupts in ring %i', (ring) => {
  it.each(loops)('in a loop %s are found again, at the very instructions', async (loop) => {
    const path = join(directory, `${loop}.${ring}`);
    const seed = ring * 8 + landmarkLoops.indexOf(loop) + 1;
    const findings = await checkLandmarks('interp', imageOf('landmarks'), { loop, ring, ticks: TICKS, seed }, path);
    expect(findings).toMatchObject({ landmarks: expect.any(Number) });
    if (typeof findings === 'object') expect(findings.landmarks).toBeGreaterThan(TICKS / 3);
  });
});

describe.each([0, 3] as const)('waypoints in ring %i', (ring) => {
  it.each(loops)('in a loop %s, at which nothing is delivered, are found too', async (loop) => {
    const path = join(directory, `waypoints.${loop}.${ring}`);
    const run = { loop, ring, ticks: TICKS, seed: 40 + ring, waypoints: true, distance: 30 };
    const findings = await checkLandmarks('interp', imageOf('landmarks'), run, path);
    expect(findings).toMatchObject({ waypoints: expect.any(Number) });
    if (typeof findings === 'object') expect(findings.waypoints).toBeGreaterThan(TICKS);
    // Also where interrupts are off, where no other landmark is.
    const lines = linesOf(path).filter((line) => / inject nothing at waypoint with \d+ pages?, rip 0x/.test(line));
    expect(lines.length).toBeGreaterThan(TICKS);
  });
});

it('an interrupt that had to wait for long, at kicks where it could not be landed, is found', async () => {
  const path = join(directory, 'late');
  const code = Uint8Array.of(
    // 8259: vector 20h, IRQ 0 alone; 8254: channel 0, mode 2, 64 counts
    ...[0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21, 0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21],
    ...[0xb0, 0xfe, 0xe6, 0x21, 0xb0, 0x34, 0xe6, 0x43, 0xb0, 0x40, 0xe6, 0x40, 0xb0, 0x00, 0xe6, 0x40],
    // lidt; mov ecx,60000000; loop to itself; sti; inc dword [0x200000]; jmp to it
    ...[0x0f, 0x01, 0x1d, 0x3b, 0x00, 0x10, 0x00, 0xb9, 0x00, 0x87, 0x93, 0x03, 0xe2, 0xfe, 0xfb],
    ...[0xff, 0x05, 0x00, 0x00, 0x20, 0x00, 0xeb, 0xf8],
    // The interrupt: mov al,10h; out F4h,al. The IDT's limit and base, and the gate.
    ...[0xb0, 0x10, 0xe6, 0xf4, 0x07, 0x01, 0x41, 0xff, 0x0f, 0x00, 0x37, 0x00, 0x10, 0x00, 0x00, 0x8e, 0x10, 0x00],
  );
  const machine = machineOf('kvm', code, 'prot32', 0x10_0000, { landing: { patience: 10_000 } });
  const vcpu = kickedVcpu(machine.guest.memory, () => 500_000);
  const { end } = await record({ ...machine, vcpu, host: hastyHost(new Prng(1)) }, path);
  expect(end.exitCode).toBe(33);
  const lines = linesOf(path);
  // Each of the kicks has a time.
  expect(lines.filter((line) => line.includes(' time ')).length).toBeGreaterThan(100);
  expect(lines.filter((line) => line.includes('vector 0x20 at landmark'))).toHaveLength(1);
  expect(await replay(path, 'interp', 'machine')).toMatchObject({ kind: 'complete', end: { exitCode: 33 } });
}, 60_000);

it.each(['memory', 'nested'] as const)(
  'a landmark of a loop %s that is taken for an earlier place is noticed',
  async (loop) => {
    const path = join(directory, `right.${loop}`);
    const wrong = join(directory, `wrong.${loop}`);
    const run = { loop, ring: 3, ticks: TICKS, seed: 5, distance: 60_000 } as const;
    const machine = kickedMachine(imageOf('landmarks'), run, () => {});
    await record(machine, path);
    expect(await replay(path, 'interp', 'machine')).toMatchObject({ kind: 'complete' });
    editTrace(path, wrong, {
      record: (one) => {
        // The registers, which are left, come again.
        if (one.landmark) one.landmark = { ...one.landmark, pages: [], hashes: new Uint8Array(0) };
      },
    });
    const result = await replay(wrong, 'interp', 'machine');
    expect(result).toMatchObject({ kind: 'divergence' });
    if (result.kind === 'divergence') expect(result.divergence.expected).toMatch(/^io-write port 0x80 size 4 = /);
  },
);
