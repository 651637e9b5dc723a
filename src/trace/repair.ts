/** Giving a trace that was not closed an end and an index, so that it is a trace as others. */
import { constants, copyFileSync, renameSync, truncateSync } from 'node:fs';
import { ExitCode, VmtapeError } from '../base/errors.js';
import { beginPart, endPart, removePart } from '../base/part-files.js';
import { parseCheckpoint } from './checkpoint.js';
import { ColumnError } from './columns.js';
import { damagedTrace, isTraceError, traceFileError } from './errors.js';
import { FRAME_HEAD_SIZE, FrameKind } from './format.js';
import type { Frame } from './frame.js';
import { FrameFile } from './frame-file.js';
import { IndexBuilder } from './frame-index.js';
import { FrameWriter } from './frame-writer.js';
import { endAnywhere, endMessage, type TraceEnd } from './header.js';
import { packMessage } from './msgpack.js';
import { TraceReader } from './reader.js';
import { TraceRecord } from './record.js';
import { RecordFrameReader } from './record-reader.js';
import { MarkCollector, marksMessages, type RunMark } from './run-digest.js';
import { hasZeroTail } from './zero-tail.js';

/** What was done. */
export interface RepairResult {
  /** `whole`: nothing was to be done. `closed`: only the index was missing. `ended`: the recording was given an end. */
  readonly kind: 'whole' | 'closed' | 'ended';
  readonly records: number;
  /** Bytes that were no whole frame, and are not in the repaired file. */
  readonly lost: number;
  /** What was wrong. */
  readonly damage: VmtapeError | undefined;
}

/** The part of a file that is a trace. */
interface GoodPart {
  readonly index: IndexBuilder;
  readonly retired: number;
  readonly damage: VmtapeError | undefined;
  /** Behind the part, nothing was written but a part of a frame: zeros stand there. */
  readonly isZeros: boolean;
  /** Rolling digests that are not listed yet. */
  readonly marks: readonly RunMark[];
}

/**
 * Repairs the file, or, with `output`, writes the repaired trace there. In place, what is not a whole frame is cut off at
 * the end (the beginning of a frame, or the zeros that a file system left), and the missing frames are appended: whenever that is
 * interrupted, the file can be repaired again. A file with something wrong before its last frame is not repaired in place, as that would
 * throw away what stands behind it. `onProgress`: before each frame, the bytes that were checked.
 */
export function repairTrace(path: string, output?: string, onProgress?: (bytes: number) => void): RepairResult {
  const reader = new TraceReader(path);
  try {
    const { records } = reader.index.root;
    const good = goodPart(path, reader, onProgress);
    const isWhole = good.damage === undefined && reader.index.isClosed;
    if (isWhole && output === undefined) return { kind: 'whole', records, lost: 0, damage: undefined };
    // Without the memory of its start nothing can be replayed: that throws.
    reader.memoryTable(0);
    const lost = reader.size - good.index.bytes;
    const kind = isWhole ? 'whole' : good.index.end ? 'closed' : 'ended';
    const result = { kind, records: good.index.records, lost, damage: good.damage ?? reader.index.damage } as const;
    if (output !== undefined) writeCopy(path, output, good);
    else if (isCutOff(good)) complete(path, good);
    else throw notInPlace(good.damage as VmtapeError);
    return result;
  } finally {
    reader.close();
  }
}

/** Reads every frame up to the first that is not what a writer writes. The root and the trailer are made anew. */
function goodPart(path: string, reader: TraceReader, onProgress?: (bytes: number) => void): GoodPart {
  const file = new FrameFile(path);
  const index = new IndexBuilder();
  const record = new TraceRecord();
  let retired = reader.header.counting ? 0 : -1;
  const marks = new MarkCollector();
  let isListed = false;
  let damage: VmtapeError | undefined;
  let isZeros = false;
  try {
    while (index.bytes < file.size && damage === undefined) {
      const place = file.place(index.frames, index.bytes);
      onProgress?.(index.bytes);
      try {
        const frame = file.read(place);
        if (frame.kind === FrameKind.Records) {
          const records = new RecordFrameReader(frame.payload, (number) => reader.blob(number));
          if (records.first !== index.records || records.count !== frame.count)
            throw new ColumnError('has other records');
          while (records.next(record)) marks.add(record);
          if (reader.header.counting) retired = records.retired;
        }
        if (frame.kind === FrameKind.Marks) isListed = true;
        if (frame.kind === FrameKind.Root && isAtEnd(file, frame)) break;
        const ordinal = frame.kind === FrameKind.Checkpoint ? parseCheckpoint(frame.payload).record : 0;
        index.add(frame.kind, FRAME_HEAD_SIZE + frame.stored, frame.count, ordinal, isDueList(frame, index));
      } catch (error) {
        if (error instanceof ColumnError) damage = damagedTrace(place, error.message);
        else if (isTraceError(error)) damage = error;
        else throw error;
      }
    }
    isZeros = damage !== undefined && hasZeroTail(file, index.bytes);
  } finally {
    file.close();
  }
  return { index, retired, damage, isZeros, marks: isListed ? [] : marks.marks };
}

/** It lists what an index is to list there. One that does not, as of foreign make, stays, and the root does not name it. */
function isDueList({ kind, payload }: Frame, index: IndexBuilder): boolean {
  return kind === FrameKind.Index && index.isListDue && Buffer.compare(payload, index.list()) === 0;
}

/** Nothing but the trailer, or a part of it, is behind this frame. */
function isAtEnd(file: FrameFile, { place, stored }: Frame): boolean {
  return file.size - (place.byte + FRAME_HEAD_SIZE + stored) <= FRAME_HEAD_SIZE * 2;
}

/** What is behind the good part is the beginning of a frame, or was never written. */
function isCutOff({ damage, isZeros }: GoodPart): boolean {
  return damage === undefined || damage.code === 'VMTAPE_TRACE_TRUNCATED' || isZeros;
}

function complete(path: string, { index, retired, marks }: GoodPart): void {
  const isComplete = index.end !== undefined;
  const { records } = index;
  const writer = FrameWriter.append(path, index);
  try {
    for (const { payload, count } of marksMessages(marks)) writer.write(FrameKind.Marks, payload, count);
    if (!isComplete) writer.write(FrameKind.End, packMessage(endMessage(lostEnd(records, retired))));
    writer.finish(isComplete);
  } finally {
    writer.close();
  }
}

/** Beside its place first, so that there is never half of it at its place. */
function writeCopy(path: string, output: string, good: GoodPart): void {
  const temporary = `${output}.${process.pid}.part`;
  beginPart(temporary);
  try {
    copyFileSync(path, temporary, constants.COPYFILE_FICLONE);
    truncateSync(temporary, good.index.bytes);
    complete(temporary, good);
    renameSync(temporary, output);
    endPart(temporary);
  } catch (error) {
    removePart(temporary);
    throw error instanceof VmtapeError ? error : traceFileError(output, error);
  }
}

function lostEnd(records: number, retired: number): TraceEnd {
  const message = `The recorder died; the trace was repaired behind its ${records} records.`;
  return { ...endAnywhere({ reason: 'error', exitCode: ExitCode.GuestFailed, message, retired }), records };
}

function notInPlace(damage: VmtapeError): VmtapeError {
  return new VmtapeError(
    damage.code,
    `${damage.message}, and more may be behind it`,
    damage.exitCode,
    'vmtape repair FILE -o OTHER writes what is before it as a trace of its own',
  );
}
