/** Interrupts of a guest that makes no exits: recorded on KVM at landmarks, replayed on both engines. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { type LandmarkRun, landmarkLoops, landmarkMachine } from '../../src/compare/landmarks/guest.js';
import { ReplaySession } from '../../src/replay/session.js';
import { editTrace } from '../../src/trace/edit.js';
import { TraceReader } from '../../src/trace/reader.js';
import { isWaypoint, RecordKind, type TraceRecord } from '../../src/trace/record.js';
import type { MachineOptions } from '../../src/vmm/machine-options.js';
import { imageOf, machineOf, noKvm, record, replay } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-landmark-'));
afterAll(() => rmSync(directory, { recursive: true }));

const TICKS = 12;
const LANDMARK = 3;

function machine(loop: LandmarkRun['loop'], ring: LandmarkRun['ring'], ticks: number, seed: number): MachineOptions {
  return landmarkMachine(imageOf('landmarks'), { loop, ring, ticks, seed });
}

function recordsOf(path: string): TraceRecord[] {
  const reader = new TraceReader(path);
  const cursor = reader.cursor();
  const records: TraceRecord[] = [];
  while (cursor.next()) {
    const record = Object.create(Object.getPrototypeOf(cursor.record)) as TraceRecord;
    records.push(Object.assign(record, cursor.record));
  }
  reader.close();
  return records;
}

describe.skipIf(noKvm !== undefined)(`recorded on KVM (${noKvm ?? 'it is there'})`, () => {
  describe.each([0, 3] as const)('in ring %i', (ring) => {
    describe.each(landmarkLoops)('a loop %s', (name) => {
      const path = join(directory, `${name}.${ring}`);

      it('gets its interrupts', async () => {
        const { end } = await record(machine(name, ring, TICKS, 1), path);
        expect(end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
        const landings = recordsOf(path).filter(({ kind }) => kind === RecordKind.Inject);
        expect(landings.length).toBe(TICKS);
        expect(landings.filter(({ landing }) => landing === LANDMARK).length).toBeGreaterThan(TICKS / 2);
      }, 60_000);

      it.each(['machine', 'cpu'] as const)(
        'replays on the interpreter in %s mode, every landmark found',
        async (mode) => {
          const session = await ReplaySession.open({ path, engine: 'interp', mode, host: realHost });
          expect(await session.run()).toMatchObject({ kind: 'complete', end: { exitCode: 33 } });
          expect(session.landmarks.found).toBeGreaterThan(TICKS / 2);
          session.close();
        },
        120_000,
      );
    });
  });

  describe('a trace whose landmark is wrong', () => {
    const path = join(directory, 'nested.0');
    const bad = join(directory, 'bad');
    /** Changes the third landmark of `path`. */
    function change(edit: (record: TraceRecord) => void): void {
      let count = 0;
      editTrace(path, bad, {
        record: (one) => {
          if (one.landmark && ++count === 3) edit(one);
        },
      });
    }
    const divergence = async () => {
      const result = await replay(bad, 'interp', 'machine');
      return result.kind === 'divergence' ? result.divergence : undefined;
    };

    it('diverges there, and names the page that differs', async () => {
      change(({ landmark }) => landmark?.hashes.fill(0));
      const found = await divergence();
      expect(found?.what).toMatch(/^the guest (made an exit before|never came)/);
      expect(found?.actual).toMatch(/came there with these registers \d+ times, but memory differed, at last at 0x/);
    }, 120_000);

    it('diverges there, and shows the nearest registers', async () => {
      change((one) => one.registers.fill(0x11, 8, 12));
      expect((await divergence())?.actual).toMatch(/came to that RIP \d+ times, the nearest with rcx 0x/);
    }, 120_000);
  });

  it('gets waypoints with interrupts off, which are found', async () => {
    const path = join(directory, 'waypoints');
    // inc dword [0x200000]; mov ecx,1000; loop to itself; jmp to the start
    const code = Uint8Array.of(0xff, 0x05, 0, 0, 0x20, 0, 0xb9, 0xe8, 0x03, 0, 0, 0xe2, 0xfe, 0xeb, 0xf1);
    const landing = { waypoints: { pages: 1, distance: 0 } };
    const machine = machineOf('kvm', code, 'prot32', 0x10_0000, { landing, limits: { timeout: 0.5 } });
    expect((await record(machine, path)).end.reason).toBe('timeout');
    const waypoints = recordsOf(path).filter((one) => isWaypoint(one));
    expect(waypoints.length).toBeGreaterThan(0);
    for (const engine of ['interp', 'kvm'] as const) {
      const session = await ReplaySession.open({ path, engine, mode: 'machine', host: realHost });
      expect(await session.run()).toMatchObject({ kind: 'complete', end: { reason: 'timeout' } });
      expect(session.landmarks.found).toBe(waypoints.length);
      session.close();
    }
  }, 120_000);

  it('replays on KVM, by way of the interpreter', async () => {
    const path = join(directory, 'steps');
    await record(machine('memory', 0, 3, 3), path);
    expect(await replay(path, 'kvm', 'machine')).toMatchObject({ kind: 'complete', end: { exitCode: 33 } });
  }, 120_000);

  it('waits for an exit where preemption is off', async () => {
    const path = join(directory, 'off');
    const limits = { timeout: 0.3 };
    const { end } = await record({ ...machine('register', 0, 3, 4), landing: { patience: Infinity }, limits }, path);
    expect(end.reason).toBe('timeout');
    expect(recordsOf(path).filter(({ kind }) => kind === RecordKind.Inject)).toEqual([]);
  }, 60_000);
});
