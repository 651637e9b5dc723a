/** Reading a trace as a library does: typed records, a frame at a time, without making the event loop wait. */
import type { TraceCheckpoint } from './checkpoint.js';
import { ColumnError } from './columns.js';
import type { TraceCursor } from './cursor.js';
import { damagedTrace, type TracePlace } from './errors.js';
import { FRAME_HEAD_SIZE, FrameKind, PRELUDE_SIZE } from './format.js';
import type { Frame } from './frame.js';
import type { TraceEnd, TraceHeader } from './header.js';
import type { LearntCounts } from './learnt-counts.js';
import { TraceReader, type TraceReaderOptions } from './reader.js';
import { TraceRecord } from './record.js';
import { RecordFrameReader } from './record-reader.js';
import type { RunMark } from './run-digest.js';

/** What is known of a trace without reading its records. */
export interface TraceTotals {
  /** Bytes of the file. */
  readonly size: number;
  readonly frames: number;
  readonly records: number;
  /** Contents: pages of memory and the like. */
  readonly blobs: number;
  /** The file was closed cleanly: it has its index. False: it was searched for frames, and `damage` says where they end. */
  readonly isClosed: boolean;
  /** The recorder wrote how the recording ended. */
  readonly isComplete: boolean;
  readonly damage: Error | undefined;
}

/** The records of one frame, read one after the other. */
export interface TraceFrame {
  /** The ordinal of its first record. */
  readonly first: number;
  readonly count: number;
  /**
   * Reads the next record into `record`; false: there is none left. What the record has of bytes holds until the next
   * call. Throws VMTAPE_TRACE_DAMAGED.
   */
  next(record: TraceRecord): boolean;
}

/** A trace that is open; see {@link openTrace}. */
export class Trace {
  readonly #reader: TraceReader;

  /** Use {@link openTrace}. */
  constructor(reader: TraceReader) {
    this.#reader = reader;
  }

  get path(): string {
    return this.#reader.path;
  }
  get header(): TraceHeader {
    return this.#reader.header;
  }
  /** How the recording ended; undefined: it did not end cleanly. */
  get end(): TraceEnd | undefined {
    return this.#reader.end;
  }
  get totals(): TraceTotals {
    const { index, size } = this.#reader;
    const { records, blobs, complete } = index.root;
    return {
      size,
      frames: index.frames,
      records,
      blobs,
      isClosed: index.isClosed,
      isComplete: complete,
      damage: index.damage,
    };
  }

  /** The checkpoints, in the order of their records. */
  checkpoints(): TraceCheckpoint[] {
    return this.#reader.checkpoints();
  }
  /**
   * The rolling digests of the records (run-digest.ts), in their order, read from the index: of the records themselves nothing is read. None in a
   * trace that was not closed, or is from before revision 1.
   */
  marks(): RunMark[] {
    return this.#reader.marks();
  }
  /** Calls `onBytes` with each part of memory that is not all zeros: of the start, or the `set` of a checkpoint. */
  loadMemory(onBytes: (gpa: number, bytes: Uint8Array) => void, set = 0): void {
    this.#reader.loadMemory(onBytes, set);
  }

  /**
   * The frames of records in their order, from the one with the record `from` on. The next one is read and decompressed
   * while the records of one are used. Ends at the end of the recording; throws VMTAPE_TRACE_DAMAGED or
   * VMTAPE_TRACE_TRUNCATED where the file is not whole.
   */
  async *frames(from = 0): AsyncGenerator<TraceFrame, void, void> {
    const reader = this.#reader;
    const found = from > 0 ? reader.index.find(FrameKind.Records, from) : undefined;
    if (from > 0 && !found) return;
    const start = found?.place ?? { path: reader.path, frame: 0, byte: PRELUDE_SIZE };
    let expected = found?.first ?? 0;
    let ahead = this.#nextRecords(start);
    for (;;) {
      const frame = await ahead;
      if (!frame) return;
      // The error of a frame that nobody comes to is nobody's business.
      ahead = this.#nextRecords(behind(frame));
      ahead.catch(() => {});
      const records = new CheckedFrame(frame, expected, reader);
      expected += records.count;
      yield records;
    }
  }

  /** All records from that of the ordinal `from` on. The object is reused: copy what must be kept with `assign`. */
  async *records(from = 0): AsyncGenerator<TraceRecord, void, void> {
    const record = new TraceRecord();
    for await (const frame of this.frames(from)) {
      while (frame.next(record)) if (record.ordinal >= from) yield record;
    }
  }

  /** The record of this ordinal; undefined: there is none. */
  async record(ordinal: number): Promise<TraceRecord | undefined> {
    const found = this.#reader.index.find(FrameKind.Records, ordinal);
    if (!found || ordinal < 0) return undefined;
    const frame = await this.#reader.readAsync(found.place);
    const records = new CheckedFrame(frame, found.first, this.#reader);
    const record = new TraceRecord();
    if (!records.skipTo(ordinal, record) || !records.next(record)) return undefined;
    const copy = new TraceRecord();
    copy.assign(record);
    return copy;
  }

  /** Reads the records from that of the ordinal `from` on without promises; each frame is waited for. */
  cursor(from = 0): TraceCursor {
    return this.#reader.cursor(from);
  }

  /** Idempotent. */
  close(): void {
    this.#reader.close();
  }

  /** The next frame of records at or behind the place; undefined: the recording ends. */
  async #nextRecords(start: TracePlace): Promise<Frame | undefined> {
    let place = start;
    for (;;) {
      const head = this.#reader.head(place);
      if (head.kind === FrameKind.Records) return this.#reader.readAsync(place);
      if (head.kind === FrameKind.End || head.kind === FrameKind.Trailer) return undefined;
      place = behind({ place, stored: head.stored });
    }
  }
}

function behind({ place, stored }: { readonly place: TracePlace; readonly stored: number }): TracePlace {
  return { path: place.path, frame: place.frame + 1, byte: place.byte + FRAME_HEAD_SIZE + stored };
}

/** A frame whose errors name its place. */
class CheckedFrame implements TraceFrame {
  readonly first: number;
  readonly count: number;
  readonly #place: TracePlace;
  readonly #records: RecordFrameReader;
  /** Where the trace was sealed. */
  readonly #counts: LearntCounts | undefined;

  constructor(frame: Frame, expected: number, reader: TraceReader) {
    this.#place = frame.place;
    this.#counts = reader.learntCounts;
    this.#records = this.#checked(() => new RecordFrameReader(frame.payload, (number) => reader.blob(number)));
    this.first = this.#records.first;
    this.count = this.#records.count;
    if (this.first !== expected || this.count !== frame.count) {
      throw damagedTrace(frame.place, `has the records from ${this.first} on in place of those from ${expected} on`);
    }
  }

  next(record: TraceRecord): boolean {
    try {
      if (!this.#records.next(record)) return false;
      if (this.#counts) record.retired = this.#counts.at(record.ordinal);
      return true;
    } catch (error) {
      throw this.#damage(error);
    }
  }

  skipTo(ordinal: number, record: TraceRecord): boolean {
    return this.#checked(() => this.#records.skipTo(ordinal, record));
  }

  #checked<T>(make: () => T): T {
    try {
      return make();
    } catch (error) {
      throw this.#damage(error);
    }
  }
  #damage(error: unknown): unknown {
    return error instanceof ColumnError ? damagedTrace(this.#place, error.message) : error;
  }
}

/**
 * Opens a trace: reads its header and its index, which takes the same time for a file of any size. A file that was not
 * closed cleanly is searched for its frames instead.
 *
 * ```ts
 * const trace = await openTrace('boot.vmtape');
 * const record = new TraceRecord();
 * for await (const frame of trace.frames()) {
 *   while (frame.next(record)) if (record.kind === RecordKind.IoWrite) console.log(formatRecord(record));
 * }
 * trace.close();
 * ```
 *
 * Throws a VmtapeError: VMTAPE_TRACE_FILE, _FOREIGN, _VERSION, _TRUNCATED or _DAMAGED.
 */
export async function openTrace(path: string, options: TraceReaderOptions = {}): Promise<Trace> {
  return new Trace(new TraceReader(path, options));
}
