import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { CheckpointFile } from '../../src/replay/checkpoint-file.js';
import { ReplaySession } from '../../src/replay/session.js';
import { type SliceResult, sliceTrace } from '../../src/replay/slice.js';
import { editTrace } from '../../src/trace/edit.js';
import { TraceReader } from '../../src/trace/reader.js';
import { RecordKind } from '../../src/trace/record.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { guests, imageOf, machineOf, noKvm, record, replay } from '../helpers/tape.js';
import { linesOf } from '../helpers/trace.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-slice-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The records of a trace without their ordinals; digests of the run without their value, which is of the slice's own records. */
function records(path: string, first = 0, last = Number.POSITIVE_INFINITY): string[] {
  return linesOf(path)
    .slice(first, last === Number.POSITIVE_INFINITY ? undefined : last + 1)
    .map((line) => line.replace(/^#\d+ /, '').replace(/(digest run) [0-9a-f]+/, '$1'));
}

const cases: [string, 'interp' | 'kvm'][] = [
  ...['apics', 'prot32-ticks', 'real-strings', 'long-paging'].map((name): [string, 'interp'] => [name, 'interp']),
  ['apics', 'kvm'],
  ['landmarks', 'kvm'],
];

describe.each(cases)('slices of %s on %s', (name, engine) => {
  describe.skipIf(engine === 'kvm' && noKvm !== undefined)(`(${noKvm ?? 'KVM is there'})`, () => {
    const path = join(directory, `${name}.${engine}`);
    let total = 0;

    beforeAll(async () => {
      const [mode, loadAt] = guests[name] ?? (['long64', 0x10_0000] as const);
      const limits = { timeout: 30, exits: 2500 };
      await record(machineOf(engine, imageOf(name), mode, loadAt, { limits }), path);
      const reader = new TraceReader(path);
      total = reader.index.root.records;
      reader.close();
    }, 60_000);

    it('are traces of their own, which replay, and have the records of the whole', async () => {
      const part = join(directory, 'part');
      for (const [from, to] of [
        [0.1, 0.3],
        [0.5, 0.9],
        [0.7, 2],
      ] as const) {
        const [first, last] = [Math.floor(total * from), Math.floor(total * to)];
        const made = (await sliceTrace(path, part, { first, last })) as SliceResult;
        expect(made.first).toBeLessThanOrEqual(first);
        expect(made.last).toBe(Math.min(last, total - 1));
        expect((await verifyTrace(part)).problems).toEqual([]);
        expect(records(part)).toEqual(records(path, made.first, made.last));
        for (const mode of ['machine', 'cpu'] as const) {
          const result = await replay(part, 'interp', mode);
          expect(result).toMatchObject({ kind: 'complete', records: made.records });
          if (to > 1) {
            const whole = await replay(path, 'interp', mode);
            expect(result).toMatchObject({ end: (whole as { end: object }).end });
          }
        }
      }
    }, 60_000);

    it('can be sliced and given checkpoints again', async () => {
      const [part, again] = [join(directory, 'part'), join(directory, 'again')];
      const first = Math.floor(total / 4);
      const made = (await sliceTrace(path, part, { first, last: total })) as SliceResult;
      const file = new CheckpointFile(part, { every: Math.ceil(made.records / 4) });
      await replay(part, 'interp', 'machine', { checkpoints: file });
      file.finish();
      const second = (await sliceTrace(part, again, {
        first: Math.floor(made.records / 2),
        last: total,
      })) as SliceResult;
      expect(second.replayedFrom).toBeGreaterThan(0);
      expect((await verifyTrace(again)).problems).toEqual([]);
      expect(records(again)).toEqual(records(part, second.first));
      expect((await replay(again, 'interp', 'machine')).kind).toBe('complete');
    });
  });
});

describe('a slice', () => {
  const path = join(directory, 'ticks');
  const part = join(directory, 'ticks.part');
  beforeAll(async () => {
    const [mode, loadAt] = guests['prot32-ticks'] as (typeof guests)[string];
    await record(machineOf('interp', imageOf('prot32-ticks'), mode, loadAt, { limits: { exits: 1500 } }), path);
  }, 60_000);

  it('behind a difference is refused, as nobody knows the state there', async () => {
    const changed = join(directory, 'changed');
    editTrace(path, changed, {
      record: (one) => {
        if (one.ordinal > 500 && one.ordinal < 600 && one.kind === RecordKind.IoWrite) one.data[0] = 1;
        return true;
      },
    });
    await expect(sliceTrace(changed, part, { first: 1000, last: 1100 })).rejects.toMatchObject({
      code: 'VMTAPE_SLICE',
      exitCode: 3,
    });
    expect(await sliceTrace(changed, part, { first: 400, last: 450 })).toMatchObject({ records: 51 });
  });

  it('of records that are not there is refused', async () => {
    await expect(sliceTrace(path, part, { first: 1_000_000, last: 1_000_001 })).rejects.toMatchObject({ exitCode: 2 });
  });

  it('begins with the instruction whose record is asked for', async () => {
    const strings = join(directory, 'strings');
    const [mode, loadAt] = guests['real-strings'] as (typeof guests)[string];
    await record(machineOf('interp', imageOf('real-strings'), mode, loadAt), strings);
    const whole = linesOf(strings);
    const firsts = new Set<number>();
    for (let first = 40; first < 60; first++) {
      const made = (await sliceTrace(strings, part, { first, last: first + 5 })) as SliceResult;
      firsts.add(made.first);
      expect((await replay(part, 'interp', 'machine')).kind).toBe('complete');
      expect(made.first).toBeLessThanOrEqual(first);
    }
    expect(firsts.size).toBeGreaterThan(1);
    expect(whole.length).toBeGreaterThan(60);
  });

  it('is not replayed on KVM, which goes on from no checkpoint', async () => {
    await sliceTrace(path, part, { first: 700, last: 800 });
    const open = ReplaySession.open({ path: part, engine: 'kvm', host: realHost });
    await expect(open).rejects.toMatchObject({ code: 'VMTAPE_CHECKPOINT', exitCode: 6 });
  });
});
