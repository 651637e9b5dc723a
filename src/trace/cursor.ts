/** Reading records in order, over the frames of a file. */
import type { VmtapeError } from '../base/errors.js';
import { ColumnError } from './columns.js';
import { damagedTrace, isTraceError, type TracePlace } from './errors.js';
import { FRAME_HEAD_SIZE, FrameKind, PRELUDE_SIZE } from './format.js';
import type { Frame } from './frame.js';
import type { FrameFile } from './frame-file.js';
import { parseEnd, type TraceEnd } from './header.js';
import type { LearntCounts } from './learnt-counts.js';
import { unpackMessage } from './msgpack.js';
import { TraceRecord } from './record.js';
import { type BlobSource, RecordFrameReader } from './record-reader.js';
import type { TraceIndex } from './trace-index.js';

/** Reads records in order. */
export class TraceCursor {
  /** The record that {@link next} read last; reused. */
  readonly record = new TraceRecord();
  /** How the recording ended, once {@link next} has returned false; undefined: it did not end cleanly. */
  end: TraceEnd | undefined;
  /**
   * Why nothing more can be read although no end was marked, or what is wrong with the file behind the end:
   * VMTAPE_TRACE_TRUNCATED or _DAMAGED.
   */
  damage: VmtapeError | undefined;
  /** The ordinal of the next record. */
  count: number;
  /** Frames of records read so far. */
  frameCount = 0;
  readonly #file: FrameFile;
  readonly #index: TraceIndex;
  readonly #counting: boolean;
  readonly #blobs: BlobSource;
  readonly #counts: LearntCounts | undefined;
  #frame: RecordFrameReader | undefined;
  /** The frame that comes next, and the one whose records are read. */
  #place: TracePlace;
  #at: TracePlace;
  #retired: number | undefined;

  /** `from`: the ordinal of the first record that is read. `counts`: where the trace was sealed. */
  constructor(
    file: FrameFile,
    index: TraceIndex,
    counting: boolean,
    blobs: BlobSource,
    from: number,
    counts?: LearntCounts,
  ) {
    this.#file = file;
    this.#index = index;
    this.#counting = counting;
    this.#blobs = blobs;
    this.#counts = counts;
    this.#place = this.#at = file.place(0, PRELUDE_SIZE);
    this.count = 0;
    if (from === 0) {
      // A part of another trace goes on with its counts.
      if (!index.checkpointBefore(0)) this.#retired = 0;
      return;
    }
    try {
      const found = index.find(FrameKind.Records, from);
      if (found) {
        this.#place = found.place;
        this.count = found.first;
        if (this.#open() && this.#frame?.skipTo(from, this.record)) this.count = from;
      }
    } catch (error) {
      this.damage = this.#damageOf(error);
    }
    while (this.count < from && this.next());
  }

  /** Reads the next record. False: there is none; see {@link end} and {@link damage}. */
  next(): boolean {
    if (this.end !== undefined || this.damage !== undefined) return false;
    try {
      for (;;) {
        if (this.#frame?.next(this.record)) {
          if (this.#counts) this.record.retired = this.#counts.at(this.record.ordinal);
          this.count++;
          return true;
        }
        if (!this.#open()) return false;
      }
    } catch (error) {
      this.damage = this.#damageOf(error);
      return false;
    }
  }

  /** Opens the next frame of records; false: it was the end. */
  #open(): boolean {
    if (this.#frame && this.#counting) this.#retired = this.#frame.retired;
    this.#frame = undefined;
    this.#at = this.#place;
    for (;;) {
      const head = this.#file.head(this.#place);
      const at = this.#place;
      this.#at = at;
      if (head.kind === FrameKind.Records) this.#records(this.#file.read(at));
      else if (head.kind === FrameKind.End) this.#ended(this.#file.read(at));
      this.#place = this.#file.place(at.frame + 1, at.byte + FRAME_HEAD_SIZE + head.stored);
      if (head.kind === FrameKind.Records) return true;
      if (head.kind === FrameKind.End) return false;
      if (head.kind === FrameKind.Trailer) {
        throw damagedTrace(at, 'is the trailer, and no end was marked before it');
      }
    }
  }

  #ended(frame: Frame): void {
    const end = parseEnd(unpackMessage(frame.payload));
    if (end.records !== this.count) {
      throw new ColumnError(`says that there are ${end.records} records, and there are ${this.count}`);
    }
    this.end = end;
    this.damage = this.#index.damage;
  }

  #records(frame: Frame): void {
    const reader = new RecordFrameReader(frame.payload, this.#blobs);
    if (reader.first !== this.count) {
      throw new ColumnError(`begins with record ${reader.first} in place of ${this.count}`);
    }
    if (reader.count !== frame.count) throw new ColumnError(`has ${reader.count} records in place of ${frame.count}`);
    const known = this.#retired;
    if (this.#counting ? known !== undefined && reader.retired !== known : !Number.isNaN(reader.retired)) {
      throw new ColumnError('does not go on with the instruction count of the frame before');
    }
    this.#frame = reader;
    this.frameCount++;
  }

  #damageOf(error: unknown): VmtapeError {
    if (isTraceError(error)) return error;
    if (error instanceof ColumnError) return damagedTrace(this.#at, error.message);
    throw error;
  }
}
