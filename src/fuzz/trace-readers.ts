/** Every reader of traces, held against a file that is not trusted. */
import { existsSync, rmSync, statSync } from 'node:fs';
import { VmtapeError } from '../base/errors.js';
import { openTrace } from '../trace/open.js';
import { TraceReader } from '../trace/reader.js';
import { formatRecord, TraceRecord } from '../trace/record.js';
import { repairTrace } from '../trace/repair.js';
import { verifyTrace } from '../trace/verify.js';
import { seedFile } from './trace-seeds.js';

/** More memory than this is not asked for: a machine may have it, but each case would. */
const MEMORY_MAX = 0x400_0000;

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
