/** Every reader of traces, held against a file that is not trusted. */
import { existsSync, rmSync, statSync } from 'node:fs';
import { VmtapeError } from '../base/errors.js';
import { realHost } from '../base/host.js';
import { AccessNames } from '../cli/device-names.js';
import { overviewLines } from '../cli/inspect-text.js';
import { traceStart } from '../cli/trace-start.js';
import { TraceSummary } from '../cli/trace-summary.js';
import type { ReplayMode } from '../replay/options.js';
import { ReplaySession } from '../replay/session.js';
import { sliceTrace } from '../replay/slice.js';
import { diffTraces } from '../trace/diff.js';
import { ConsoleExporter } from '../trace/export/console.js';
import { type Exporter, exportRecords } from '../trace/export/exporter.js';
import { JsonlExporter } from '../trace/export/jsonl.js';
import { PerfettoExporter } from '../trace/export/perfetto.js';
import { QtestExporter } from '../trace/export/qtest.js';
import { openTrace } from '../trace/open.js';
import { TraceReader } from '../trace/reader.js';
import { formatRecord, TraceRecord } from '../trace/record.js';
import { repackTrace } from '../trace/repack.js';
import { repairTrace } from '../trace/repair.js';
import { verifyTrace } from '../trace/verify.js';
import { seedFile } from './trace-seeds.js';

/** More memory than this is not asked for: a machine may have it, but each case would. */
export const MEMORY_MAX = 0x400_0000;

/** A replay does not run longer than so many slices of some milliseconds. */
const SLICES = 2;
/** Of an export, no more bytes than these are looked at. */
const EXPORT_MAX = 0x10_0000;

/** What a reader does with a file. */
export type TraceReading = (path: string) => Promise<void>;

/** The readers by name. A typed error of theirs is right; anything else is a finding. */
export const traceReadings: Readonly<Record<string, TraceReading>> = {
  async read(path) {
    const reader = new TraceReader(path, { files: seedFile });
    try {
      const cursor = reader.cursor();
      while (cursor.next()) formatRecord(cursor.record);
      expectTyped(cursor.damage);
      reader.cursor(20).next();
      void reader.end;
      if (reader.header.memorySize > MEMORY_MAX) return;
      void reader.rom;
      reader.loadMemory(() => {});
      for (const { set } of reader.checkpoints()) reader.loadMemory(() => {}, set);
    } finally {
      reader.close();
    }
  },

  async open(path) {
    const trace = await openTrace(path, { files: seedFile });
    try {
      const record = new TraceRecord();
      for await (const frame of trace.frames()) while (frame.next(record));
      await trace.record(25);
    } finally {
      trace.close();
    }
  },

  async verify(path) {
    const { problems } = await verifyTrace(path);
    for (const problem of problems) expectTyped(problem);
  },

  inspect,
  export: exportOne,
  /** From the start, or from the last checkpoint, with devices or without: by the size of the file. */
  replay(path) {
    const { size } = statSync(path);
    const isRestored = size % 2 === 0;
    return replay(path, size % 3 === 0 ? 'cpu' : 'machine', isRestored ? Number.MAX_SAFE_INTEGER : undefined);
  },

  /** A trace does not differ from itself. */
  async diff(path) {
    const a = new TraceReader(path, { files: seedFile });
    try {
      const other = new TraceReader(path, { files: seedFile });
      try {
        if (a.header.memorySize > MEMORY_MAX) return;
        const { difference, start } = await diffTraces(a, other, { all: a.size % 2 === 0 });
        if (difference || start.length > 0)
          throw new Error(`a trace differs from itself: ${JSON.stringify({ difference, start })}`);
      } finally {
        other.close();
      }
    } finally {
      a.close();
    }
  },

  /** One in four: it replays, too. */
  async slice(path) {
    if (statSync(path).size % 4 !== 0) return;
    const reader = new TraceReader(path);
    const { memorySize } = reader.header;
    reader.close();
    if (memorySize > MEMORY_MAX) return;
    const output = `${path}.slice`;
    let turns = 0;
    const onProgress = (): boolean => ++turns > SLICES;
    try {
      if (!(await sliceTrace(path, output, { first: 5, last: 40, files: seedFile, onProgress }))) return;
      const { problems } = await verifyTrace(output);
      for (const problem of problems) expectTyped(problem);
    } finally {
      rmSync(output, { force: true });
    }
  },

  async repack(path) {
    const output = `${path}.repacked`;
    try {
      await repackTrace(path, output, { embed: statSync(path).size % 2 === 0, files: seedFile });
    } finally {
      rmSync(output, { force: true });
    }
  },

  async repair(path) {
    const output = `${path}.repaired`;
    if (existsSync(`${output}.part`)) throw new Error('a temporary file was left behind by the case before');
    try {
      const before = statSync(path).size;
      repairTrace(path, output);
      if (statSync(path).size !== before) throw new Error('the file was changed though another was named');
      const { problems } = await verifyTrace(output);
      // What repair leaves is readable to its end, but it does not judge contents.
      for (const problem of problems) expectTyped(problem);
    } finally {
      rmSync(output, { force: true });
    }
  },
};

async function inspect(path: string): Promise<void> {
  const reader = new TraceReader(path, { files: seedFile });
  try {
    const cursor = reader.cursor();
    const summary = new TraceSummary(reader.header, traceStart(reader));
    const names = new AccessNames(reader.header, true, traceStart(reader));
    while (cursor.next()) {
      summary.add(cursor.record);
      names.follow(cursor.record);
    }
    expectTyped(cursor.damage);
    const lines = overviewLines(reader, cursor.count, summary.data, cursor.end);
    // What a stranger wrote must not steer a terminal.
    const steering = lines.find((line) => /\p{Cc}/u.test(line));
    if (steering !== undefined) throw new Error(`inspect prints control characters: ${JSON.stringify(steering)}`);
    JSON.stringify(summary.data);
  } finally {
    reader.close();
  }
}

/** One of the formats, as the size of the file wants it: each case need not go through all. */
function exporterFor({ size, header }: TraceReader): Exporter {
  switch (size % 5) {
    case 0:
      return new JsonlExporter();
    case 1:
      return new PerfettoExporter(new AccessNames(header, false), 'trace');
    case 2:
      return new QtestExporter('commands', true);
    case 3:
      return new QtestExporter('answers', true);
    default:
      return new ConsoleExporter();
  }
}

async function exportOne(path: string): Promise<void> {
  const reader = new TraceReader(path, { files: seedFile });
  try {
    const exporter = exporterFor(reader);
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    const cursor = reader.cursor();
    const write = (piece: Uint8Array): void => {
      bytes += piece.length;
      if (bytes <= EXPORT_MAX) pieces.push(piece);
    };
    await exportRecords(cursor, exporter, write, () => bytes > EXPORT_MAX);
    expectTyped(cursor.damage);
    if (bytes > EXPORT_MAX) return;
    const text = Buffer.concat(pieces).toString(exporter.encoding);
    if (exporter instanceof PerfettoExporter) JSON.parse(text);
    if (exporter instanceof JsonlExporter) for (const line of text.split('\n', 20)) if (line !== '') JSON.parse(line);
  } finally {
    reader.close();
  }
}

async function replay(path: string, mode: ReplayMode, from?: number): Promise<void> {
  const reader = new TraceReader(path, { files: seedFile });
  const { memorySize } = reader.header;
  reader.close();
  if (memorySize > MEMORY_MAX) return;
  const session = await ReplaySession.open({ path, mode, host: realHost, files: seedFile, ...(from && { from }) });
  try {
    for (let slice = 0; slice < SLICES; slice++) {
      const result = session.runSlice();
      if (result?.kind === 'complete') expectTyped(result.damage);
      if (result) break;
    }
  } finally {
    session.close();
  }
}

function expectTyped(error: unknown): void {
  if (error !== undefined && !(error instanceof VmtapeError)) throw error;
}

/** Runs a reader; the finding, if it is one. */
export async function readHostile(reading: TraceReading, path: string): Promise<Error | undefined> {
  try {
    await reading(path);
  } catch (error) {
    if (!(error instanceof VmtapeError)) return error instanceof Error ? error : new Error(String(error));
  }
  return undefined;
}
