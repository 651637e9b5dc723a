/** Writes a trace again with one record changed: well-formed, checksums and all, but no longer what happened. */
import { TraceReader } from '../../src/trace/reader.js';
import { RecordKind, type TraceRecord } from '../../src/trace/record.js';
import { TraceWriter } from '../../src/trace/writer.js';

/** Copies `from` to `to`; `change` may alter each record before it is written. */
export function rewriteTrace(from: string, to: string, change: (record: TraceRecord) => void): void {
  const reader = new TraceReader(from);
  try {
    const ram: { gpa: number; bytes: Uint8Array }[] = [];
    reader.loadPages((gpa, bytes) => ram.push({ gpa, bytes: bytes.slice() }));
    ram.sort((a, b) => a.gpa - b.gpa);
    const writer = new TraceWriter(to, reader.header, { ram, rom: reader.rom });
    const cursor = reader.cursor();
    while (cursor.next()) {
      change(cursor.record);
      append(writer, cursor.record);
      if (writer.records.full) writer.flush();
    }
    if (cursor.end === undefined) throw new Error(`${from} has no end: ${cursor.damage?.message}`);
    writer.finish(cursor.end);
  } finally {
    reader.close();
  }
}

function append(writer: TraceWriter, record: TraceRecord): void {
  const { records } = writer;
  const { kind, retired, address, size } = record;
  const view = new DataView(record.data.buffer);
  switch (kind) {
    case RecordKind.IoRead:
    case RecordKind.IoWrite:
    case RecordKind.MmioRead:
    case RecordKind.MmioWrite:
      records.access(kind, retired, address, size, view, 0);
      break;
    case RecordKind.MsrRead:
    case RecordKind.MsrWrite:
      records.msr(kind, retired, address, record.fault, view, 0);
      break;
    case RecordKind.Halt:
    case RecordKind.Shutdown:
      records.plain(kind, retired);
      break;
    case RecordKind.Hook:
      records.hook(retired, address, record.hookKind, record.low, record.high, record.aux, record.ebx);
      break;
    case RecordKind.Time:
      records.time(retired, record.time);
      break;
    case RecordKind.Inject:
      records.inject(retired, record.vector, record.landing, record.registers);
      break;
    case RecordKind.Input:
      for (const byte of record.bytes) records.input(retired, byte);
      break;
    case RecordKind.Dma:
      records.dma(retired, address, record.bytes);
      break;
  }
}
