/** Reading a trace: one frame in memory at a time, everything checked before it is used. */
import type { BlobFrame } from './blobs.js';
import { parseCheckpoint, type TraceCheckpoint } from './checkpoint.js';
import { ColumnError } from './columns.js';
import { TraceCursor } from './cursor.js';
import { damagedTrace, type TracePlace } from './errors.js';
import { FrameKind, PRELUDE_SIZE } from './format.js';
import type { Frame, FrameHead } from './frame.js';
import { FrameFile } from './frame-file.js';
import type { ListedCheckpoint } from './frame-index.js';
import { parseEnd, parseHeader, type TraceEnd, type TraceHeader } from './header.js';
import type { PageTable } from './image.js';
import { LearntCounts } from './learnt-counts.js';
import { type GuestFiles, MemoryReader } from './memory-reader.js';
import { unpackMessage } from './msgpack.js';
import type { Patch } from './placements.js';
import { parseMarks, type RunMark } from './run-digest.js';
import { parsed, TraceIndex } from './trace-index.js';

/** So many frames of contents, each of at most 1 MiB, are kept for what asks for them next. */
const BLOB_FRAMES_KEPT = 8;

/** How a trace is opened. */
export interface TraceReaderOptions {
  /** The files of a trace that does not have its guest in it. */
  readonly files?: GuestFiles | undefined;
}

/** A checkpoint and where it stands. */
export interface FoundCheckpoint {
  readonly checkpoint: TraceCheckpoint;
  readonly place: TracePlace;
}

/** A trace that is open for reading. */
export class TraceReader {
  readonly header: TraceHeader;
  readonly index: TraceIndex;
  readonly #file: FrameFile;
  readonly #memory: MemoryReader;
  #rom: Uint8Array | undefined;
  #counts: LearntCounts | undefined;
  #countsKnown = false;
  /** The frames of blobs that were used last, the latest one at the end. */
  readonly #blobs: BlobFrame[] = [];

  /** Opens the file, and reads the index and the header. Memory and records are read when they are asked for. */
  constructor(
    readonly path: string,
    options: TraceReaderOptions = {},
  ) {
    this.#file = new FrameFile(path);
    try {
      const { id, date } = this.#file;
      const first = this.#file.read(this.#file.place(0, PRELUDE_SIZE));
      if (first.kind !== FrameKind.Header)
        throw damagedTrace(first.place, `has the kind ${first.kind} where the header must come`);
      this.header = parsed(first, (payload) => parseHeader(unpackMessage(payload), id, date));
      this.index = new TraceIndex(this.#file);
      this.#memory = new MemoryReader(this.#file, this.index, this.header, options.files);
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  /** The head of the frame at a place, its checksum not checked. */
  head(place: TracePlace): FrameHead {
    return this.#file.head(place);
  }
  /** Which blob each page of a memory has. */
  memoryTable(set: number): PageTable {
    return this.#memory.table(set);
  }
  /** The frame at a place. */
  read(place: TracePlace): Frame {
    return this.#file.read(place);
  }
  /** The frame at a place. */
  readAsync(place: TracePlace): Promise<Frame> {
    return this.#file.readAsync(place);
  }

  /** Bytes of the file. */
  get size(): number {
    return this.#file.size;
  }
  /** Bytes of it that were read so far. */
  get bytesRead(): number {
    return this.#file.bytesRead;
  }
  /** The image of the ROM, if the machine had one. */
  get rom(): Uint8Array | undefined {
    if (this.header.romSize === 0) return undefined;
    this.#rom ??= this.#memory.rom();
    return this.#rom;
  }
  /** How the recording ended; undefined: it did not end cleanly. */
  get end(): TraceEnd | undefined {
    const { end } = this.index.root;
    if (!end) return undefined;
    const frame = this.#file.read(this.#file.place(end.frame, end.byte));
    if (frame.kind !== FrameKind.End) throw damagedTrace(frame.place, 'is not the end that the index names');
    return parsed(frame, (payload) => parseEnd(unpackMessage(payload)));
  }

  /**
   * Calls `onBytes` with each part of RAM that is not all zeros, in no order; `set` is the memory: 0 that of the start,
   * others those of checkpoints. Each frame of contents is read once.
   */
  loadMemory(onBytes: (gpa: number, bytes: Uint8Array) => void, set = 0): void {
    this.#memory.load(onBytes, set);
  }

  /** Reads the records from that of the given ordinal on. */
  cursor(from = 0): TraceCursor {
    const { counting } = this.header;
    return new TraceCursor(this.#file, this.index, counting, (number) => this.blob(number), from, this.learntCounts);
  }

  /** The instruction counts of records were learnt by a replay, as their engine did not count. */
  get isSealed(): boolean {
    return this.learntCounts !== undefined;
  }

  /** Those counts; undefined: there are none. */
  get learntCounts(): LearntCounts | undefined {
    if (!this.#countsKnown && !this.header.counting) this.#counts = LearntCounts.of(this.#file, this.index);
    this.#countsKnown = true;
    return this.#counts;
  }

  /** The checkpoints, in the order of their records. */
  checkpoints(): TraceCheckpoint[] {
    return this.index.root.checkpoints
      .map((listed) => this.#checkpoint(listed).checkpoint)
      .sort((a, b) => a.record - b.record);
  }

  /** The rolling digests of the records; none in a trace that was not closed, or from before there were any. */
  marks(): RunMark[] {
    return [...this.index.framesOf(FrameKind.Marks)].flatMap((place) => parsed(this.#file.read(place), parseMarks));
  }

  /** The last checkpoint at or before the record of this ordinal; undefined: there is none. */
  checkpointBefore(record: number): FoundCheckpoint | undefined {
    const listed = this.index.checkpointBefore(record);
    return listed && this.#checkpoint(listed);
  }

  #checkpoint({ frame, byte, record }: ListedCheckpoint): FoundCheckpoint {
    const found = this.#file.read(this.#file.place(frame, byte));
    if (found.kind !== FrameKind.Checkpoint)
      throw damagedTrace(found.place, 'is not the checkpoint that the index names');
    const checkpoint = parsed(found, parseCheckpoint);
    if (checkpoint.record !== record || record > this.index.root.records)
      throw damagedTrace(
        found.place,
        `is a checkpoint before record ${checkpoint.record}, and the index says otherwise`,
      );
    return { checkpoint, place: found.place };
  }

  /** The content of this number; a view. Throws {@link ColumnError} if there is none. */
  blob(number: number): Uint8Array {
    const known = this.#blobs.findLastIndex(({ first, count }) => number >= first && number < first + count);
    if (known === this.#blobs.length - 1 && known >= 0) return (this.#blobs[known] as BlobFrame).bytes(number);
    const [frame = this.#blobFrame(number)] = known < 0 ? [] : this.#blobs.splice(known, 1);
    this.#blobs.push(frame);
    if (this.#blobs.length > BLOB_FRAMES_KEPT) this.#blobs.shift();
    return frame.bytes(number);
  }

  #blobFrame(number: number): BlobFrame {
    const found = this.index.find(FrameKind.Blobs, number);
    if (!found) throw new ColumnError(`refers to blob ${number}, which there is not`);
    return this.#memory.blobs(found);
  }

  /** Parts of files, and patches, that stand over the pages of {@link memoryTable} at the start, in this order. */
  placedParts(): Patch[] {
    return this.#memory.placed();
  }

  /** Idempotent. */
  close(): void {
    this.#file.close();
  }
}
