/**
 * A part of a trace as a trace of its own: it begins with the machine as it was before a record, which a replay finds out, and has the
 * records from there on. It is whole by itself: memory, state and records; its records are numbered from 0.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { ExitCode, VmtapeError } from '../base/errors.js';
import { realHost } from '../base/host.js';
import { appendCounts } from '../trace/append.js';
import { CountsWriter } from '../trace/counts.js';
import { append } from '../trace/edit.js';
import { endAnywhere, type TraceEnd, type TraceHeader } from '../trace/header.js';
import type { GuestFiles } from '../trace/memory-reader.js';
import { TraceReader } from '../trace/reader.js';
import { RecordKind } from '../trace/record.js';
import { RUN_DIGEST_SIZE, RunDigest } from '../trace/run-digest.js';
import { TraceWriter } from '../trace/writer.js';
import { cpuStateTable } from '../vmm/cpu/state.js';
import { memoryRuns } from '../vmm/memory.js';
import { encodeState } from '../vmm/state/codec.js';
import { ReplaySession } from './session.js';

/** Which part. */
export interface SliceOptions {
  /** The ordinals of the first and the last record, both included. */
  readonly first: number;
  readonly last: number;
  /** The files of a trace that was recorded without its guest. */
  readonly files?: GuestFiles | undefined;
  /** Now and then: the ordinal of the next record, and whether it is replayed or copied. True stops. */
  readonly onProgress?: (record: number, isCopied: boolean) => boolean;
}

/** What was made. */
export interface SliceResult {
  /** The first record: that of the option, or the first of the instruction that it belongs to. */
  readonly first: number;
  readonly last: number;
  readonly records: number;
  /** The record of the checkpoint from which the state was found; 0: the start. */
  readonly replayedFrom: number;
  readonly bytes: number;
}

/** Between two turns of the event loop, so many records are copied. */
const TURN = 0x4000;
/** An instruction that is cut is looked for so far before. */
const CUT = 0x2000;

/** Writes the slice to `to`; undefined: it was stopped, and there is none. Throws VMTAPE_SLICE, or what is wrong with the trace. */
export async function sliceTrace(from: string, to: string, options: SliceOptions): Promise<SliceResult | undefined> {
  const { first, last } = options;
  const reader = new TraceReader(from, { files: options.files });
  try {
    const { records } = reader.index.root;
    if (first >= records)
      throw sliceError(`${from} has ${records} records: record ${first} is not there`, ExitCode.Usage);
    const session = await sessionAt(from, first, options);
    if (session === undefined) return undefined;
    try {
      return await write(reader, to, session, { ...options, last: Math.min(last, records - 1) });
    } finally {
      session.close();
    }
  } finally {
    reader.close();
  }
}

function sliceError(message: string, exitCode: ExitCode, hint?: string): VmtapeError {
  return new VmtapeError('VMTAPE_SLICE', message, exitCode, hint);
}

/** A replay that stands before the record, or before the first one of the same instruction; undefined: it was stopped. */
async function sessionAt(path: string, record: number, options: SliceOptions): Promise<ReplaySession | undefined> {
  const session = await replayTo(path, record, options);
  if (session === undefined || session.isAtBoundary) return session;
  session.close();
  let boundary = 0;
  const checkpoints = {
    next: Math.max(0, record - CUT),
    take: (state: { readonly record: number }) => {
      boundary = state.record;
    },
  };
  const looking = await replayTo(path, record, options, checkpoints);
  looking?.close();
  return looking && replayTo(path, boundary, options);
}

async function replayTo(
  path: string,
  record: number,
  { files, onProgress }: SliceOptions,
  checkpoints?: { next: number; take: (state: { readonly record: number }) => void },
): Promise<ReplaySession | undefined> {
  const session = await ReplaySession.open({
    ...{ path, files, from: record, until: record, host: realHost },
    ...(checkpoints && { checkpoints }),
  });
  try {
    const result = await session.run(() => {
      if (onProgress?.(session.records, false)) session.stop();
    });
    if (result.kind === 'stopped') return session;
    session.close();
    if (result.kind === 'interrupted') return undefined;
  } catch (error) {
    session.close();
    throw error;
  }
  throw sliceError(
    `${path} does not replay to record ${record}: its state there cannot be known`,
    ExitCode.Divergence,
    `vmtape replay ${path} says where it differs`,
  );
}

async function write(
  reader: TraceReader,
  to: string,
  session: ReplaySession,
  { last, onProgress }: SliceOptions,
): Promise<SliceResult | undefined> {
  const first = session.records;
  const state = session.save(new RunDigest().bytes());
  const { header } = reader;
  const memory = memoryRuns(session.guest.memory);
  const start = { retired: header.counting ? state.retired : 0, time: session.landmarks.times[1] };
  const writer = await TraceWriter.create(to, headerOf(reader, session, first, last), { ram: memory }, start);
  try {
    writer.checkpoint(state, memory);
    const cursor = reader.cursor(first);
    const digest = new RunDigest();
    const counts = reader.isSealed ? new CountsWriter(state.retired) : undefined;
    while (cursor.count <= last && cursor.next()) {
      const { record } = cursor;
      digest.add(record);
      counts?.add(record.retired);
      if (record.kind === RecordKind.Digest && record.bytes.length === RUN_DIGEST_SIZE) record.bytes = digest.bytes();
      writer.records.vcpu = record.vcpu;
      if (record.kind === RecordKind.Dma) writer.dma(record.retired, record.address, record.bytes);
      else append(writer.records, record);
      if (writer.records.full) writer.flush();
      if (cursor.count % TURN !== 0) continue;
      await writer.drained();
      if (onProgress?.(cursor.count, true)) return undefined;
    }
    if (cursor.damage) throw cursor.damage;
    const isWhole = last === reader.index.root.records - 1;
    writer.finish((isWhole && reader.end) || endOf(first, last, header.counting ? cursor.record.retired : -1));
    if (counts) appendCounts(to, counts.frames());
    return { first, last, records: writer.records.total, replayedFrom: session.start, bytes: statSync(to).size };
  } finally {
    writer.close();
  }
}

/** That of the trace, with the processor as it is now, and where the slice comes from. */
function headerOf({ header }: TraceReader, { vcpu }: ReplaySession, first: number, last: number): TraceHeader {
  const id = createHash('sha256').update(header.id).update(`${first}..${last}`).digest().subarray(0, header.id.length);
  return {
    ...header,
    id: Uint8Array.from(id),
    embedded: true,
    cpuState: encodeState(cpuStateTable, vcpu.getState()),
    options: { ...header.options, slice: `${first}..${last} of ${Buffer.from(header.id).toString('hex')}` },
  };
}

function endOf(first: number, last: number, retired: number): Omit<TraceEnd, 'records'> {
  const message = `The slice of the records ${first} to ${last} ends.`;
  return endAnywhere({ reason: 'limit', exitCode: ExitCode.Ok, message, retired });
}
