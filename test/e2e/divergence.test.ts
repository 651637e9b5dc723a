/** A trace that lies is found out at the very record, and the report says all that one needs to look further. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { editTrace } from '../../src/trace/edit.js';
import { TraceReader } from '../../src/trace/reader.js';
import { RecordKind } from '../../src/trace/record.js';
import { vmtape, workFolder } from '../helpers/cli.js';
import { guestOptions } from '../helpers/guest-sources.js';

const folder = workFolder();
const good = join(folder, 'good.vmtape');

beforeAll(async () => {
  const recording = await vmtape(['record', '--engine', 'interp', ...guestOptions('clocks'), '-o', good]);
  expect(recording.code).toBe(33);
});

/** The ordinal of the `number`th record of a kind at an address. */
function find(kind: RecordKind, address: number, number: number): number {
  const reader = new TraceReader(good);
  try {
    const cursor = reader.cursor();
    let left = number;
    while (cursor.next()) {
      if (cursor.record.kind === kind && cursor.record.address === address && left-- === 0)
        return cursor.record.ordinal;
    }
  } finally {
    reader.close();
  }
  throw new Error(`there is no such record: kind ${kind} at ${address}`);
}

/** A copy of the trace in which one data byte of a record is another. */
function tamper(name: string, ordinal: number): string {
  const path = join(folder, name);
  editTrace(good, path, {
    record: (record) => {
      if (record.ordinal === ordinal) record.data[0] = (record.data[0] ?? 0) ^ 0x01;
      return true;
    },
  });
  return path;
}

test('a copy in which nothing was changed replays', async () => {
  const path = join(folder, 'copy.vmtape');
  editTrace(good, path, {});
  expect((await vmtape(['replay', path, '--serial', 'none'])).code).toBe(0);
});

describe.each([
  { what: 'a byte of a port write', kind: RecordKind.IoWrite, address: 0x3f8, modes: ['machine', 'cpu'] },
  { what: 'a byte of a PIT read', kind: RecordKind.IoRead, address: 0x42, modes: ['machine'] },
  { what: 'a byte of an RTC read', kind: RecordKind.IoRead, address: 0x71, modes: ['machine'] },
])('$what', ({ kind, address, modes }) => {
  test.each(modes)('is found at that very record in %s mode', async (mode) => {
    const ordinal = find(kind, address, 5);
    const trace = tamper(`tampered-${address}-${mode}.vmtape`, ordinal);
    const replay = await vmtape(['replay', trace, '--mode', mode, '--serial', 'none', '--json']);
    expect(replay.code).toBe(3);
    const report = JSON.parse(replay.stdout).divergence;
    expect(report.record).toBe(ordinal);
    expect(report.instructions).toBeGreaterThan(0);
    expect(report.rip).toMatch(/^[0-9a-f]{16}$/);
    expect(report.disassembly).toMatch(/\b(in|out)\b/);
    expect(report.expected).toMatch(/0x[0-9a-f]{2}\b/);
    expect(report.actual).toMatch(/0x[0-9a-f]{2}\b/);
    expect(report.expected).not.toBe(report.actual);
    const text = await vmtape(['replay', trace, '--mode', mode, '--serial', 'none']);
    expect(text.code).toBe(3);
    const printed = text.stdout + text.stderr;
    expect(printed).toContain(`${ordinal}`);
    expect(printed).toContain(report.disassembly);
    expect(printed.trimEnd().split('\n').at(-1)).toContain('vmtape replay');
  });
});
