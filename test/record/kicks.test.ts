/** Landmarks without KVM: the interpreter is kicked as a KVM would be, at instruction counts that the replay does not know. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.js';
import { landmarkLoops, landmarkMachine } from '../../src/compare/landmarks/guest.js';
import { ReplaySession } from '../../src/replay/session.js';
import { hastyHost } from '../helpers/kicked-tape.js';
import { kickedVcpu } from '../helpers/kicked-vcpu.js';
import { imageOf, record } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-kicks-'));
afterAll(() => rmSync(directory, { recursive: true }));

const TICKS = 60;

/** REP MOVSB of 64 MiB, which this engine ends before it is kicked, takes long for every interrupt: on KVM (landmark.test.ts) it is in. */
const loops = landmarkLoops.filter((loop) => loop !== 'copy');

describe.each([0, 3] as const)('interrupts in ring %i', (ring) => {
  it.each(loops)('in a loop %s are found again', async (loop) => {
    const path = join(directory, `${loop}.${ring}`);
    const machine = landmarkMachine(imageOf('landmarks'), { loop, ring, ticks: TICKS, seed: 1 });
    const random = new Prng(ring * 8 + landmarkLoops.indexOf(loop) + 1);
    // The guest's timer ticks every 50 µs.
    const host = hastyHost(random);
    const recorded: number[] = [];
    const vcpu = kickedVcpu(
      machine.guest.memory,
      () => 1 + (random.u32() % 60),
      (retired) => recorded.push(retired),
    );
    const { end } = await record({ ...machine, host, vcpu, landing: { patience: 10_000 } }, path);
    expect(end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
    const session = await ReplaySession.open({ path, engine: 'interp', mode: 'machine', host });
    const replayed: number[] = [];
    const inject = session.vcpu.injectInterrupt.bind(session.vcpu);
    session.vcpu.injectInterrupt = (vector) => {
      replayed.push(session.vcpu.retired);
      inject(vector);
    };
    expect(await session.run()).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
    // The very instructions: a place that only looks like the landmark is another one.
    expect(replayed).toEqual(recorded);
    expect(session.landmarks.found).toBeGreaterThan(TICKS / 3);
    session.close();
  });
});
