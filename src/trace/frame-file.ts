/** A trace file that is read: the prelude, frames at their places, and the index. */
import { closeSync, fstatSync, openSync, read as readFile, readSync } from 'node:fs';
import { brotliDecompress } from 'node:zlib';
import { crc32 } from './crc32.js';
import {
  damagedTrace,
  foreignTrace,
  type TracePlace,
  traceFileError,
  truncatedTrace,
  unknownTraceVersion,
} from './errors.js';
import {
  Codec,
  FRAME_HEAD_SIZE,
  ID_SIZE,
  MAGIC,
  PRELUDE_CRC,
  PRELUDE_DATE,
  PRELUDE_ID,
  PRELUDE_SIZE,
  PRELUDE_VERSION,
  TRACE_VERSION,
} from './format.js';
import { checkFrame, type Frame, type FrameHead, notItsSize, openPayload, parseHead } from './frame.js';

/** Heads are read in pieces of this many bytes, so that a frame of usual size comes with its head. */
const WINDOW = 0x1_0000;
/** Frames of fewer bytes are read at once: going to a thread and back takes longer. */
const SMALL = 0x2000;

/** The last millisecond that a Date can be (ECMA-262, "Time Values and Time Range"). */
const DATE_MAX = 8_640_000_000_000_000n;

/** See the head of the file. Nothing that the file says is believed before it is checked. */
export class FrameFile {
  readonly #file: number;
  #isClosed = false;
  #inFlight = 0;
  readonly size: number;
  /** Bytes read from the file so far. */
  bytesRead = 0;
  readonly id: Uint8Array;
  readonly date: number;
  #window = new Uint8Array(0);
  #windowAt = 0;

  /** Opens the file and checks the prelude. */
  constructor(readonly path: string) {
    try {
      this.#file = openSync(path, 'r');
    } catch (error) {
      throw traceFileError(path, error);
    }
    try {
      const status = fstatSync(this.#file);
      if (!status.isFile()) throw foreignTrace(path, status.isDirectory() ? 'it is a directory' : 'it is not a file');
      this.size = status.size;
      const prelude = this.#readPrelude();
      const view = new DataView(prelude.buffer, prelude.byteOffset);
      this.id = prelude.slice(PRELUDE_ID, PRELUDE_ID + ID_SIZE);
      this.date = Number(view.getBigUint64(PRELUDE_DATE, true));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The place of frame `frame` at `byte`. */
  place(frame: number, byte: number): TracePlace {
    return { path: this.path, frame, byte };
  }

  /** The head at `place`, its checksum not yet checked; VMTAPE_TRACE_TRUNCATED if the frame is not there as a whole. */
  head(place: TracePlace): FrameHead {
    if (place.byte >= this.size) throw truncatedTrace(place, 'is missing, and no end was marked');
    const bytes = this.#bytes(place.byte, FRAME_HEAD_SIZE, WINDOW);
    if (bytes.length < FRAME_HEAD_SIZE) throw truncatedTrace(place, 'is cut off');
    const head = parseHead(bytes, 0, place);
    if (place.byte + FRAME_HEAD_SIZE + head.stored > this.size) throw truncatedTrace(place, 'is cut off');
    return head;
  }

  /** Reads the frame at `place`. Throws VMTAPE_TRACE_TRUNCATED or VMTAPE_TRACE_DAMAGED. */
  read(place: TracePlace): Frame {
    const head = this.head(place);
    const frame = this.#bytes(place.byte, FRAME_HEAD_SIZE + head.stored, 0);
    if (frame.length < FRAME_HEAD_SIZE + head.stored) throw truncatedTrace(place, 'is cut off');
    return { ...head, payload: openPayload(frame, head, place), place };
  }

  /** The same without making anybody wait: the file is read, and the payload decompressed, by threads of Node's. */
  async readAsync(place: TracePlace): Promise<Frame> {
    const head = this.head(place);
    if (head.stored < SMALL) return this.read(place);
    const length = FRAME_HEAD_SIZE + head.stored;
    const frame = new Uint8Array(length);
    this.#inFlight++;
    try {
      if ((await this.#readAsync(frame, place.byte)) < length) throw truncatedTrace(place, 'is cut off');
    } finally {
      this.#inFlight--;
      if (this.#isClosed) this.#closeFile();
    }
    const again = parseHead(frame, 0, place);
    if (again.stored !== head.stored) throw damagedTrace(place, 'is being changed');
    if (head.codec !== Codec.Brotli) return { ...head, payload: openPayload(frame, head, place), place };
    checkFrame(frame, head, place);
    return { ...head, payload: await decompressed(frame.subarray(FRAME_HEAD_SIZE), head, place), place };
  }

  /** All frames in their order; throws where one is not whole. */
  *frames(): Generator<Frame, void> {
    for (let place = this.place(0, PRELUDE_SIZE); place.byte < this.size; ) {
      const frame = this.read(place);
      yield frame;
      place = this.place(place.frame + 1, place.byte + FRAME_HEAD_SIZE + frame.stored);
    }
  }

  /** The bytes from `from` on; fewer at the end of the file. */
  bytes(from: number, count: number): Uint8Array {
    return this.#bytes(from, count, 0);
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeFile();
  }

  #closeFile(): void {
    if (this.#inFlight === 0) closeSync(this.#file);
  }

  /** `ahead`: how much is read if it must be read: what comes next will soon be asked for. */
  #bytes(from: number, count: number, ahead: number): Uint8Array {
    const start = from - this.#windowAt;
    if (start >= 0 && start + count <= this.#window.length) return this.#window.subarray(start, start + count);
    const wanted = Math.max(0, Math.min(Math.max(count, ahead), this.size - from));
    const bytes = new Uint8Array(wanted);
    const got = bytes.subarray(0, this.#readAt(bytes, from));
    if (ahead > 0) {
      this.#window = got;
      this.#windowAt = from;
    }
    return got.subarray(0, count);
  }

  #readPrelude(): Uint8Array {
    const prelude = this.#bytes(0, PRELUDE_SIZE, 0);
    const { path } = this;
    const count = prelude.length;
    if (count === 0) throw foreignTrace(path, 'it is empty');
    const magic = Math.min(count, MAGIC.length);
    if (MAGIC.subarray(0, magic).some((byte, index) => byte !== prelude[index])) {
      throw foreignTrace(path, 'it does not begin as one');
    }
    if (count < PRELUDE_SIZE) {
      throw truncatedTrace(this.place(0, count), 'is missing: the file ends within its first 48 bytes');
    }
    const view = new DataView(prelude.buffer, prelude.byteOffset);
    const version = view.getUint16(PRELUDE_VERSION, true);
    if (version !== TRACE_VERSION) throw unknownTraceVersion(path, version);
    if (crc32(prelude.subarray(0, PRELUDE_CRC)) !== view.getUint32(PRELUDE_CRC, true)) {
      throw damagedTrace(this.place(0, 0), 'is preceded by a prelude that does not have its checksum');
    }
    if (view.getBigUint64(PRELUDE_DATE, true) > DATE_MAX) {
      throw damagedTrace(this.place(0, PRELUDE_DATE), 'is preceded by a date out of range');
    }
    return prelude;
  }

  #readAt(into: Uint8Array, position: number): number {
    try {
      let at = 0;
      while (at < into.length) {
        const count = readSync(this.#file, into, at, into.length - at, position + at);
        if (count === 0) break;
        at += count;
        this.bytesRead += count;
      }
      return at;
    } catch (error) {
      throw traceFileError(this.path, error);
    }
  }

  async #readAsync(into: Uint8Array, position: number): Promise<number> {
    let at = 0;
    while (at < into.length) {
      const count = await new Promise<number>((resolve, reject) => {
        readFile(this.#file, into, at, into.length - at, position + at, (error, bytes) => {
          if (error) reject(traceFileError(this.path, error));
          else resolve(bytes);
        });
      });
      if (count === 0) break;
      at += count;
      this.bytesRead += count;
    }
    return at;
  }
}

function decompressed(stored: Uint8Array, head: FrameHead, place: TracePlace): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    brotliDecompress(stored, { maxOutputLength: Math.max(head.raw, 1) }, (error, payload) => {
      if (error || payload.length !== head.raw) reject(notItsSize(head, place));
      else resolve(payload);
    });
  });
}
