/** The corpus of the trace fuzzer: small traces with everything that a trace can have. */
import { TraceAppender } from '../trace/append.js';
import type { TraceEnd, TraceHeader } from '../trace/header.js';
import { RecordKind } from '../trace/record.js';
import { RunDigest } from '../trace/run-digest.js';
import { TraceWriter } from '../trace/writer.js';

const MEMORY = 0x10_0000;
const SHA256 = '5e'.repeat(32);

const header: TraceHeader = {
  id: new Uint8Array(16).fill(7),
  date: 1_767_225_600_000,
  vmtape: '0.1.0',
  engine: 'interp',
  counting: true,
  cpuModel: 'fuzz',
  cpuid: [{ function: 1, index: 0, indexed: false, eax: 1, ebx: 2, ecx: 3, edx: 4 }],
  memorySize: MEMORY,
  romSize: 0x2000,
  cpuState: new Uint8Array(40).fill(1),
  hooks: [{ key: 0x1002n, address: 0x1000n, kind: 1, register: 0, width: 32, length: 2 }],
  rtcTime: 1,
  seed: 1,
  strictBus: false,
  tsc: 'hook',
  files: [{ role: 'flat', name: '../../etc/passwd', size: 0x3000, sha256: SHA256 }],
  embedded: true,
  options: { flat: '/etc/passwd' },
  host: {},
  ledger: [{ id: 'io', status: 'closed' }],
};

const end: Omit<TraceEnd, 'records'> = {
  reason: 'halted',
  exitCode: 0,
  message: 'The guest halted.',
  position: 'exit',
  retired: 1_000_000,
  consoleBytes: 3,
  consoleDigest: 'ab',
  debugBytes: 0,
  debugDigest: '',
  registers: new Uint8Array(144),
  memoryDigest: 'cd',
  inexact: ['io'],
  assists: 1,
};

/** Every kind of record, in every form. */
function writeRecords(writer: TraceWriter): void {
  const { records } = writer;
  const view = new DataView(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer);
  const registers = Uint8Array.from({ length: 144 }, (_, index) => index);
  const landmark = {
    fpuHash: new Uint8Array(8).fill(3),
    cpuHash: new Uint8Array(8).fill(5),
    pages: [1, 5, 200],
    hashes: new Uint8Array(24).fill(4),
  };
  // A mark: the digest of no records.
  records.digest(5, new RunDigest().bytes(), new Uint8Array(0));
  for (const size of [1, 2, 4]) records.access(RecordKind.IoRead, 10, 0x3fd, size, view, 0);
  for (const size of [1, 3, 8]) records.access(RecordKind.MmioWrite, 20, 0xfee0_0000, size, view, 0);
  records.msr(RecordKind.MsrRead, 30, 0x1b, false, view, 0);
  records.msr(RecordKind.MsrWrite, 30, 0xc000_0080, true, view, 0);
  records.vcpu = 1;
  records.plain(RecordKind.Halt, 40);
  records.vcpu = 0;
  for (const kind of [1, 2, 3, 4, 5]) records.hook(50, 0, kind, 60, kind === 2 ? 0xffff_ffff : 0, 7, 8);
  records.time(60, 1_000_000);
  records.inject(70, 0x20, 0, registers);
  records.inject(
    80,
    0x30,
    3,
    registers.map((byte) => byte & 0xf0),
    landmark,
  );
  records.input(90, 0x61);
  writer.dma(100, 0x2000, Uint8Array.of(1, 2, 3));
  writer.dma(100, 0x3000, new Uint8Array(700).fill(9));
  writer.dma(100, 0x4000, new Uint8Array(600));
  records.assist(110, Uint8Array.of(0x0f, 0xc7));
  records.digest(120, new Uint8Array(4).fill(1), new Uint8Array(32).fill(2));
  writer.flush();
}

function memory(): Uint8Array {
  const ram = new Uint8Array(MEMORY);
  for (let at = 0x1000; at < 0x4000; at++) ram[at] = at >> 4;
  ram.fill(0x90, 0x8000, 0xa000);
  return ram;
}

/** Writes the corpus to files in a folder; their paths. */
export function writeSeedTraces(folder: string): string[] {
  const rom = { gpa: 0xffff_e000, bytes: new Uint8Array(0x2000).fill(0xcc) };
  const ram = memory();
  const paths = ['whole', 'open', 'placed', 'checkpoints', 'many'].map((name) => `${folder}/${name}.vmtape`);
  const [whole, open, placed, checkpoints, many] = paths as [string, string, string, string, string];
  for (const path of [whole, open, checkpoints]) {
    const writer = new TraceWriter(path, header, { ram: [{ gpa: 0, bytes: ram }, rom] });
    writeRecords(writer);
    writeRecordsBehind(writer);
    if (path === open) writer.close();
    else writer.finish(end);
  }
  const file = ram.slice(0x1000, 0x4000);
  const placements = [{ file: 0, offset: 0, length: file.length, gpa: 0x1000 }];
  const patched = ram.slice();
  patched[0x1804] = 1;
  const notEmbedded = { ...header, counting: false, embedded: false, romSize: 0 };
  const writer = new TraceWriter(placed, notEmbedded, {
    ram: [{ gpa: 0, bytes: patched }],
    placed: { files: [file], placements },
  });
  writeRecords(writer);
  writer.finish({ ...end, retired: -1 });
  addCheckpoints(checkpoints, ram, rom);
  writeManyFrames(many);
  return paths;
}

function writeRecordsBehind(writer: TraceWriter): void {
  for (let index = 0; index < 30; index++) writer.records.plain(RecordKind.Halt, 200 + index);
  writer.flush();
}

function addCheckpoints(path: string, ram: Uint8Array, rom: { gpa: number; bytes: Uint8Array }): void {
  const appender = new TraceAppender(path);
  for (const record of [3, 20, 40]) {
    ram[0x5000 * record] = record;
    ram.fill(0, 0x8000, 0x9000);
    appender.checkpoint({ record, retired: record, time: record, parts: { cpu: Uint8Array.of(1, 2, record) } }, [
      { gpa: 0, bytes: ram },
      rom,
    ]);
  }
  appender.finish();
}

/** More frames than an index lists. */
function writeManyFrames(path: string): void {
  const writer = new TraceWriter(path, { ...header, romSize: 0 }, { ram: [{ gpa: 0, bytes: new Uint8Array(MEMORY) }] });
  for (let index = 0; index < 1060; index++) {
    writer.records.plain(RecordKind.Halt, index);
    writer.flush();
  }
  writer.finish(end);
}

/** The file that the corpus names and does not have. */
export function seedFile(sha256: string): Uint8Array | undefined {
  return sha256 === SHA256 ? memory().slice(0x1000, 0x4000) : undefined;
}
