/** Writing a trace again with the files of its guest in it, or without them. Everything else stays as it was recorded. */
import { statSync } from 'node:fs';
import { ExitCode, VmtapeError } from '../base/errors.js';
import { appendCounts } from './append.js';
import { append } from './edit.js';
import { damagedTrace, type TracePlace } from './errors.js';
import { findPlacements } from './find-placements.js';
import type { GuestFiles } from './memory-reader.js';
import { openTrace } from './open.js';
import type { Placement } from './placements.js';
import { TraceReader } from './reader.js';
import { RecordKind, TraceRecord } from './record.js';
import { StartPages } from './start-pages.js';
import { TraceWriter } from './writer.js';

/** How a trace is written again. */
export interface RepackOptions {
  /** Put the guest's files into the trace; false: leave their parts out. */
  readonly embed: boolean;
  /** The files, by SHA-256 in hex. Those that are not given stay in the trace when others are left out. */
  readonly files: GuestFiles;
  /** After each frame: the records so far; true stops. */
  readonly onProgress?: (records: number) => Promise<boolean> | boolean;
}

/** What was done. */
export interface RepackResult {
  /** Undefined: it was stopped, and the output is no whole trace. */
  readonly records: number | undefined;
  /** Bytes of the trace before and after. */
  readonly before: number;
  readonly after: number;
  /** The files that were left out: bytes of theirs that stand in memory. */
  readonly placed: readonly {
    readonly role: string;
    readonly name: string;
    readonly sha256: string;
    readonly bytes: number;
  }[];
  /** Checkpoints that were left out: a replay makes them again. */
  readonly checkpoints: number;
}

/**
 * Writes the trace `from` to `to`, which is overwritten and, if this throws, not whole. It keeps its id and its date: the trace that an embedded one
 * becomes and that is packed again has the same bytes, where the same versions of vmtape and Node wrote it.
 *
 * Throws what is wrong with the trace; VMTAPE_TRACE_GUEST where a file is needed, or of no use; VMTAPE_TRACE_FILE where it cannot be written.
 */
export async function repackTrace(from: string, to: string, options: RepackOptions): Promise<RepackResult> {
  const { embed, files, onProgress } = options;
  const reader = new TraceReader(from, { files });
  try {
    check(reader, embed);
    const end = wholeEnd(reader);
    const { header, size, learntCounts: counts } = reader;
    if (counts && counts.records !== end.records)
      throw damagedTrace(endOf(reader), `has counts for ${counts.records} records, and has ${end.records}`);
    const pages = new StartPages(reader);
    const placed = embed ? undefined : findAll(reader, pages, files);
    // Frame by frame: what compresses beside us keeps its frame until we come back to the event loop.
    const writer = await TraceWriter.create(to, { ...header, embedded: embed }, { ram: pages, placed }, undefined, 0);
    try {
      const isWhole = await copyRecords(reader, writer, onProgress);
      if (isWhole) writer.finish(end);
      else writer.close();
      if (isWhole && counts) appendCounts(to, counts.frames());
      const rows = header.files.map(({ role, name, sha256 }, file) => ({
        ...{ role, name, sha256 },
        bytes: (placed?.placements ?? []).reduce((sum, one) => sum + (one.file === file ? one.length : 0), 0),
      }));
      return {
        records: isWhole ? end.records : undefined,
        ...{ before: size, after: statSync(to).size, placed: rows.filter(({ bytes }) => bytes > 0) },
        checkpoints: reader.index.root.checkpoints.length,
      };
    } finally {
      writer.close();
    }
  } finally {
    reader.close();
  }
}

function check({ path, header, index }: TraceReader, embed: boolean): void {
  if (header.embedded === embed) {
    const message = embed ? `${path} has its guest in it already` : `${path} was written without its guest already`;
    throw guestError(message, embed ? 'leave it out with: vmtape unpack' : 'put it in with: vmtape pack');
  }
  if (index.checkpointBefore(0)) throw guestError(`${path} is a part of a trace, which begins with a checkpoint`);
}

function guestError(message: string, hint?: string): VmtapeError {
  return new VmtapeError('VMTAPE_TRACE_GUEST', message, ExitCode.Usage, hint);
}

/** The end of a trace that has all that was recorded. */
function wholeEnd(reader: TraceReader) {
  const { index, end } = reader;
  if (index.damage) throw index.damage;
  if (!end) throw damagedTrace(endOf(reader), 'does not have the end of the recording: vmtape repair gives it one');
  return end;
}

function endOf({ path, index }: TraceReader): TracePlace {
  return { path, frame: index.frames, byte: index.bytes };
}

function findAll(reader: TraceReader, pages: StartPages, files: GuestFiles) {
  const { path, header } = reader;
  if (header.files.length === 0) throw guestError(`${path} names no files that its guest was loaded from`);
  const contents = header.files.map(({ sha256, size }) => {
    const bytes = files(sha256);
    return bytes?.length === size ? bytes : undefined;
  });
  if (contents.every((bytes) => bytes === undefined)) {
    const names = header.files.map(
      ({ role, name, sha256 }) => `the ${role} ${JSON.stringify(name)}, SHA-256 ${sha256}`,
    );
    throw guestError(`${path} was loaded from ${names.join(', and ')}`, 'give at least one of them with --image FILE');
  }
  const taken = new Set<number>();
  const placements: Placement[] = [];
  for (const [file, bytes] of contents.entries())
    if (bytes) placements.push(...findPlacements(pages, file, bytes, taken));
  if (placements.length === 0) throw guestError(`no part of the files stands in the memory of ${path}`);
  return { files: contents.map((bytes) => bytes ?? new Uint8Array(0)), placements };
}

/** Frame by frame, so that the frames stay what they were; false: it was stopped. */
async function copyRecords(
  reader: TraceReader,
  writer: TraceWriter,
  onProgress: RepackOptions['onProgress'],
): Promise<boolean> {
  const trace = await openTrace(reader.path);
  const record = new TraceRecord();
  try {
    for await (const frame of trace.frames()) {
      while (frame.next(record)) {
        if (record.kind === RecordKind.Dma) {
          writer.records.vcpu = record.vcpu;
          writer.dma(record.retired, record.address, record.bytes);
        } else append(writer.records, record);
      }
      writer.flush();
      if (await onProgress?.(frame.first + frame.count)) return false;
    }
    return true;
  } finally {
    trace.close();
  }
}
