import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VmtapeError } from '../../src/base/errors.js';
import { TraceAppender } from '../../src/trace/append.js';
import { FrameKind } from '../../src/trace/format.js';
import { FrameFile } from '../../src/trace/frame-file.js';
import { FrameWriter } from '../../src/trace/frame-writer.js';
import { openTrace } from '../../src/trace/open.js';
import { TraceReader } from '../../src/trace/reader.js';
import { formatRecord, RecordKind, TraceRecord } from '../../src/trace/record.js';
import { repairTrace } from '../../src/trace/repair.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { linesOf, ramOf, smallEnd, smallHeader } from '../helpers/trace.js';

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmtape-format-'));
  path = join(directory, 'a.vmtape');
});
afterEach(() => rmSync(directory, { recursive: true }));

const view = new DataView(new ArrayBuffer(8));

function openWriter(ram = new Uint8Array(0x10_0000), header = smallHeader): TraceWriter {
  return new TraceWriter(path, header, { ram: [{ gpa: 0, bytes: ram }] });
}

/** A trace of port writes, `perFrame` records a frame. */
function writePorts(records: number, perFrame: number): void {
  const writer = openWriter();
  for (let index = 0; index < records; index++) {
    view.setUint8(0, index);
    writer.records.access(RecordKind.IoWrite, index * 10, 0x80, 1, view, 0);
    if ((index + 1) % perFrame === 0) writer.flush();
  }
  writer.finish(smallEnd);
}

async function problems(file = path): Promise<string[]> {
  return (await verifyTrace(file)).problems.map(({ message }) => message.replace(file, 'F'));
}

describe('a list of frames that becomes due', () => {
  it('at the root or the trailer is not written: nothing comes between them, or behind', async () => {
    // Header, page map, records, end, root, trailer: the 1,024th frame is each of the last ones once.
    for (let records = 1017; records < 1024; records++) {
      writePorts(records, 1);
      expect(await problems(), `${records} frames of records`).toEqual([]);
      const reader = new TraceReader(path);
      expect(reader.index.isClosed, `${records} frames of records`).toBe(true);
      reader.close();
      const appender = new TraceAppender(path);
      appender.checkpoint({ record: 5, retired: 0, time: 0, parts: {} }, [
        { gpa: 0, bytes: new Uint8Array(0x10_0000) },
      ]);
      appender.finish();
      expect(await problems(), `${records} frames of records, and a checkpoint`).toEqual([]);
    }
  }, 60_000);
});

describe('the index', () => {
  it('finds every record over several lists of frames', async () => {
    writePorts(2600, 1);
    expect(await problems()).toEqual([]);
    const reader = new TraceReader(path);
    expect(reader.index.root.lists).toHaveLength(2);
    for (const from of [0, 1, 1021, 1022, 1023, 1024, 2043, 2047, 2048, 2599]) {
      const cursor = reader.cursor(from);
      expect(cursor.next()).toBe(true);
      expect(formatRecord(cursor.record)).toBe(
        `#${from} @${from * 10} io-write port 0x80 size 1 = 0x${(from % 256).toString(16).padStart(2, '0')}`,
      );
    }
    expect(reader.cursor(2600).next()).toBe(false);
    reader.close();
  });

  it('is that which a search for frames finds', () => {
    writePorts(2600, 1);
    const closed = new TraceReader(path);
    writeFileSync(path, readFileSync(path).subarray(0, closed.size - 49));
    const searched = new TraceReader(path);
    expect(searched.index.isClosed).toBe(false);
    expect(searched.index.damage?.code).toBe('VMTAPE_TRACE_TRUNCATED');
    for (const from of [0, 1023, 2047, 2599]) {
      expect(searched.index.find(5, from)).toEqual(closed.index.find(5, from));
    }
    searched.close();
    closed.close();
  });

  it('of which a byte is changed is refused', async () => {
    writePorts(10, 5);
    const whole = readFileSync(path);
    const { root } = new TraceReader(path).index;
    const start = root.tail.byte + [...root.tail.sizes].reduce((sum, size) => sum + size, 0);
    for (let at = start; at < whole.length; at++) {
      const changed = Uint8Array.from(whole);
      changed[at] = (changed[at] as number) ^ 1;
      writeFileSync(path, changed);
      const error = await verifyTrace(path).then(
        (verdict) => verdict.problems[0],
        (thrown: unknown) => thrown,
      );
      expect(error, `byte ${at}`).toBeInstanceOf(VmtapeError);
    }
  });
});

describe('frames of kinds that are not known', () => {
  it('are skipped', async () => {
    writePorts(4, 2);
    const file = new FrameFile(path);
    const frames = [...file.frames()].filter(({ kind }) => kind < 9);
    file.close();
    const writer = FrameWriter.create(path, smallHeader.id, smallHeader.date);
    for (const { kind, payload, count } of frames) {
      writer.write(kind, payload, count);
      writer.write(77, Uint8Array.of(0xc1, 1, 2));
    }
    writer.finish(true);
    writer.close();
    expect(linesOf(path)).toHaveLength(4);
    expect(await verifyTrace(path)).toMatchObject({ unknown: frames.length, problems: [], isWhole: true });
  });
});

describe('contents', () => {
  it('stand once, and zeros not at all', () => {
    const ram = new Uint8Array(0x10_0000);
    ram.fill(1, 0x1000, 0x9000);
    ram[0xf_f000] = 5;
    openWriter(ram).finish(smallEnd);
    const reader = new TraceReader(path);
    expect(reader.index.root.blobs).toBe(2);
    expect(Buffer.compare(ramOf(reader), ram)).toBe(0);
    reader.close();
  });

  it('of DMA stand once too', async () => {
    const writer = openWriter();
    const block = Uint8Array.from({ length: 0x2_0000 }, (_, index) => index >> 3);
    writer.dma(1, 0x5000, block);
    writer.dma(2, 0x8_0000, block);
    writer.dma(3, 0x3000, new Uint8Array(1000));
    writer.dma(4, 0x4000, Uint8Array.of(1, 2, 3));
    writer.finish(smallEnd);
    expect(await problems()).toEqual([]);
    const trace = await openTrace(path);
    const ram = new Uint8Array(0x10_0000).fill(0xff);
    let count = 0;
    for await (const record of trace.records()) {
      ram.set(record.bytes, record.address);
      count++;
    }
    expect(count).toBe(6);
    expect((await trace.record(1))?.bytes).toEqual(block.subarray(0x1_0000));
    expect((await trace.record(5))?.bytes.length).toBe(3);
    expect(trace.totals.blobs).toBe(1);
    expect(ram.subarray(0x5000, 0x2_5000)).toEqual(block);
    expect(ram.subarray(0x8_0000, 0xa_0000)).toEqual(block);
    expect([...ram.subarray(0x3000, 0x33e9)].every((byte, at) => byte === (at < 1000 ? 0 : 0xff))).toBe(true);
    expect([...ram.subarray(0x4000, 0x4003)]).toEqual([1, 2, 3]);
    trace.close();
  });
});

describe('records', () => {
  it('have the number of their vCPU', async () => {
    const writer = openWriter();
    for (const vcpu of [0, 0, 3, 3, 0, 1]) {
      writer.records.vcpu = vcpu;
      writer.records.plain(RecordKind.Halt, 5);
    }
    writer.finish(smallEnd);
    const trace = await openTrace(path);
    const seen: number[] = [];
    for await (const { vcpu } of trace.records()) seen.push(vcpu);
    trace.close();
    expect(seen).toEqual([0, 0, 3, 3, 0, 1]);
  });

  it('of more different addresses than a frame has shapes for are as they were', () => {
    const writer = openWriter();
    for (let index = 0; index < 6000; index++) {
      view.setUint32(0, index);
      writer.records.access(RecordKind.MmioWrite, index, 0xfee0_0000 + ((index * 2654435761) % 65536) * 16, 4, view, 0);
    }
    writer.finish(smallEnd);
    const reader = new TraceReader(path);
    const cursor = reader.cursor();
    for (let index = 0; index < 6000; index++) {
      cursor.next();
      expect(cursor.record.address).toBe(0xfee0_0000 + ((index * 2654435761) % 65536) * 16);
      expect(new DataView(cursor.record.data.buffer).getUint32(0)).toBe(index);
    }
    expect(cursor.next()).toBe(false);
    expect(cursor.damage).toBeUndefined();
    reader.close();
  });
});

describe('openTrace', () => {
  it('gives frames, records and one record', async () => {
    writePorts(100, 30);
    const trace = await openTrace(path);
    expect(trace.totals).toMatchObject({ records: 100, isClosed: true, isComplete: true, damage: undefined });
    expect(trace.end?.records).toBe(100);
    const firsts: number[] = [];
    const record = new TraceRecord();
    let sum = 0;
    for await (const frame of trace.frames(35)) {
      firsts.push(frame.first);
      while (frame.next(record)) sum++;
    }
    expect(firsts).toEqual([30, 60, 90]);
    expect(sum).toBe(70);
    expect((await trace.record(61))?.retired).toBe(610);
    expect(await trace.record(100)).toBeUndefined();
    const few: number[] = [];
    for await (const { ordinal } of trace.records(97)) few.push(ordinal);
    expect(few).toEqual([97, 98, 99]);
    trace.close();
  });

  it('throws where a frame is damaged, after those before it', async () => {
    writePorts(100, 50);
    const bytes = readFileSync(path);
    const reader = new TraceReader(path);
    const at = (reader.index.find(5, 50)?.place.byte ?? 0) + 30;
    reader.close();
    bytes[at] = (bytes[at] as number) ^ 4;
    writeFileSync(path, bytes);
    const trace = await openTrace(path);
    let count = 0;
    const read = async () => {
      for await (const _ of trace.records()) count++;
    };
    await expect(read()).rejects.toMatchObject({ code: 'VMTAPE_TRACE_DAMAGED' });
    expect(count).toBe(50);
    trace.close();
  });
});

describe('zeros at the end of a file, as a file system leaves them that crashed', () => {
  /** A trace that was not closed, of three frames of records; where the last one begins. */
  function torn(): number {
    const writer = openWriter();
    for (let frame = 0; frame < 3; frame++) {
      for (let index = 0; index < 50; index++) {
        view.setUint8(0, (index * 37) % 251);
        writer.records.access(RecordKind.IoWrite, frame * 100 + index, 0x80, 1, view, 0);
      }
      writer.flush();
    }
    writer.close();
    const reader = new TraceReader(path);
    const { byte } = reader.index.find(FrameKind.Records, 100)?.place ?? { byte: 0 };
    reader.close();
    return byte;
  }

  it('are cut off with what is no whole frame before them, at every byte of the last frame', async () => {
    const last = torn();
    const whole = readFileSync(path);
    for (let cut = last; cut < whole.length; cut += 7) {
      writeFileSync(path, Buffer.concat([whole.subarray(0, cut), Buffer.alloc(4096)]));
      // What is cut off may be zeros itself.
      const records = whole.subarray(cut).every((byte) => byte === 0) ? 150 : 100;
      expect(repairTrace(path), `cut at ${cut - last}`).toMatchObject({ kind: 'ended', records });
      expect(await problems()).toEqual([]);
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(100_000)]));
    expect(repairTrace(path)).toMatchObject({ kind: 'ended', records: 150, lost: 100_000 });
    expect(await problems()).toEqual([]);
  });

  it('behind which something stands are not cut off', () => {
    const last = torn();
    const whole = readFileSync(path);
    const zeros = Buffer.alloc(4096);
    for (const bytes of [
      [whole, zeros, Buffer.of(1)],
      [whole.subarray(0, last + 30), zeros, whole.subarray(last), zeros],
    ]) {
      writeFileSync(path, Buffer.concat(bytes));
      const before = readFileSync(path);
      expect(() => repairTrace(path)).toThrow(/and more may be behind it/);
      expect(readFileSync(path).equals(before)).toBe(true);
    }
  });

  it('behind a file that was closed do not lose its end', async () => {
    writePorts(20, 10);
    appendFileSync(path, Buffer.alloc(5000));
    expect(repairTrace(path)).toMatchObject({ kind: 'closed', records: 20, lost: 5000 });
    expect(await problems()).toEqual([]);
  });
});

describe('checkpoints', () => {
  it('are added to a trace, and hold only what changed', async () => {
    const ram = new Uint8Array(0x10_0000).fill(7, 0, 0x3000);
    const writer = openWriter(ram);
    for (let index = 0; index < 10; index++) writer.records.plain(RecordKind.Halt, index);
    writer.finish(smallEnd);
    const before = readFileSync(path);
    for (const record of [4, 9]) {
      const appender = new TraceAppender(path);
      ram.fill(0, 0x1000, 0x2000);
      ram[0x8_0000 + record] = record;
      const info = { record, retired: record, time: 5, parts: { cpu: Uint8Array.of(record) } };
      appender.checkpoint(info, [{ gpa: 0, bytes: ram }]);
      appender.finish();
      const reader = new TraceReader(path);
      const last = reader.checkpoints().at(-1);
      expect(last).toMatchObject({ record, retired: record, time: 5 });
      expect([...(last?.parts['cpu'] ?? [])]).toEqual([record]);
      expect(Buffer.compare(ramOf(reader, last?.set), ram)).toBe(0);
      expect(reader.index.checkpointBefore(record + 1)?.record).toBe(record);
      reader.close();
      expect(await problems()).toEqual([]);
    }
    expect(readFileSync(path).subarray(0, before.length).equals(before)).toBe(true);
    expect(linesOf(path)).toHaveLength(10);
    const reader = new TraceReader(path);
    expect(reader.index.root.blobs).toBe(3);
    expect(reader.checkpoints().map(({ record }) => record)).toEqual([4, 9]);
    expect(reader.index.checkpointBefore(3)).toBeUndefined();
    reader.close();
  });

  it('whose writer died leave the trace as it was', async () => {
    writePorts(10, 5);
    const appender = new TraceAppender(path);
    appender.checkpoint({ record: 3, retired: 30, time: 0, parts: {} }, [{ gpa: 0, bytes: new Uint8Array(0x10_0000) }]);
    appender.close();
    expect(linesOf(path).slice(0, -1)).toHaveLength(10);
    expect(repairTrace(path)).toMatchObject({ kind: 'closed', records: 10 });
    expect(await problems()).toEqual([]);
    const reader = new TraceReader(path);
    expect(reader.checkpoints().map(({ record }) => record)).toEqual([3]);
    reader.close();
  });
});

describe('a trace without its guest', () => {
  const file = Uint8Array.from({ length: 0x5123 }, (_, index) => (index * 7) >> 2);
  const sha256 = 'ab'.repeat(32);
  const header = { ...smallHeader, embedded: false, files: [{ role: 'flat', name: 'g', size: file.length, sha256 }] };

  it('is made whole by its files', async () => {
    const ram = new Uint8Array(0x10_0000);
    ram.set(file, 0x7c00);
    ram.fill(9, 0x7000, 0x7100);
    ram[0x8010] = 0xe7;
    ram[0x9_0000] = 3;
    const placements = [{ file: 0, offset: 0, length: file.length, gpa: 0x7c00 }];
    new TraceWriter(path, header, { ram: [{ gpa: 0, bytes: ram }], placed: { files: [file], placements } }).finish(
      smallEnd,
    );
    expect(await problems()).toEqual([]);
    const reader = new TraceReader(path, { files: (wanted) => (wanted === sha256 ? file : undefined) });
    expect(Buffer.compare(ramOf(reader), ram)).toBe(0);
    reader.close();
    expect(readFileSync(path).includes(Buffer.from(file.subarray(0x600, 0x620)))).toBe(false);
    const alone = new TraceReader(path);
    expect(() => ramOf(alone)).toThrow(/needs the flat "g", SHA-256 abab/);
    alone.close();
  });
});

describe('repair', () => {
  it('leaves a whole trace alone', () => {
    writePorts(10, 5);
    const before = readFileSync(path);
    expect(repairTrace(path)).toMatchObject({ kind: 'whole' });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('ends a trace wherever it was cut, and only there', async () => {
    writePorts(100, 10);
    const whole = readFileSync(path);
    const found = new TraceReader(path);
    const start = found.index.find(5, 0)?.place.byte ?? 0;
    found.close();
    for (let kept = start; kept < whole.length; kept += 7) {
      writeFileSync(path, whole.subarray(0, kept));
      const before = linesOf(path).filter((line) => line.startsWith('#'));
      const result = repairTrace(path);
      expect(result.records, `${kept} bytes`).toBe(before.length);
      expect(await problems(), `${kept} bytes`).toEqual([]);
      expect(linesOf(path)).toEqual(before);
    }
  });

  it('says of a trace whose guest never ran that there is nothing to repair', () => {
    writePorts(10, 5);
    const reader = new TraceReader(path);
    reader.close();
    truncateSync(path, (reader.index.root.maps[0]?.byte ?? 0) + 5);
    expect(() => repairTrace(path)).toThrow(/truncated|is missing/);
  });

  it('does not throw away what stands behind damage, but copies what is before it', async () => {
    writePorts(100, 10);
    const whole = readFileSync(path);
    const reader = new TraceReader(path);
    const at = (reader.index.find(5, 30)?.place.byte ?? 0) + 26;
    reader.close();
    whole[at] = (whole[at] as number) ^ 0x10;
    writeFileSync(path, whole);
    expect(() => repairTrace(path)).toThrow(/more may be behind it/);
    expect(readFileSync(path).equals(whole)).toBe(true);
    const output = join(directory, 'b');
    expect(repairTrace(path, output)).toMatchObject({ kind: 'ended', records: 30 });
    expect(await problems(output)).toEqual([]);
    expect(linesOf(output)).toHaveLength(30);
    expect(readFileSync(path).equals(whole)).toBe(true);
  });
});

describe('verify', () => {
  it('names what does not fit together though every checksum is right', async () => {
    writePorts(20, 10);
    const file = new FrameFile(path);
    const frames = [...file.frames()].filter(({ kind }) => kind < 8);
    file.close();
    const without = (left: number) => {
      const writer = FrameWriter.create(path, smallHeader.id, smallHeader.date);
      for (const [index, { kind, payload, count }] of frames.entries())
        if (index !== left) writer.write(kind, payload, count);
      writer.finish(true);
      writer.close();
    };
    const second = frames.findLastIndex(({ kind }) => kind === 5);
    without(second);
    expect((await problems())[0]).toContain('says that there are 20 records, and there are 10');
    without(second - 1);
    expect((await problems())[0]).toContain('begins with record 10 in place of 0');
    without(frames.findIndex(({ kind }) => kind === 2));
    expect((await problems()).join()).toContain('the memory of the guest is not whole');
    without(frames.length - 1);
    expect((await problems()).join()).toContain('no end was marked');
    writePorts(20, 10);
    appendFileSync(path, 'x');
    expect((await problems()).join()).toContain('is cut off');
  });
});
