import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VmtapeError } from '../../src/base/errors.js';
import { crc32, crc32ByTable } from '../../src/trace/crc32.js';
import { FrameFile } from '../../src/trace/frame-file.js';
import type { TraceEnd, TraceHeader } from '../../src/trace/header.js';
import { packMessage, unpackMessage } from '../../src/trace/msgpack.js';
import { TraceReader } from '../../src/trace/reader.js';
import { formatRecord, RecordKind, TraceRecord } from '../../src/trace/record.js';
import { RecordFrameReader } from '../../src/trace/record-reader.js';
import { RecordFrameWriter } from '../../src/trace/record-writer.js';
import { TraceWriter } from '../../src/trace/writer.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmtape-trace-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const header: TraceHeader = {
  id: Uint8Array.from({ length: 16 }, (_, index) => index),
  date: 1_700_000_000_123,
  vmtape: '0.1.0',
  engine: 'interp',
  counting: true,
  cpuModel: 'test',
  cpuid: [{ function: 0x8000_0001, index: 3, indexed: true, eax: 0xffff_ffff, ebx: 1, ecx: 2, edx: 3 }],
  memorySize: 0x10_0000,
  romSize: 0,
  cpuState: Uint8Array.of(1, 2, 3),
  hooks: [{ key: 0xffff_ffff_8100_0002n, address: 0xffff_ffff_8100_0000n, kind: 1, register: 0, width: 32, length: 2 }],
  rtcTime: 1_767_225_600,
  seed: 1,
  strictBus: false,
  tsc: 'hook',
  files: [{ role: 'kernel', name: 'x', size: 5, sha256: 'ab' }],
  embedded: true,
  options: { kernel: 'x' },
  host: {},
  ledger: [{ row: 'rdtsc' }],
};
const end: Omit<TraceEnd, 'records'> = {
  reason: 'halted',
  exitCode: 0,
  message: 'The guest halted.',
  position: 'exit',
  retired: 4321,
  consoleBytes: 2,
  consoleDigest: 'ab',
  debugBytes: 0,
  debugDigest: '',
  registers: new Uint8Array(144),
  memoryDigest: 'cd',
  inexact: [],
  assists: 0,
};

function writeTrace(path: string, records: number, finish = true, given = header): void {
  const ram = new Uint8Array(0x10_0000);
  ram.fill(7, 0x3000, 0x5000);
  ram[0xf_ffff] = 1;
  const writer = new TraceWriter(path, given, { ram: [{ gpa: 0, bytes: ram }] });
  const view = new DataView(new ArrayBuffer(8));
  const registers = new Uint8Array(144);
  for (let index = 0; index < records; index++) {
    view.setUint32(0, index, true);
    view.setUint32(4, 0xfeed_f00d, true);
    const retired = index * 1000;
    switch (index % 8) {
      case 0:
        writer.records.access(RecordKind.IoRead, retired, 0x3fd, 1, view, 0);
        break;
      case 1:
        writer.records.access(RecordKind.MmioWrite, retired, 0xf_ffff_ffff_f000, 8, view, 0);
        break;
      case 2:
        writer.records.msr(RecordKind.MsrRead, retired, 0xc000_0080, index % 3 === 0, view, 0);
        break;
      case 3:
        writer.records.plain(RecordKind.Halt, retired);
        break;
      case 4:
        writer.records.hook(retired, 5, 2, 0xffff_fffe, 0x1234, 9, 0);
        break;
      case 5:
        writer.records.time(retired, retired * 7);
        break;
      case 6:
        registers[16 * 8] = index;
        registers[17 * 8 + 7] = 0xff;
        writer.records.inject(retired, 0x20, 1, registers);
        break;
      case 7:
        writer.records.dma(retired, 0x5000, Uint8Array.of(1, 2, 3));
        break;
    }
    if (writer.records.full) writer.flush();
  }
  if (finish) writer.finish(end);
  else {
    writer.flush();
    writer.close();
  }
}

function caught(action: () => unknown): VmtapeError {
  try {
    action();
  } catch (error) {
    if (error instanceof VmtapeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a trace', () => {
  it('gives back what was written, over several frames', () => {
    const path = join(directory, 'a.vmtape');
    writeTrace(path, 140_000);
    const reader = new TraceReader(path);
    expect(reader.header).toEqual(header);
    const pages: number[] = [];
    reader.loadMemory((gpa, bytes) => {
      pages.push(gpa);
      expect(bytes[0xfff]).toBe(gpa === 0xf_f000 ? 1 : 7);
    });
    expect(pages).toEqual([0x3000, 0x4000, 0xf_f000]);
    const cursor = reader.cursor();
    const lines: string[] = [];
    while (cursor.next())
      if (cursor.record.ordinal >= 32_000 && lines.length < 8) lines.push(formatRecord(cursor.record));
    expect(lines).toEqual([
      '#32000 @32000000 io-read port 0x3fd size 1 = 0x00',
      '#32001 @32001000 mmio-write address 0xffffffffff000 size 8 = 0xfeedf00d00007d01',
      '#32002 @32002000 msr-read 0xc0000080 = 0xfeedf00d00007d02',
      '#32003 @32003000 halt',
      '#32004 @32004000 hook RDTSCP at site 5 = 0x1234:0xfffffffe',
      '#32005 @32005000 time 224035000 ns',
      '#32006 @32006000 inject vector 0x20 at window, rip 0x0000000000000006',
      '#32007 @32007000 dma address 0x5000 length 3',
    ]);
    expect(cursor.count).toBe(140_000);
    expect(cursor.frameCount).toBeGreaterThan(2);
    expect(cursor.damage).toBeUndefined();
    expect(cursor.end).toEqual({ ...end, records: 140_000 });
    reader.close();
  });

  it('differs from another of the same run in the prelude only', () => {
    const [a, b] = [join(directory, 'a'), join(directory, 'b')];
    writeTrace(a, 100);
    writeTrace(b, 100, true, { ...header, id: new Uint8Array(16).fill(9), date: 5 });
    expect(readFileSync(a).subarray(48).equals(readFileSync(b).subarray(48))).toBe(true);
  });

  it('that was not closed is read up to its last whole frame', () => {
    const path = join(directory, 'a');
    writeTrace(path, 140_000, false);
    const whole = readFileSync(path);
    writeFileSync(join(directory, 'cut'), whole.subarray(0, whole.length - 10));
    const cursor = new TraceReader(join(directory, 'cut')).cursor();
    while (cursor.next());
    const counts = [...new FrameFile(path).frames()].filter(({ kind }) => kind === 5).map(({ count }) => count);
    expect(cursor.count).toBe(140_000 - (counts.at(-1) as number));
    expect(cursor.end).toBeUndefined();
    expect(cursor.damage?.code).toBe('VMTAPE_TRACE_TRUNCATED');
    expect(cursor.damage?.message).toMatch(/frame \d+ at byte \d+ is cut off/);
  });

  it('is refused or known as damaged wherever it is cut or a byte is changed', () => {
    const path = join(directory, 'a');
    writeTrace(path, 50);
    const whole = readFileSync(path);
    const read = (bytes: Uint8Array): VmtapeError | undefined => {
      writeFileSync(path, bytes);
      try {
        const reader = new TraceReader(path);
        reader.loadMemory(() => {});
        const cursor = reader.cursor();
        while (cursor.next());
        reader.close();
        return cursor.damage ?? reader.index.damage;
      } catch (error) {
        if (error instanceof VmtapeError) return error;
        throw error;
      }
    };
    for (let at = 0; at < whole.length; at += 3) {
      expect(read(whole.subarray(0, at))?.code, `cut at ${at}`).toMatch(/^VMTAPE_TRACE_(TRUNCATED|FOREIGN)$/);
      const changed = Uint8Array.from(whole);
      changed[at] = (changed[at] as number) ^ 0x40;
      expect(read(changed)?.exitCode, `changed at ${at}`).toBe(5);
    }
    expect(read(whole)).toBeUndefined();
    expect(read(Uint8Array.from([...whole, 0]))?.code).toBe('VMTAPE_TRACE_TRUNCATED');
  });

  it('of another kind or a newer version is refused by name', () => {
    const path = join(directory, 'a');
    writeFileSync(path, 'just a text\n');
    expect(caught(() => new TraceReader(path)).code).toBe('VMTAPE_TRACE_FOREIGN');
    writeFileSync(path, '');
    expect(caught(() => new TraceReader(path)).message).toContain('it is empty');
    expect(caught(() => new TraceReader(directory)).message).toContain('directory');
    expect(caught(() => new TraceReader(join(directory, 'nothing'))).message).toContain('does not exist');
    writeTrace(path, 1);
    const bytes = readFileSync(path);
    bytes[8] = 9;
    writeFileSync(path, bytes);
    expect(caught(() => new TraceReader(path)).code).toBe('VMTAPE_TRACE_VERSION');
  });
});

describe('a record frame', () => {
  it('holds landmarks, assists and digests', () => {
    const writer = new RecordFrameWriter(false);
    const landmark = {
      cpuHash: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      pages: [0, 5, 0xb_ffff],
      hashes: Uint8Array.from({ length: 24 }, (_, index) => 0xf0 ^ index),
    };
    const registers = new Uint8Array(144).fill(0x11);
    writer.inject(0, 0x30, 3, registers, landmark);
    writer.inject(0, 0x31, 0, registers);
    writer.inject(0, 0, 5, registers, landmark);
    writer.assist(0, Uint8Array.of(0x48, 0x0f, 0xc7, 0x0f));
    writer.digest(0, Uint8Array.of(0xaa, 0xbb), Uint8Array.of(0xcc));
    const reader = new RecordFrameReader(writer.take());
    const record = new TraceRecord();
    reader.next(record);
    expect(record.landmark).toEqual(landmark);
    expect(formatRecord(record)).toBe('#0 inject vector 0x30 at landmark with 3 pages, rip 0x1111111111111111');
    reader.next(record);
    expect(record.landmark).toBeUndefined();
    reader.next(record);
    expect(record.landmark).toEqual(landmark);
    expect(formatRecord(record)).toBe('#2 inject nothing at waypoint with 3 pages, rip 0x1111111111111111');
    reader.next(record);
    expect(formatRecord(record)).toBe('#3 assist 48 0f c7 0f');
    expect(record.architectural).toBe(false);
    reader.next(record);
    expect(formatRecord(record)).toBe('#4 digest run aabb state cc');
    expect(reader.next(record)).toBe(false);
  });

  it('has room for a landmark of 384 MiB, which is alone in it', () => {
    const writer = new RecordFrameWriter(false);
    const pages = Array.from({ length: 98_304 }, (_, index) => index * 16);
    const hashes = Uint8Array.from({ length: pages.length * 8 }, (_, index) => index * 31);
    writer.inject(0, 0x30, 3, new Uint8Array(144).fill(0x77), { cpuHash: new Uint8Array(8), pages, hashes });
    expect(writer.full).toBe(true);
    const payload = writer.take();
    expect(payload.length).toBeLessThanOrEqual(0x10_0000);
    const record = new TraceRecord();
    new RecordFrameReader(payload).next(record);
    expect(record.landmark).toEqual({ cpuHash: new Uint8Array(8), pages, hashes });
  });

  it('with a landmark that claims more pages than it has bytes is refused', () => {
    const data = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff, 0xff, 0x7f, 0]);
    const nothing = new Uint8Array(0);
    const shapes = Uint8Array.of(11, 3, 0x20, data.length);
    const payload = packMessage([0, 1, -1, 0, shapes, Uint8Array.of(0), nothing, data, nothing, nothing]);
    expect(() => new RecordFrameReader(payload).next(new TraceRecord())).toThrow('more pages than bytes');
  });
});

describe('crc32', () => {
  it('is that of IEEE 802.3 by either way', () => {
    const bytes = new TextEncoder().encode('123456789');
    expect(crc32ByTable(bytes)).toBe(0xcbf4_3926);
    expect(crc32(bytes)).toBe(0xcbf4_3926);
    expect(crc32ByTable(bytes.subarray(4), crc32ByTable(bytes.subarray(0, 4)))).toBe(0xcbf4_3926);
  });
});

describe('msgpack', () => {
  it('goes there and back', () => {
    const value = { a: [1, -1, 300, -70_000, 2 ** 40, 1.5, null, true], b: 'text', c: { d: 'x'.repeat(300) } };
    expect(unpackMessage(packMessage(value))).toEqual(value);
  });
  it.each([
    ['an array longer than the bytes', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['bytes longer than the bytes', [0xc6, 0x7f, 0xff, 0xff, 0xff, 1]],
    ['an extension', [0xd4, 0x72, 0x40]],
    ['nesting without end', new Array(100).fill(0x91)],
    ['nothing', []],
    ['something behind it', [1, 1]],
  ])('refuses %s', (_name, bytes) => {
    expect(() => unpackMessage(Uint8Array.from(bytes))).toThrow(/^has /);
  });
});
