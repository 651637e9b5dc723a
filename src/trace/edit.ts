/** Making a changed copy of a trace: for tests of replaying, and for asking what a guest would do with another answer. */
import { FRAME_HEAD_SIZE, FrameKind, PRELUDE_SIZE } from './format.js';
import { FrameFile } from './frame-file.js';
import { FrameWriter } from './frame-writer.js';
import { endMessage, headerMessage, parseEnd, parseHeader, type TraceEnd, type TraceHeader } from './header.js';
import { packMessage, unpackMessage } from './msgpack.js';
import { TraceReader } from './reader.js';
import { RecordKind, TraceRecord } from './record.js';
import { RecordFrameReader } from './record-reader.js';
import { RecordFrameWriter } from './record-writer.js';
import { marksMessages, RunDigest } from './run-digest.js';

/** What is changed. */
export interface TraceEdit {
  /** Changes the record, or returns false to leave it out. */
  readonly record?: (record: TraceRecord) => boolean | undefined;
  readonly header?: (header: TraceHeader) => TraceHeader;
  readonly end?: (end: TraceEnd) => TraceEnd;
}

/** Copies the trace `from` to `to` with the changes; lengths, totals, index and checksums are made to fit. */
export function editTrace(from: string, to: string, edit: TraceEdit): void {
  const file = new FrameFile(from);
  const trace = new TraceReader(from);
  const writer = FrameWriter.create(to, file.id, file.date);
  try {
    let records = new RecordFrameWriter(false);
    const digest = new RunDigest();
    const flush = (): void => {
      const { count } = records;
      if (count > 0) writer.write(FrameKind.Records, records.take(), count);
    };
    const { frames, bytes } = trace.index;
    let ended = false;
    for (let place = file.place(0, PRELUDE_SIZE); place.frame < frames && place.byte < bytes; ) {
      const { kind, payload, count, stored } = file.read(place);
      place = file.place(place.frame + 1, place.byte + FRAME_HEAD_SIZE + stored);
      if (kind === FrameKind.Header) {
        const header = parseHeader(unpackMessage(payload), file.id, file.date);
        const edited = edit.header?.(header) ?? header;
        records = new RecordFrameWriter(edited.counting);
        writer.write(kind, packMessage(headerMessage(edited)));
      } else if (kind === FrameKind.Records) {
        const frame = new RecordFrameReader(payload, (number) => trace.blob(number));
        const record = new TraceRecord();
        while (frame.next(record)) {
          if (edit.record?.(record) !== false) appendFitting(records, record, digest);
          if (records.full) flush();
        }
      } else if (kind === FrameKind.End) {
        flush();
        for (const marks of marksMessages(records.marks)) writer.write(FrameKind.Marks, marks.payload, marks.count);
        const end = parseEnd(unpackMessage(payload));
        writer.write(kind, packMessage(endMessage({ ...(edit.end?.(end) ?? end), records: records.total })));
        ended = true;
      } else if (kind === FrameKind.PageMap || kind === FrameKind.Placements || kind === FrameKind.Blobs) {
        writer.write(kind, payload, count);
      }
    }
    flush();
    if (ended) writer.finish(true);
  } finally {
    writer.close();
    trace.close();
    file.close();
  }
}

/** Writes a record; a rolling digest becomes that of the records as they are now. */
function appendFitting(records: RecordFrameWriter, record: TraceRecord, digest: RunDigest): void {
  digest.add(record);
  if (record.kind === RecordKind.Digest && record.bytes.length > 0) record.bytes = digest.bytes();
  append(records, record);
}

/** Writes a record as it was read. */
export function append(records: RecordFrameWriter, record: TraceRecord): void {
  const { kind, retired, address, size, data } = record;
  const view = new DataView(data.buffer, data.byteOffset);
  records.vcpu = record.vcpu;
  switch (kind) {
    case RecordKind.IoRead:
    case RecordKind.IoWrite:
    case RecordKind.MmioRead:
    case RecordKind.MmioWrite:
      records.access(kind, retired, address, size, view, 0);
      return;
    case RecordKind.MsrRead:
    case RecordKind.MsrWrite:
      records.msr(kind, retired, address, record.fault, view, 0);
      return;
    case RecordKind.Halt:
    case RecordKind.Shutdown:
      records.plain(kind, retired);
      return;
    case RecordKind.Hook:
      records.hook(retired, address, record.hookKind, record.low, record.high, record.aux, record.ebx);
      return;
    case RecordKind.Time:
      records.time(retired, record.time);
      return;
    case RecordKind.Inject:
      records.inject(retired, record.vector, record.landing, record.registers, record.landmark);
      return;
    case RecordKind.Input:
      records.input(retired, record.bytes[0] as number);
      return;
    case RecordKind.Dma:
      records.dma(retired, address, record.bytes);
      return;
    case RecordKind.Assist:
      records.assist(retired, record.bytes, record.address);
      return;
    case RecordKind.Digest:
      records.digest(retired, record.bytes, record.stateDigest);
      return;
  }
}
