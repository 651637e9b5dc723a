import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VmtapeError } from '../../src/base/errors.js';
import { guestOf } from '../../src/replay/guest.js';
import { append } from '../../src/trace/edit.js';
import { FrameKind } from '../../src/trace/format.js';
import { FrameFile } from '../../src/trace/frame-file.js';
import { FrameWriter } from '../../src/trace/frame-writer.js';
import { TraceReader } from '../../src/trace/reader.js';
import { formatRecord, RecordKind, TraceRecord } from '../../src/trace/record.js';
import { RecordFrameReader } from '../../src/trace/record-reader.js';
import { RecordFrameWriter } from '../../src/trace/record-writer.js';
import { imageOf, machineOf, record } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-untrusted-'));
afterAll(() => rmSync(directory, { recursive: true }));

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const access = fc.constantFrom(RecordKind.IoRead, RecordKind.IoWrite, RecordKind.MmioRead, RecordKind.MmioWrite);
const address = fc.oneof(u32, fc.constantFrom(0, 0x3f8, 0xfee0_0000, 2 ** 52 - 1));

/** A record of any kind; `retired` and `time` are the distances from the record before. */
const anyRecord = fc.record({
  kind: fc.constantFrom(...Object.values(RecordKind)),
  access,
  address,
  size: fc.constantFrom(1, 2, 4),
  fault: fc.boolean(),
  data: fc.uint8Array({ minLength: 8, maxLength: 8 }),
  words: fc.tuple(u32, u32, u32, u32),
  small: fc.integer({ min: 0, max: 255 }),
  landing: fc.constantFrom(0, 1, 2, 3),
  pages: fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 40 }), { maxLength: 5 }),
  hookKind: fc.constantFrom(1, 2, 3, 4, 5),
  registers: fc.uint8Array({ minLength: 144, maxLength: 144 }),
  bytes: fc.uint8Array({ maxLength: 300 }),
  distance: fc.integer({ min: 0, max: 2 ** 40 }),
});

function make(given: typeof anyRecord extends fc.Arbitrary<infer T> ? T : never, before: TraceRecord): TraceRecord {
  const made = new TraceRecord();
  made.assign(before);
  made.ordinal = before.ordinal + 1;
  made.retired = before.retired + given.distance;
  made.kind = given.kind;
  made.fault = given.fault;
  made.data.set(given.data);
  [made.low, made.high, made.aux, made.ebx] = given.words;
  made.hookKind = given.hookKind;
  made.vector = given.small;
  made.landing = given.landing;
  made.registers.set(given.registers);
  made.landmark =
    given.kind === RecordKind.Inject && given.landing === 3
      ? {
          cpuHash: given.data,
          pages: given.pages.sort((a, b) => a - b),
          hashes: new Uint8Array(given.pages.length * 8).fill(given.small),
        }
      : undefined;
  made.bytes = bytesOf(given.kind, given.small, given.bytes);
  made.stateDigest = given.bytes.subarray(0, given.small % 64);
  made.address = given.address;
  made.size = given.kind === RecordKind.MsrRead || given.kind === RecordKind.MsrWrite ? 8 : given.size;
  if (given.kind === RecordKind.Time) made.time = before.time + given.distance;
  return made;
}

function bytesOf(kind: RecordKind, small: number, bytes: Uint8Array): Uint8Array {
  if (kind === RecordKind.Input) return Uint8Array.of(small);
  if (kind === RecordKind.Assist) return bytes.subarray(0, small % 16);
  return kind === RecordKind.Digest ? bytes.subarray(0, small % 65) : bytes;
}

/** With what the line of a record leaves out. */
function shownWhole(record: TraceRecord): string {
  const { landmark } = record;
  const more = landmark && [...landmark.cpuHash, '|', ...landmark.pages, '|', ...landmark.hashes].join(' ');
  return `${formatRecord(record)} ${more ?? ''}`;
}

describe('a frame of records', () => {
  it('gives back any records, counted or not', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 60 }), fc.boolean(), (list, counting) => {
        const writer = new RecordFrameWriter(counting);
        const first = new TraceRecord();
        first.ordinal = -1;
        first.retired = 0;
        let last = first;
        const expected: string[] = [];
        for (const given of list) {
          last = make(given, last);
          append(writer, last);
          const shown = new TraceRecord();
          shown.assign(last);
          if (!counting) shown.retired = Number.NaN;
          expected.push(shownWhole(shown));
        }
        const reader = new RecordFrameReader(writer.take());
        const record = new TraceRecord();
        const read: string[] = [];
        while (reader.next(record)) read.push(shownWhole(record));
        expect(read).toEqual(expected);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('a trace whose checksums are right and whose content is not', () => {
  const path = join(directory, 'good');
  const bad = join(directory, 'bad');
  let frames: { kind: number; payload: Uint8Array; count: number }[] = [];

  beforeAll(async () => {
    await record(machineOf('interp', imageOf('real-strings'), 'real', 0x7c00), path);
    const reader = new FrameFile(path);
    frames = [...reader.frames()];
    reader.close();
    frames = frames
      .filter(({ kind }) => kind !== FrameKind.Root && kind !== FrameKind.Trailer)
      .map(({ kind, payload, count }) => ({ kind, payload: new Uint8Array(payload), count }));
  });

  /** Reads all there is; only an error of exit code 5 may come. */
  function readAll(): void {
    let reader: TraceReader | undefined;
    try {
      reader = new TraceReader(bad);
      const cursor = reader.cursor();
      while (cursor.next()) formatRecord(cursor.record);
      if (cursor.damage) expect(cursor.damage.exitCode).toBe(5);
      if (reader.header.memorySize <= 0x80_0000) guestOf(reader);
    } catch (error) {
      if (!(error instanceof VmtapeError)) throw error;
      expect(error.exitCode, error.message).toBe(5);
    } finally {
      reader?.close();
    }
  }

  it('is read, or refused with a typed error', () => {
    const change = fc.record({
      frame: fc.nat(),
      at: fc.nat(),
      value: fc.integer({ min: 0, max: 255 }),
      cut: fc.boolean(),
      isClosed: fc.boolean(),
    });
    fc.assert(
      fc.property(change, ({ frame, at, value, cut, isClosed }) => {
        const target = frame % frames.length;
        const writer = FrameWriter.create(bad, new Uint8Array(16), 0);
        for (const [index, { kind, payload, count }] of frames.entries()) {
          let changed = payload;
          if (index === target) {
            changed = cut ? payload.slice(0, at % payload.length) : Uint8Array.from(payload);
            if (!cut) changed[at % payload.length] = value;
          }
          writer.write(kind, changed, count);
        }
        if (isClosed) writer.finish(true);
        writer.close();
        readAll();
      }),
      { seed: 2, numRuns: 200 },
    );
  });
});
