/** Landmarks without KVM: the interpreter is kicked as a KVM would be, at instruction counts that the replay does not know. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkLandmarks } from '../../src/compare/landmarks/check.js';
import { kickedMachine, landmarkLoops } from '../../src/compare/landmarks/guest.js';
import { editTrace } from '../../src/trace/edit.js';
import { imageOf, record, replay } from '../helpers/tape.js';

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
