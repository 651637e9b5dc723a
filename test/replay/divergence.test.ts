import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Divergence } from '../../src/replay/divergence.js';
import { editTrace, type TraceEdit } from '../../src/trace/edit.js';
import { TraceReader } from '../../src/trace/reader.js';
import { RecordKind, TraceRecord } from '../../src/trace/record.js';
import { guests, imageOf, machineOf, noKvm, record, replay } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-divergence-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The first record that `wanted` says yes to, from `from` on. */
function find(path: string, wanted: (record: TraceRecord) => boolean, from = 0): TraceRecord {
  const reader = new TraceReader(path);
  try {
    const cursor = reader.cursor();
    while (cursor.next()) {
      if (cursor.record.ordinal < from || !wanted(cursor.record)) continue;
      const copy = new TraceRecord();
      copy.assign(cursor.record);
      return copy;
    }
    throw new Error('there is no such record');
  } finally {
    reader.close();
  }
}

describe.each(['interp', 'kvm'] as const)('a trace of %s', (engine) => {
  describe.skipIf(engine === 'kvm' && noKvm !== undefined)(`(${noKvm ?? 'KVM is there'})`, () => {
    const path = join(directory, `ticks.${engine}`);
    const changed = join(directory, `changed.${engine}`);

    beforeAll(async () => {
      const [mode, loadAt] = guests['prot32-ticks'] as (typeof guests)[string];
      await record(machineOf(engine, imageOf('prot32-ticks'), mode, loadAt, { limits: { timeout: 30 } }), path);
    }, 40_000);

    async function divergenceOf(edit: TraceEdit, mode: 'machine' | 'cpu'): Promise<Divergence> {
      editTrace(path, changed, edit);
      const result = await replay(changed, engine, mode);
      if (result.kind !== 'divergence') throw new Error(`the replay is ${result.kind}`);
      return result.divergence;
    }

    it.each(['machine', 'cpu'] as const)(
      'with a written byte changed diverges at that record, %s mode',
      async (mode) => {
        const target = find(path, ({ kind }) => kind === RecordKind.IoWrite, 40);
        const divergence = await divergenceOf(
          {
            record: (record) => {
              if (record.ordinal === target.ordinal) record.data[0] = (record.data[0] as number) ^ 0x80;
              return true;
            },
          },
          mode,
        );
        expect(divergence.record).toBe(target.ordinal);
        expect(divergence.what).toBe('the guest writes another value');
        expect(divergence.expected).toMatch(/^io-write port 0x\w+ size 1 = 0x\w\w$/);
        expect(divergence.actual).toMatch(/^io-write port 0x\w+ size 1 = 0x\w\w$/);
        expect(divergence.actual).not.toBe(divergence.expected);
        expect(divergence.rip).toMatch(/^0000000000[1-9a-f]/);
        if (engine === 'interp') expect(divergence.disassembly).toMatch(/^e6 .. {2}out |^ee {2}out /);
        expect(divergence.before).toHaveLength(8);
        expect(divergence.command).toBe(`vmtape replay ${changed} --engine ${engine} --mode ${mode}`);
      },
    );

    it("with a device's answer changed diverges at that record in machine mode", async () => {
      const target = find(path, ({ kind }) => kind === RecordKind.IoRead);
      const divergence = await divergenceOf(
        {
          record: (record) => {
            if (record.ordinal === target.ordinal) record.data[0] = (record.data[0] as number) ^ 1;
            return true;
          },
        },
        'machine',
      );
      expect(divergence).toMatchObject({ record: target.ordinal, what: 'the device answers another value' });
    });

    it.each(['machine', 'cpu'] as const)(
      'with a register of an interrupt changed diverges there, %s mode',
      async (mode) => {
        const target = find(path, ({ kind, landing }) => kind === RecordKind.Inject && landing === 0);
        const divergence = await divergenceOf(
          {
            record: (record) => {
              if (record.ordinal === target.ordinal) record.registers[5 * 8 + 7] = 0xee;
              return true;
            },
          },
          mode,
        );
        expect(divergence).toMatchObject({
          record: target.ordinal,
          what: 'the registers differ where the interrupt is delivered',
          expected: expect.stringContaining('with rbp 0xee'),
          actual: expect.stringMatching(/^rbp 0x00[0-9a-f]{14}$/),
        });
      },
    );

    it('without one interrupt diverges', async () => {
      const target = find(path, ({ kind }) => kind === RecordKind.Inject);
      const divergence = await divergenceOf({ record: ({ ordinal }) => ordinal !== target.ordinal }, 'machine');
      expect(divergence.record).toBeGreaterThanOrEqual(target.ordinal);
    });

    it('whose end has other registers diverges at the end', async () => {
      const edit: TraceEdit = { end: (end) => ({ ...end, registers: new Uint8Array(end.registers.length) }) };
      const divergence = await divergenceOf(edit, 'cpu');
      expect(divergence.what).toBe('the registers differ at the end');
    });

    it('stops before the record that is asked for', async () => {
      expect(await replay(path, engine, 'machine', { until: 100 })).toMatchObject({ kind: 'stopped', records: 100 });
    });

    it('that was not closed is replayed as far as it goes', async () => {
      const whole = find(path, ({ kind }) => kind === RecordKind.Halt).ordinal;
      editTrace(path, changed, { record: ({ ordinal }) => ordinal < whole });
      const { readFileSync, writeFileSync } = await import('node:fs');
      const bytes = readFileSync(changed);
      const reader = new TraceReader(changed);
      const end = reader.index.root.end?.byte ?? 0;
      reader.close();
      writeFileSync(changed, bytes.subarray(0, end + 5));
      const result = await replay(changed, engine, 'machine');
      expect(result).toMatchObject({ kind: 'complete', records: whole, damage: { code: 'VMTAPE_TRACE_TRUNCATED' } });
    });
  });
});
