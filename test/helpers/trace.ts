/** Small traces for tests. */

import { append } from '../../src/trace/edit.js';
import { FrameFile } from '../../src/trace/frame-file.js';
import type { TraceEnd, TraceHeader } from '../../src/trace/header.js';
import { TraceReader } from '../../src/trace/reader.js';
import { formatRecord, TraceRecord } from '../../src/trace/record.js';
import { RecordFrameReader } from '../../src/trace/record-reader.js';
import { TraceWriter } from '../../src/trace/writer.js';

/** A header of a machine with 1 MiB. */
export const smallHeader: TraceHeader = {
  id: Uint8Array.from({ length: 16 }, (_, index) => index),
  date: 1_700_000_000_123,
  vmtape: '0.1.0',
  engine: 'interp',
  counting: true,
  cpuModel: 'test',
  cpuid: [],
  memorySize: 0x10_0000,
  romSize: 0,
  cpuState: Uint8Array.of(1, 2, 3),
  hooks: [],
  rtcTime: 1_767_225_600,
  seed: 1,
  strictBus: false,
  tsc: 'hook',
  files: [],
  embedded: true,
  options: {},
  host: {},
  ledger: null,
};

/** An end. */
export const smallEnd: Omit<TraceEnd, 'records'> = {
  reason: 'halted',
  exitCode: 0,
  message: 'The guest halted.',
  position: 'exit',
  retired: 1_000_000,
  consoleBytes: 0,
  consoleDigest: '',
  debugBytes: 0,
  debugDigest: '',
  registers: new Uint8Array(144),
  memoryDigest: '',
  inexact: [],
  assists: 0,
};

/** All records of a trace, a line each; the last line is what is wrong with it, if something is. */
export function linesOf(path: string, from = 0): string[] {
  const reader = new TraceReader(path);
  try {
    const cursor = reader.cursor(from);
    const lines: string[] = [];
    while (cursor.next()) lines.push(formatRecord(cursor.record));
    if (cursor.damage) lines.push(cursor.damage.code);
    return lines;
  } finally {
    reader.close();
  }
}

/** RAM as a trace has it. */
export function ramOf(reader: TraceReader, set = 0): Uint8Array {
  const ram = new Uint8Array(reader.header.memorySize);
  reader.loadMemory((gpa, bytes) => ram.set(bytes, gpa), set);
  return ram;
}

/** Writes what a trace says again, frame by frame, with today's writer; `change` may change a record, `header` is what differs in the header. */
export function rewrite(
  from: string,
  to: string,
  change: (record: TraceRecord) => void = () => {},
  header: Partial<TraceHeader> = {},
): void {
  const reader = new TraceReader(from);
  const file = new FrameFile(from);
  try {
    const writer = new TraceWriter(to, { ...reader.header, ...header }, { ram: [{ gpa: 0, bytes: ramOf(reader) }] });
    const record = new TraceRecord();
    for (const { kind, payload } of file.frames()) {
      if (kind !== 5) continue;
      const frame = new RecordFrameReader(payload, (number) => reader.blob(number));
      while (frame.next(record)) {
        change(record);
        append(writer.records, record);
      }
      writer.flush();
    }
    if (!reader.end) throw new Error('the trace has no end');
    writer.finish(reader.end);
  } finally {
    file.close();
    reader.close();
  }
}
