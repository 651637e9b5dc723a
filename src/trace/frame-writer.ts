/**
 * Writing frames to a file. Compression and writing go on beside the vCPU: a frame that is queued is compressed by a
 * thread of Node's, and written as soon as those before it are. What was written survives the death of the recorder.
 */
import { closeSync, ftruncateSync, openSync, write as writeFile, writeSync } from 'node:fs';
import { brotliCompress } from 'node:zlib';
import { assert } from '../base/assert.js';
import type { VmtapeError } from '../base/errors.js';
import { crc32 } from './crc32.js';
import { traceFileError } from './errors.js';
import {
  FrameKind,
  ID_SIZE,
  MAGIC,
  PAYLOAD_MAX,
  PRELUDE_CRC,
  PRELUDE_DATE,
  PRELUDE_ID,
  PRELUDE_REVISION,
  PRELUDE_SIZE,
  PRELUDE_VERSION,
  TRACE_REVISION,
  TRACE_VERSION,
  TRAILER_MAGIC,
  TRAILER_PAYLOAD_SIZE,
} from './format.js';
import { compression, compressPayload, encodeFrame, smaller } from './frame.js';
import { IndexBuilder } from './frame-index.js';

/** Queued bytes above which a recording does not leave the rest to the threads. */
const BACKLOG_MAX = 0x400_0000;

interface Job {
  readonly kind: number;
  readonly count: number;
  /** Of a checkpoint: the ordinal of its record. */
  readonly record: number;
  readonly payload: Uint8Array;
  /** The payload as it is stored, once it is compressed. */
  stored: Uint8Array | undefined;
}

/** The bytes of a prelude. */
export function encodePrelude(id: Uint8Array, date: number): Uint8Array {
  const prelude = new Uint8Array(PRELUDE_SIZE);
  const view = new DataView(prelude.buffer);
  prelude.set(MAGIC);
  view.setUint16(PRELUDE_VERSION, TRACE_VERSION, true);
  view.setUint16(PRELUDE_REVISION, TRACE_REVISION, true);
  prelude.set(id.subarray(0, ID_SIZE), PRELUDE_ID);
  view.setBigUint64(PRELUDE_DATE, BigInt(date), true);
  view.setUint32(PRELUDE_CRC, crc32(prelude.subarray(0, PRELUDE_CRC)), true);
  return prelude;
}

/** See the head of the file. */
export class FrameWriter {
  readonly #file: number;
  readonly #index: IndexBuilder;
  readonly #jobs: Job[] = [];
  #backlog = 0;
  /** Bytes that threads compress, or will: they keep them until we come back to the event loop, written or not. */
  #handed = 0;
  /** Writes of the operating system under way; the file is closed when there are none. */
  #inFlight = 0;
  #isWriting = false;
  #isClosed = false;
  #error: VmtapeError | undefined;
  #waiting: (() => void)[] = [];

  private constructor(
    readonly path: string,
    file: number,
    index: IndexBuilder,
    readonly backlogMax = BACKLOG_MAX,
  ) {
    this.#file = file;
    this.#index = index;
  }

  /** Makes the file, or empties it, and writes the prelude. `backlogMax`: when so many bytes are queued, {@link queue} waits. */
  static create(path: string, id: Uint8Array, date: number, backlogMax?: number): FrameWriter {
    const file = open(path, 'w');
    const writer = new FrameWriter(path, file, new IndexBuilder(), backlogMax);
    try {
      writer.#put(encodePrelude(id, date), 0);
    } catch (error) {
      writer.close();
      throw error;
    }
    return writer;
  }

  /** Goes on behind the frames of `index`; what lies behind them is cut off. */
  static append(path: string, index: IndexBuilder): FrameWriter {
    const file = open(path, 'r+');
    const writer = new FrameWriter(path, file, index);
    try {
      ftruncateSync(file, index.bytes);
    } catch (error) {
      writer.close();
      throw traceFileError(path, error);
    }
    return writer;
  }

  /** Bytes written. */
  get bytes(): number {
    return this.#index.bytes;
  }
  /** Bytes of payload that wait. */
  get backlog(): number {
    return this.#backlog;
  }
  /** Blobs written or queued. */
  blobs = 0;
  /** Why nothing more is written: the disk is full, or the like. What was written stays as it is. */
  get error(): VmtapeError | undefined {
    return this.#error;
  }

  /** Writes a frame when those before it are written; throws what an earlier one failed with. */
  queue(kind: number, payload: Uint8Array, count = 0, record = 0): void {
    const job = this.#add(kind, payload, count, record);
    if (Math.max(this.#backlog, this.#handed) > this.backlogMax) {
      this.flush();
      return;
    }
    this.#handed += payload.length;
    brotliCompress(payload, compression(payload.length), (error, compressed) => {
      this.#handed -= payload.length;
      if (job.stored === undefined) job.stored = error ? payload : smaller(payload, compressed);
      this.#pump();
    });
  }

  /** Writes a frame, and all before it, now. */
  write(kind: number, payload: Uint8Array, count = 0, record = 0): void {
    this.#add(kind, payload, count, record);
    this.flush();
  }

  /** Writes all that is queued, now. */
  flush(): void {
    for (;;) {
      const job = this.#jobs[0];
      if (!job) break;
      this.#throwError();
      const frame = this.#encode(job);
      try {
        this.#put(frame, this.#index.bytes);
      } catch (error) {
        this.#fail(error as VmtapeError);
      }
      this.#throwError();
      this.#finished(job, frame.length);
    }
    this.#throwError();
  }

  /** All that is queued is written when the promise is kept; it is broken if that fails. */
  async drained(): Promise<void> {
    while (this.#jobs.length > 0 && !this.#error) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#throwError();
  }

  /** Writes the root and the trailer: the file is whole. `complete`: the recorder wrote the end. */
  finish(complete: boolean): void {
    this.flush();
    if (this.#index.isListDue) {
      // Frames that were there before, without an index.
      this.#insertList();
      this.flush();
    }
    const { frames, bytes } = this.#index;
    this.write(FrameKind.Root, this.#index.root(complete));
    const trailer = new Uint8Array(TRAILER_PAYLOAD_SIZE);
    const view = new DataView(trailer.buffer);
    view.setBigUint64(0, BigInt(bytes), true);
    view.setUint32(8, frames, true);
    trailer.set(TRAILER_MAGIC, 16);
    this.write(FrameKind.Trailer, trailer);
  }

  /** Closes the file as it is; what is queued is written before, if it can be. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    try {
      this.flush();
    } catch {
      // It was, or will be, said where the frame was queued.
    }
    this.#isClosed = true;
    this.#closeFile();
  }

  #add(kind: number, payload: Uint8Array, count: number, record: number): Job {
    assert(!this.#isClosed, 'a trace that is written to is open');
    assert(payload.length <= PAYLOAD_MAX, 'a frame has at most 1 MiB');
    this.#throwError();
    const job: Job = { kind, count, record, payload, stored: undefined };
    this.#jobs.push(job);
    this.#backlog += payload.length;
    if (kind === FrameKind.Blobs) this.blobs += count;
    return job;
  }

  #encode(job: Job): Uint8Array {
    job.stored ??= job.kind === FrameKind.Trailer ? job.payload : compressPayload(job.payload);
    return encodeFrame(job.kind, this.#index.frames, job.count, job.payload, job.stored);
  }

  /** Writes the first frame of the queue if it is compressed and nothing is under way. */
  #pump(): void {
    const job = this.#jobs[0];
    if (!job?.stored || this.#isWriting || this.#error || this.#isClosed) return;
    this.#isWriting = true;
    this.#putAsync(job, this.#encode(job), 0, this.#index.bytes);
  }

  /** Should {@link flush} write the frame meanwhile, then the same bytes are written twice to the same place. */
  #putAsync(job: Job, frame: Uint8Array, start: number, position: number): void {
    this.#inFlight++;
    writeFile(this.#file, frame, start, frame.length - start, position + start, (error, count) => {
      this.#inFlight--;
      if (this.#isClosed) {
        this.#closeFile();
      } else if (this.#jobs[0] !== job) {
        this.#isWriting = false;
        this.#pump();
      } else if (error || count === 0) {
        this.#isWriting = false;
        this.#fail(traceFileError(this.path, error ?? new Error('nothing could be written')));
      } else if (start + count < frame.length) {
        this.#putAsync(job, frame, start + count, position);
      } else {
        this.#isWriting = false;
        this.#finished(job, frame.length);
        this.#pump();
      }
    });
  }

  #finished(job: Job, size: number): void {
    this.#jobs.shift();
    this.#backlog -= job.payload.length;
    this.#index.add(job.kind, size, job.count, job.record);
    // Nothing comes between the root and the trailer, or behind it.
    const isClosing = job.kind === FrameKind.Root || job.kind === FrameKind.Trailer;
    if (this.#index.isListDue && !isClosing) this.#insertList();
    if (this.#jobs.length === 0) this.#wake();
  }

  #insertList(): void {
    const payload = this.#index.list();
    this.#backlog += payload.length;
    this.#jobs.unshift({ kind: FrameKind.Index, count: 0, record: 0, payload, stored: compressPayload(payload) });
  }

  #put(bytes: Uint8Array, position: number): void {
    try {
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(this.#file, bytes, at, bytes.length - at, position + at);
      }
    } catch (error) {
      throw traceFileError(this.path, error);
    }
  }

  #fail(error: VmtapeError): void {
    this.#error ??= error;
    try {
      // What is left of the frame that did not fit would only be in the way.
      ftruncateSync(this.#file, this.#index.bytes);
    } catch {
      // Then it stays: a reader knows what to do.
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #throwError(): void {
    if (this.#error) throw this.#error;
  }

  #closeFile(): void {
    if (this.#inFlight === 0) closeSync(this.#file);
  }
}

function open(path: string, flags: string): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw traceFileError(path, error);
  }
}
