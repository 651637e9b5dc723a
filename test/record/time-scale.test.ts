/** The guest's time on an engine like KVM, recorded without KVM (src/compare/landmarks/kicked-vcpu.ts). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { landmarkMachine } from '../../src/compare/landmarks/guest.js';
import { kickedVcpu } from '../../src/compare/landmarks/kicked-vcpu.js';
import { ReplaySession } from '../../src/replay/session.js';
import { TraceReader } from '../../src/trace/reader.js';
import { RecordKind } from '../../src/trace/record.js';
import { imageOf, record } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-time-'));
afterAll(() => rmSync(directory, { recursive: true }));

const TICKS = 30;

/** Records a guest that spins for its timer's interrupts; guest nanoseconds of its last record of time. */
async function lastTime(name: string, timeScale: number, stopAfter = Number.POSITIVE_INFINITY): Promise<number> {
  const path = join(directory, name);
  const machine = landmarkMachine(imageOf('landmarks'), { loop: 'nested', ring: 0, ticks: TICKS, seed: 1 });
  let now = 0;
  let readings = 0;
  const host = {
    now() {
      now += 5_000 * timeScale;
      if (++readings === stopAfter) now += 60_000_000_000;
      return now;
    },
    sleep: () => Promise.resolve(),
  };
  const vcpu = kickedVcpu(machine.guest.memory, () => 40);
  const { end } = await record({ ...machine, host, vcpu, timeScale, landing: { patience: 10_000 } }, path);
  expect(end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
  const session = await ReplaySession.open({ path, engine: 'interp', mode: 'machine', host });
  expect(await session.run()).toMatchObject({ kind: 'complete', notes: [] });
  session.close();
  const reader = new TraceReader(path);
  expect(reader.header.host['timeScale']).toBe(timeScale === 1 ? undefined : timeScale);
  const cursor = reader.cursor();
  let last = 0;
  while (cursor.next()) if (cursor.record.kind === RecordKind.Time) last = cursor.record.time;
  reader.close();
  return last;
}

it('a slow host with a scale gives the guest the times of a fast one', async () => {
  const fast = await lastTime('fast', 1);
  const slow = await lastTime('slow', 40);
  expect(Math.abs(slow - fast)).toBeLessThan(fast / 4);
});

it('a recorder that was stopped for a minute costs the guest a tenth of a second', async () => {
  const through = await lastTime('through', 1);
  const stopped = await lastTime('stopped', 1, 200);
  expect(stopped).toBeGreaterThan(through + 90_000_000);
  expect(stopped).toBeLessThan(through + 110_000_000);
});
