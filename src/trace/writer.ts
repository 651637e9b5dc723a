/** Writing a trace: header and memory first, then records as they come, then the mark of a clean end. */
import { rmSync } from 'node:fs';
import { assert } from '../base/assert.js';
import type { VmtapeError } from '../base/errors.js';
import { BLOB_MAX } from './blobs.js';
import { checkpointMessage, type TraceCheckpoint } from './checkpoint.js';
import { DMA_MAX, FrameKind, ID_SIZE } from './format.js';
import { FrameWriter } from './frame-writer.js';
import { endMessage, headerMessage, type TraceEnd, type TraceHeader } from './header.js';
import { MemoryWriter, PageTable, type RamRun } from './image.js';
import { packMessage } from './msgpack.js';
import { type Placement, patchesOf, placedPages, placementsMessage } from './placements.js';
import { RecordFrameWriter } from './record-writer.js';
import { marksMessages } from './run-digest.js';

/** The memory at the start of the recording. */
export interface TraceImage {
  /** RAM, and the ROM below 4 GiB; pages that are in no run are all zeros. */
  readonly ram: Iterable<RamRun>;
  /** Instead of embedding what comes from the header's files: the files in their order, and where they stand in memory. */
  readonly placed?: { readonly files: readonly Uint8Array[]; readonly placements: readonly Placement[] } | undefined;
}

/** Where the records begin; not 0 in a part of another trace, which has a checkpoint before its first record. */
export interface TraceStart {
  /** Instructions retired; 0 where nobody counts. */
  readonly retired: number;
  /** The last recorded time, in nanoseconds. */
  readonly time: number;
}

/** A DMA of fewer bytes stands with its record, others are contents of their own. */
const DMA_BLOB_MIN = 512;
const PATCH_BYTES_PER_FRAME = 0x4_0000;

/** Writes one trace. Append to {@link records}, and call {@link flush} whenever they are full. */
export class TraceWriter {
  readonly records: RecordFrameWriter;
  readonly #frames: FrameWriter;
  readonly #memory: MemoryWriter;

  /** Makes the file with its header and memory; if that fails, no file is left behind. `backlogMax`: of FrameWriter.create. */
  constructor(
    readonly path: string,
    readonly header: TraceHeader,
    image: TraceImage,
    start: TraceStart = { retired: 0, time: 0 },
    backlogMax?: number,
  ) {
    assert(header.id.length === ID_SIZE, 'the id of a recording has 16 bytes');
    assert(header.embedded === (image.placed === undefined), 'what is not embedded is placed');
    this.records = new RecordFrameWriter(header.counting, 0, start.retired, start.time);
    this.#frames = FrameWriter.create(path, header.id, header.date, backlogMax);
    this.#memory = new MemoryWriter(this.#frames, new PageTable(header.memorySize, header.romSize));
    try {
      this.#frames.write(FrameKind.Header, packMessage(headerMessage(header)));
      this.#writeMemory(image);
    } catch (error) {
      this.#frames.close();
      rmSync(path, { force: true });
      throw error;
    }
  }

  /** The same, with the memory in the file when the promise is kept. */
  static async create(
    path: string,
    header: TraceHeader,
    image: TraceImage,
    start?: TraceStart,
    backlogMax?: number,
  ): Promise<TraceWriter> {
    const writer = new TraceWriter(path, header, image, start, backlogMax);
    try {
      await writer.drained();
      return writer;
    } catch (error) {
      writer.close();
      rmSync(path, { force: true });
      throw error;
    }
  }

  /** Bytes of the file so far. */
  get bytes(): number {
    return this.#frames.bytes;
  }
  /** Why nothing more can be written; undefined: all is well. What was written before is a trace. */
  get error(): VmtapeError | undefined {
    return this.#frames.error;
  }
  /** Bytes that wait to be compressed and written. */
  get backlog(): number {
    return this.#frames.backlog;
  }

  /** A device wrote to memory: as one record or several, with the bytes in the record or as contents of their own. */
  dma(retired: number, address: number, bytes: Uint8Array): void {
    const most = Math.min(DMA_MAX, BLOB_MAX);
    for (let at = 0; at === 0 || at < bytes.length; at += most) {
      const part = bytes.subarray(at, at + most);
      if (part.length < DMA_BLOB_MIN) this.records.dma(retired, address + at, part);
      else if (part.every((byte) => byte === 0)) this.records.dmaZeros(retired, address + at, part.length);
      else this.records.dmaBlob(retired, address + at, part.length, this.#memory.blobs.add(part));
      if (this.records.full) this.flush();
    }
  }

  /** Has the records so far written as a frame, in the background. Throws what an earlier frame failed with. */
  flush(): void {
    if (this.records.count === 0) return;
    // The contents that the records refer to come before them.
    this.#memory.blobs.flush();
    const { count } = this.records;
    this.#frames.queue(FrameKind.Records, this.records.take(), count);
  }

  /** All that was flushed is in the file when the promise is kept. */
  drained(): Promise<void> {
    return this.#frames.drained();
  }

  /** Writes a checkpoint: the state before the next record. */
  checkpoint(checkpoint: Omit<TraceCheckpoint, 'set' | 'record'>, ram: readonly RamRun[]): void {
    this.flush();
    const record = this.records.total;
    const set = this.#memory.write(ram);
    this.#frames.queue(FrameKind.Checkpoint, checkpointMessage({ ...checkpoint, record, set }), 0, record);
  }

  /** Writes what is left, the mark of a clean end and the index, and closes the file. */
  finish(end: Omit<TraceEnd, 'records'>): void {
    this.flush();
    for (const { payload, count } of marksMessages(this.records.marks)) {
      this.#frames.queue(FrameKind.Marks, payload, count);
    }
    this.#frames.write(FrameKind.End, packMessage(endMessage({ ...end, records: this.records.total })));
    this.#frames.finish(true);
    this.close();
  }

  /** Closes the file as it is, with all that was flushed. Idempotent. */
  close(): void {
    this.#frames.close();
  }

  #writeMemory({ ram, placed }: TraceImage): void {
    if (!placed) {
      this.#memory.write(ram);
      return;
    }
    const pages = placedPages(placed.placements);
    const patches = patchesOf(ram, placed.placements, placed.files);
    let first = 0;
    let bytes = 0;
    for (const [index, patch] of patches.entries()) {
      bytes += patch.bytes.length + 16;
      if (bytes < PATCH_BYTES_PER_FRAME) continue;
      this.#frames.queue(FrameKind.Placements, placementsMessage([], patches.slice(first, index)), 0);
      first = index;
      bytes = 0;
    }
    this.#frames.queue(FrameKind.Placements, placementsMessage(placed.placements, patches.slice(first)), 0);
    this.#memory.write(ram, (page) => pages.has(page));
  }
}
