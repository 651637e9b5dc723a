/** Adding checkpoints, or instruction counts, to a trace that is whole, as a replay does that has come through it. */
import { BlobFrame } from './blobs.js';
import { checkpointMessage, type TraceCheckpoint } from './checkpoint.js';
import type { CountsFrame } from './counts.js';
import { damagedTrace } from './errors.js';
import { FrameKind, TRAILER_SIZE } from './format.js';
import { IndexBuilder } from './frame-index.js';
import { FrameWriter } from './frame-writer.js';
import { MemoryWriter, PageTable, type RamRun } from './image.js';
import { TraceReader } from './reader.js';

/** Appends to a file. What was there stays as it is: if this is interrupted, the trace is as it was, and `repair` closes it. */
export class TraceAppender {
  readonly #frames: FrameWriter;
  readonly #memory: MemoryWriter;
  /** Records of the file. */
  readonly records: number;
  readonly #isComplete: boolean;
  /** The ordinals of the records for which the file has checkpoints. */
  readonly checkpoints: ReadonlySet<number>;

  /** Throws VMTAPE_TRACE_DAMAGED or VMTAPE_TRACE_TRUNCATED for a file that was not closed cleanly. */
  constructor(readonly path: string) {
    const reader = new TraceReader(path);
    try {
      const { index, header } = reader;
      const { root } = index;
      if (!index.isClosed)
        throw index.damage ?? damagedTrace({ path, frame: 0, byte: 0 }, 'is of a file without an index');
      this.records = root.records;
      this.#isComplete = root.complete;
      this.checkpoints = new Set(root.checkpoints.map(({ record }) => record));
      const builder = IndexBuilder.from(root);
      // The root and the trailer that were the last frames stay, and mean nothing any more.
      builder.add(FrameKind.Root, index.bytes - TRAILER_SIZE - builder.bytes, 0);
      builder.add(FrameKind.Trailer, TRAILER_SIZE, 0);
      const sets = 1 + Math.max(-1, ...root.maps.map(({ set }) => set));
      const table = sets > 0 ? reader.memoryTable(sets - 1) : new PageTable(header.memorySize, header.romSize);
      this.#frames = FrameWriter.append(path, builder);
      this.#memory = new MemoryWriter(this.#frames, table, sets);
      for (const place of index.framesOf(FrameKind.Blobs))
        this.#memory.blobs.know(new BlobFrame(reader.read(place).payload));
    } finally {
      reader.close();
    }
  }

  /** Adds the state before a record. `ram`: RAM and ROM as at the start of a trace (memoryRuns of src/vmm/memory.ts). */
  checkpoint(checkpoint: Omit<TraceCheckpoint, 'set'>, ram: readonly RamRun[]): void {
    if (checkpoint.record > this.records)
      throw new RangeError('a checkpoint stands before a record of the trace, or at its end');
    const set = this.#memory.write(ram);
    this.#frames.queue(FrameKind.Checkpoint, checkpointMessage({ ...checkpoint, set }), 0, checkpoint.record);
  }

  /** Adds the instruction counts of all records (CountsWriter). */
  counts(frames: Iterable<CountsFrame>): void {
    let records = 0;
    for (const { payload, count } of frames) {
      this.#frames.queue(FrameKind.Counts, payload, count);
      records += count;
    }
    if (records !== this.records) throw new RangeError('every record of the trace has a count');
  }

  /** Writes the new root and trailer, and closes the file. */
  finish(): void {
    this.#frames.finish(this.#isComplete);
    this.#frames.close();
  }

  /** Closes the file as it is. Idempotent. */
  close(): void {
    this.#frames.close();
  }
}

/** Adds the instruction counts behind the end, as `vmtape seal` does, to a trace that is closed. */
export function appendCounts(path: string, frames: Iterable<CountsFrame>): void {
  const appender = new TraceAppender(path);
  try {
    appender.counts(frames);
    appender.finish();
  } finally {
    appender.close();
  }
}
