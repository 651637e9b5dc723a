/** Checking a whole trace in one pass: checksums, hashes, the index, and what holds between frames. */
import type { VmtapeError } from '../base/errors.js';
import { BlobFrame, blobHash } from './blobs.js';
import { parseCheckpoint } from './checkpoint.js';
import { ColumnError } from './columns.js';
import { parseCounts } from './counts.js';
import { damagedTrace, isTraceError, type TracePlace, truncatedTrace } from './errors.js';
import { FRAME_HEAD_SIZE, FrameKind, PAGE_SIZE, PRELUDE_SIZE } from './format.js';
import type { Frame } from './frame.js';
import { FrameFile } from './frame-file.js';
import { IndexBuilder, parseIndex, parseRoot } from './frame-index.js';
import { parseEnd, parseHeader, type TraceHeader } from './header.js';
import { applyRuns, CHAIN_MAX, PageTable, parsePageMap, type RunsPlace } from './image.js';
import { unpackMessage } from './msgpack.js';
import { parsePlacements } from './placements.js';
import { RecordKind, TraceRecord } from './record.js';
import { RecordFrameReader } from './record-reader.js';
import { MarkCollector, parseMarks, type RunMark } from './run-digest.js';

/** What was found. */
export interface TraceVerdict {
  readonly path: string;
  readonly size: number;
  readonly frames: number;
  readonly records: number;
  readonly blobs: number;
  readonly checkpoints: number;
  /** Frames of kinds that this vmtape does not know. */
  readonly unknown: number;
  /** The recording ended, and the file was closed. */
  readonly isWhole: boolean;
  /** What is wrong, the first thing first; empty: nothing. Behind a frame that cannot be read nothing is looked at. */
  readonly problems: readonly VmtapeError[];
}

/** More problems than this are not listed. */
const PROBLEMS_MAX = 20;
const zeroPage = Buffer.alloc(PAGE_SIZE);

/** Reads the whole file once. Throws only what opening it throws. `onProgress` hears how many bytes were read. */
export async function verifyTrace(path: string, onProgress?: (bytes: number) => void): Promise<TraceVerdict> {
  const file = new FrameFile(path);
  try {
    const verifier = new Verifier(file);
    let place = file.place(0, PRELUDE_SIZE);
    while (place.byte < file.size && verifier.goesOn) {
      const at = place;
      const frame = await file.readAsync(at).catch((error: unknown) => verifier.unreadable(error));
      if (!frame) break;
      verifier.frame(frame);
      place = file.place(at.frame + 1, at.byte + FRAME_HEAD_SIZE + frame.stored);
      onProgress?.(place.byte);
    }
    return verifier.finish(place);
  } finally {
    file.close();
  }
}

class Verifier {
  readonly #file: FrameFile;
  readonly #index = new IndexBuilder();
  readonly #problems: VmtapeError[] = [];
  readonly #record = new TraceRecord();
  /** Hashes of the blobs so far, as text, and their lengths. */
  readonly #hashes = new Set<string>();
  readonly #lengths: number[] = [];
  /** Memories so far: how deep each is based on others. */
  readonly #depths: number[] = [];
  #header: TraceHeader | undefined;
  #table: PageTable | undefined;
  #runs: RunsPlace = { page: 0, blob: 0 };
  /** A memory that has begun and is not whole: its number and base. */
  #open: { readonly set: number; readonly base: number } | undefined;
  #retired = 0;
  /** Undefined: not known, before the first record of a part of another trace. */
  #time: number | undefined = 0;
  readonly #marks = new MarkCollector();
  /** Marks that were listed. */
  #listed = 0;
  /** Records whose counts were learnt. */
  #counted = 0;
  /** The record of the last checkpoint. */
  #checkpointed = 0;
  #unknown = 0;
  #isComplete = false;
  #isClosed = false;
  #isReadable = true;

  constructor(file: FrameFile) {
    this.#file = file;
  }

  get goesOn(): boolean {
    return this.#isReadable && this.#problems.length < PROBLEMS_MAX;
  }

  unreadable(error: unknown): undefined {
    if (!isTraceError(error)) throw error;
    this.#problems.push(error);
    this.#isReadable = false;
  }

  frame(frame: Frame): void {
    try {
      this.#isClosed = false;
      if ((frame.kind === FrameKind.Header) !== (frame.place.frame === 0)) {
        throw new ColumnError(frame.place.frame === 0 ? 'is not the header' : 'is a header');
      }
      this.#body(frame);
    } catch (error) {
      if (error instanceof ColumnError) this.#problems.push(damagedTrace(frame.place, error.message));
      else this.unreadable(error);
      // Without the header nothing can be judged.
      if (!this.#header) this.#isReadable = false;
    }
    const record = frame.kind === FrameKind.Checkpoint ? this.#checkpointed : 0;
    this.#index.add(frame.kind, FRAME_HEAD_SIZE + frame.stored, frame.count, record);
  }

  finish(place: TracePlace): TraceVerdict {
    const missing = (what: string): void => {
      if (this.#isReadable) this.#problems.push(truncatedTrace(place, `is missing: ${what}`));
    };
    if (this.#counted > 0 && this.#counted < this.#index.records) missing('the counts of the last records');
    if (this.#depths.length === 0) missing('the memory of the guest is not whole');
    else if (!this.#index.end) missing('no end was marked');
    else if (!this.#isClosed) missing('the file was not closed');
    return {
      path: this.#file.path,
      size: this.#file.size,
      frames: this.#index.frames,
      records: this.#index.records,
      blobs: this.#index.blobs,
      checkpoints: this.#index.checkpoints.length,
      unknown: this.#unknown,
      isWhole: this.#isClosed && this.#isComplete,
      problems: this.#problems,
    };
  }

  #body(frame: Frame): void {
    const { kind, payload, count } = frame;
    switch (kind) {
      case FrameKind.Header: {
        const { id, date } = this.#file;
        this.#header = parseHeader(unpackMessage(payload), id, date);
        this.#table = new PageTable(this.#header.memorySize, this.#header.romSize);
        return;
      }
      case FrameKind.PageMap:
        this.#pageMap(payload, count);
        return;
      case FrameKind.Placements:
        this.#placements(payload);
        return;
      case FrameKind.Blobs:
        this.#blobs(payload, count);
        return;
      case FrameKind.Records:
        this.#records(payload, count);
        return;
      case FrameKind.End:
        this.#end(payload);
        return;
      case FrameKind.Checkpoint:
        this.#checkpoint(payload);
        return;
      case FrameKind.Index:
        same(parseIndex(payload), parseIndex(this.#index.list()), 'an index');
        return;
      case FrameKind.Root: {
        const root = parseRoot(payload);
        if (this.#index.unlisted.length > 0)
          throw new ColumnError('is a root, and of more frames before it than it lists there is no index');
        same(root, parseRoot(this.#index.root(root.complete)), 'a root');
        this.#isComplete = root.complete;
        return;
      }
      case FrameKind.Trailer:
        this.#trailer(payload);
        return;
      case FrameKind.Counts:
        this.#counts(payload, count);
        return;
      case FrameKind.Marks:
        this.#marksFrame(payload, count);
        return;
      default:
        this.#unknown++;
    }
  }

  #pageMap(payload: Uint8Array, set: number): void {
    const map = parsePageMap(payload, set);
    if (!this.#open) {
      if (set !== this.#depths.length) throw new ColumnError(`is of memory ${set} in place of ${this.#depths.length}`);
      this.#open = { set, base: map.base };
      this.#runs = { page: 0, blob: 0 };
    }
    if (set !== this.#open.set || map.base !== this.#open.base) throw new ColumnError('is of another memory');
    applyRuns(map.runs, this.#runs, this.#table as PageTable, this.#index.blobs);
    if (!map.isLast) return;
    this.#depths.push(map.base < 0 ? 1 : (this.#depths[map.base] as number) + 1);
    this.#open = undefined;
    if ((this.#depths.at(-1) as number) > CHAIN_MAX) throw new ColumnError('is based on too long a chain of memories');
  }

  #placements(payload: Uint8Array): void {
    const { placements } = parsePlacements(payload);
    if (this.#header?.embedded) throw new ColumnError('places files in a trace that has its guest');
    for (const { file, offset, length } of placements) {
      const named = this.#header?.files[file];
      if (!named || offset + length > named.size) throw new ColumnError(`places what file ${file} does not have`);
    }
  }

  #blobs(payload: Uint8Array, count: number): void {
    const blobs = new BlobFrame(payload);
    if (blobs.first !== this.#index.blobs || blobs.count !== count) {
      throw new ColumnError(`has the blobs from ${blobs.first} on in place of those from ${this.#index.blobs} on`);
    }
    for (let number = blobs.first; number < blobs.first + count; number++) {
      const bytes = blobs.bytes(number);
      const hash = Buffer.from(blobs.hash(number)).toString('latin1');
      if (blobHash(bytes).toString('latin1') !== hash) throw new ColumnError(`has blob ${number} not with its hash`);
      if (this.#hashes.has(hash)) throw new ColumnError(`has blob ${number}, which the file has twice`);
      if (zeroPage.equals(bytes)) throw new ColumnError(`has blob ${number}, a page of zeros`);
      this.#hashes.add(hash);
      this.#lengths.push(bytes.length);
    }
  }

  #records(payload: Uint8Array, count: number): void {
    if (this.#index.end) throw new ColumnError('has records behind the end');
    const frame = new RecordFrameReader(payload, (number) => this.#blobLength(number));
    if (frame.first !== this.#index.records || frame.count !== count) {
      throw new ColumnError(`begins with record ${frame.first} in place of ${this.#index.records}`);
    }
    const counting = this.#header?.counting ?? false;
    if (counting ? frame.retired !== this.#retired : !Number.isNaN(frame.retired)) {
      throw new ColumnError('does not go on with the instruction count of the frame before');
    }
    if (frame.time !== (this.#time ?? frame.time))
      throw new ColumnError('does not go on with the time of the frame before');
    const record = this.#record;
    while (frame.next(record)) {
      if (record.kind === RecordKind.Hook && record.address >= (this.#header?.hooks.length ?? 0)) {
        throw new ColumnError(`has a hook at site ${record.address}, which there is not`);
      }
      if (!this.#marks.add(record)) throw new ColumnError(`has a digest that is not that of its records`);
    }
    if (counting) this.#retired = frame.retired;
    this.#time = frame.time;
  }

  /** As many bytes as the blob has: the reader of records looks at nothing else. */
  #blobLength(number: number): Uint8Array {
    const length = this.#lengths[number];
    if (length === undefined) throw new ColumnError(`refers to blob ${number}, which there is not`);
    return new Uint8Array(length);
  }

  #counts(payload: Uint8Array, count: number): void {
    if (this.#header?.counting) throw new ColumnError('has counts for a trace whose records have them');
    const { first, firstRetired, counts } = parseCounts(payload, count);
    if (first !== this.#counted)
      throw new ColumnError(`has the counts from record ${first} on in place of ${this.#counted}`);
    if (firstRetired !== this.#retired)
      throw new ColumnError('does not go on with the instruction count of the frame before');
    this.#counted += count;
    this.#retired = counts.at(-1) ?? firstRetired;
    if (this.#counted > this.#index.records) throw new ColumnError('has counts for records that there are not');
  }

  #marksFrame(payload: Uint8Array, count: number): void {
    const marks = parseMarks(payload);
    const expected = this.#marks.marks.slice(this.#listed, this.#listed + count);
    this.#listed += count;
    if (marks.length !== count || !sameMarks(marks, expected))
      throw new ColumnError('lists other digests than those of the records');
  }

  #end(payload: Uint8Array): void {
    const end = parseEnd(unpackMessage(payload));
    if (this.#index.end) throw new ColumnError('is a second end');
    if (end.records !== this.#index.records) {
      throw new ColumnError(`says that there are ${end.records} records, and there are ${this.#index.records}`);
    }
    if (this.#header?.counting && end.retired < this.#retired) {
      throw new ColumnError('has fewer instructions than the records');
    }
  }

  #checkpoint(payload: Uint8Array): void {
    const { record, set, retired } = parseCheckpoint(payload);
    this.#checkpointed = record;
    if (record === 0 && this.#index.records === 0) {
      this.#retired = retired;
      this.#time = undefined;
    }
    if (set >= this.#depths.length) throw new ColumnError(`is a checkpoint with memory ${set}, which there is not`);
    if (record > this.#index.records)
      throw new ColumnError(`is a checkpoint before record ${record}, which there is not`);
  }

  #trailer(payload: Uint8Array): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    const { kinds, sizes } = this.#index.tail;
    const at = this.#index.bytes - (sizes.at(-1) ?? 0);
    const isRoot = kinds.at(-1) === FrameKind.Root;
    if (payload.length !== 24 || !isRoot || view.getBigUint64(0, true) !== BigInt(at)) {
      throw new ColumnError('is a trailer that does not follow its root');
    }
    this.#isClosed = true;
  }
}

function sameMarks(a: readonly RunMark[], b: readonly RunMark[]): boolean {
  const text = ({ architectural, record, digest }: RunMark) => `${architectural} ${record} ${digest}`;
  return a.map(text).join() === b.map(text).join();
}

function same(a: unknown, b: unknown, what: string): void {
  if (JSON.stringify(a) !== JSON.stringify(b)) throw new ColumnError(`has ${what} that is not that of the file`);
}
