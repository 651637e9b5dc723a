/**
 * What a trace costs: writing its records, its bytes beside those of others, opening a large one, seeking in it and reading it. All
 * times but the throughputs are of the processor: these machines are shared.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { gzipSync } from 'node:zlib';
import { Prng } from '../src/base/prng.js';
import { Ledger } from '../src/record/ledger.js';
import { RecordSession } from '../src/record/session.js';
import { JsonlExporter } from '../src/trace/export/jsonl.js';
import { encodeFrame } from '../src/trace/frame.js';
import { endAnywhere, type TraceHeader } from '../src/trace/header.js';
import { openTrace } from '../src/trace/open.js';
import { TraceReader } from '../src/trace/reader.js';
import { RecordKind, TraceRecord } from '../src/trace/record.js';
import { repairTrace } from '../src/trace/repair.js';
import { MARK_DISTANCE, RunDigest } from '../src/trace/run-digest.js';
import { TraceWriter } from '../src/trace/writer.js';
import { cpuStateTable, powerOnState } from '../src/vmm/cpu/state.js';
import type { MachineOptions } from '../src/vmm/machine-options.js';
import { encodeState } from '../src/vmm/state/codec.js';
import { debianFolder, optionsFor, qemuBoot } from './debian.js';
import { median, printTable } from './figures.js';
import { optionsFor as machineOf } from './ours.js';

const MEMORY = 0x10_0000;
/** Exits of the boot on KVM that are recorded: a cloud machine's KVM makes some ten thousand a second. */
const KVM_EXITS = 60_000;
const LARGE = 1e9;
/** A kind of frame that readers skip. */
const FILLER = 99;

const header: TraceHeader = {
  id: new Uint8Array(16),
  date: 0,
  vmtape: 'bench',
  engine: 'interp',
  counting: true,
  cpuModel: 'bench',
  cpuid: [],
  memorySize: MEMORY,
  romSize: 0,
  cpuState: encodeState(cpuStateTable, powerOnState()),
  hooks: [],
  rtcTime: 0,
  seed: 1,
  strictBus: false,
  tsc: 'hook',
  files: [],
  embedded: true,
  options: {},
  host: {},
  ledger: null,
};

const end = endAnywhere({ reason: 'limit', exitCode: 0, message: '', retired: 2 ** 40 });

/** Milliseconds of processor time. */
function processor(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const none = new Uint8Array(0);
const view = new DataView(new ArrayBuffer(8));

/** As a recorder writes them: accesses of a serial port, of timers and of the local APIC, with values by chance. */
class Source {
  readonly #random = new Prng(7);
  readonly #digest = new RunDigest();
  #retired = 0;

  constructor(readonly writer: TraceWriter) {}

  write(count: number): void {
    const { records } = this.writer;
    for (let index = 0; index < count; index++) {
      const chance = this.#random.u32();
      this.#retired += 20 + (chance & 0xff);
      view.setUint32(0, chance, true);
      const isMemory = (chance & 7) === 0;
      const kind = isMemory ? RecordKind.MmioWrite : chance & 8 ? RecordKind.IoRead : RecordKind.IoWrite;
      const address = isMemory ? 0xfee0_00b0 : 0x3f8 + (chance & 7);
      const size = isMemory ? 4 : 1;
      records.access(kind, this.#retired, address, size, view, 0);
      this.#digest.access(kind, address, size, view, 0);
      if (records.architectural % MARK_DISTANCE === 0) records.digest(this.#retired, this.#digest.bytes(), none);
      if (records.full) this.writer.flush();
    }
  }
}

function newTrace(path: string): TraceWriter {
  return new TraceWriter(path, header, { ram: [{ gpa: 0, bytes: new Uint8Array(MEMORY) }] });
}

/** The vCPU's side of a record, batch by batch, by the clock: a batch is too short for that of the processor. */
async function benchPath(path: string): Promise<void> {
  const writer = newTrace(path);
  const source = new Source(writer);
  const batch = 500;
  const costs: number[] = [];
  source.write(200_000);
  for (let round = 0; round < 2000; round++) {
    const start = performance.now();
    source.write(batch);
    costs.push(((performance.now() - start) * 1e6) / batch);
    if (round % 100 === 99) await writer.drained();
  }
  writer.finish(end);
  console.log(`  a record, its digest with it: median ${median(costs).toFixed(0)} ns`);
}

async function benchThroughput(path: string, records: number): Promise<void> {
  const writer = newTrace(path);
  const source = new Source(writer);
  const start = performance.now();
  for (let done = 0; done < records; done += 100_000) {
    source.write(100_000);
    if (writer.backlog > 0x200_0000) await writer.drained();
    else await new Promise((resolve) => setImmediate(resolve));
  }
  writer.finish(end);
  const seconds = (performance.now() - start) / 1000;
  const { size } = statSync(path);
  console.log(
    `  written with compression and all: ${(records / seconds / 1e6).toFixed(1)} million records a second, ${(size / records).toFixed(2)} bytes a record`,
  );
}

/** Fills up the trace with frames that mean nothing, and closes it. */
function enlarge(path: string): void {
  const reader = new TraceReader(path);
  let number = reader.index.frames;
  reader.close();
  const payload = new Uint8Array(0x10_0000);
  for (let size = statSync(path).size; size < LARGE; size += payload.length + 24) {
    appendFileSync(path, encodeFrame(FILLER, number++, 0, payload, payload));
  }
  repairTrace(path);
}

async function benchReading(path: string, records: number): Promise<void> {
  const writer = newTrace(path);
  const source = new Source(writer);
  for (let done = 0; done < records; done += 100_000) {
    source.write(100_000);
    await writer.drained();
  }
  writer.flush();
  writer.close();
  enlarge(path);
  const opens: number[] = [];
  for (let round = 0; round < 20; round++) {
    const start = performance.now();
    (await openTrace(path)).close();
    opens.push(performance.now() - start);
  }
  const { size } = statSync(path);
  console.log(
    `  a trace of ${(size / 1e9).toFixed(2)} GB opens in ${median(opens).toFixed(2)} ms (median; the first in ${opens[0]?.toFixed(2)})`,
  );
  const reader = new TraceReader(path);
  const random = new Prng(3);
  const seeks: number[] = [];
  for (let round = 0; round < 300; round++) {
    const wanted = random.below(records);
    const start = processor();
    const cursor = reader.cursor(wanted);
    if (!cursor.next() || cursor.record.ordinal !== wanted) throw new Error(`record ${wanted} was not found`);
    seeks.push(processor() - start);
  }
  reader.close();
  const most = Math.max(...seeks);
  console.log(
    `  a record of ${(records / 1e6).toFixed(0)} million is found by its ordinal in ${median(seeks).toFixed(1)} ms of processor time (median; at most ${most.toFixed(1)})`,
  );
  const trace = await openTrace(path);
  const record = new TraceRecord();
  let count = 0;
  const start = processor();
  for await (const frame of trace.frames()) while (frame.next(record)) count++;
  const seconds = (processor() - start) / 1000;
  trace.close();
  console.log(`  all are read at ${(count / seconds / 1e6).toFixed(1)} million records a second of processor time`);
}

async function recordTo(path: string, machine: MachineOptions): Promise<number> {
  const { engine } = machine;
  const session = await RecordSession.open({
    machine,
    path,
    id: new Uint8Array(16),
    date: 0,
    options: {},
    tsc: 'hook',
    ledger: new Ledger({ engine, tsc: 'hook' }).toJSON(),
    host: {},
  });
  try {
    return (await session.run()).records;
  } finally {
    session.close();
  }
}

function imageOf(name: string): Uint8Array {
  return readFileSync(new URL(`../../corpora/guests/${name}.bin`, import.meta.url));
}

/** A row of the table of bytes. */
function weigh(name: string, path: string): readonly string[] {
  const reader = new TraceReader(path);
  const exporter = new JsonlExporter();
  const cursor = reader.cursor();
  const pieces = [exporter.begin()];
  let stored = 0;
  for (const place of reader.index.framesOf(5)) stored += reader.head(place).stored + 24;
  while (cursor.next()) pieces.push(exporter.record(cursor.record));
  pieces.push(exporter.finish());
  reader.close();
  const text = Buffer.from(pieces.join(''));
  const file = `${path}.jsonl`;
  writeFileSync(file, text);
  const zstd = spawnSync('zstd', ['-19', '-q', '-c', file], { maxBuffer: 1 << 30 });
  rmSync(file);
  const each = (bytes: number): string => (bytes / cursor.count).toFixed(3);
  return [
    name,
    String(cursor.count),
    each(stored),
    each(statSync(path).size),
    each(gzipSync(text, { level: 9 }).length),
    zstd.status === 0 ? each(zstd.stdout.length) : 'no zstd',
  ];
}

async function benchBytes(folder: string): Promise<void> {
  const rows: (readonly string[])[] = [
    ['bytes a record', 'records', 'records alone', 'whole trace', 'JSONL, gzip -9', 'JSONL, zstd -19'],
  ];
  const absent: string[] = [];
  const row = async (name: string, options: () => MachineOptions): Promise<void> => {
    const path = join(folder, 'weighed.vmtape');
    try {
      await recordTo(path, options());
      rows.push(weigh(name, path));
    } catch (error) {
      absent.push(`  ${name}: not measured, ${(error as Error).message}`);
    }
    rmSync(path, { force: true });
  };
  for (const engine of ['interp', 'kvm'] as const)
    await row(`interrupt guest, ${engine}`, () => machineOf(engine, imageOf('prot32-ticks'), 32));
  if (existsSync(join(debianFolder, 'vmlinux'))) {
    const limits = { exits: KVM_EXITS, timeout: 60 };
    await row('boot of Debian, kvm', () => ({ ...optionsFor({ write: () => {} }, 'kvm'), limits }));
  } else absent.push('  boot of Debian: not measured, npm run guest:debian fetches it');
  printTable(rows);
  for (const line of absent) console.log(line);
}

async function benchQemuLog(folder: string): Promise<void> {
  const path = join(folder, 'qemu.rr');
  try {
    await qemuBoot(['-accel', 'tcg', '-icount', `shift=3,rr=record,rrfile=${path}`]);
    console.log(`  QEMU's replay log of the whole boot of Debian: ${statSync(path).size} bytes`);
  } catch (error) {
    console.log(`  QEMU's replay log: not measured, ${(error as Error).message.replace(/\s+/g, ' ')}`);
  }
}

/** Prints the section. */
export async function benchTraces(quick: boolean): Promise<void> {
  console.log('\nTraces.\n');
  const folder = mkdtempSync(join(tmpdir(), 'vmtape-bench-'));
  const records = quick ? 1_000_000 : 10_000_000;
  try {
    await benchPath(join(folder, 'path.vmtape'));
    await benchThroughput(join(folder, 'throughput.vmtape'), records / 2);
    await benchReading(join(folder, 'large.vmtape'), records);
    rmSync(join(folder, 'large.vmtape'));
    await benchBytes(folder);
    if (!quick && existsSync(join(debianFolder, 'vmlinux'))) await benchQemuLog(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
