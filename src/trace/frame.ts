/** Frames: how a payload is put into the file, and read back with everything checked. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
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
  FLAG_DEFLATED,
  FRAME_CRC,
  FRAME_FLAGS,
  FRAME_HEAD_SIZE,
  FRAME_KIND,
  FRAME_NUMBER,
  FRAME_RAW,
  FRAME_STORED,
  FRAME_ZERO,
  FrameKind,
  ID_SIZE,
  MAGIC,
  PAYLOAD_MAX,
  PRELUDE_CRC,
  PRELUDE_DATE,
  PRELUDE_ID,
  PRELUDE_SIZE,
  PRELUDE_VERSION,
  TRACE_VERSION,
} from './format.js';

/** Writes frames to a file, one after the other, each at once: what was written survives the death of the recorder. */
export class FrameWriter {
  #file: number | undefined;
  #number = 0;
  #bytes = 0;
  readonly #head = new Uint8Array(FRAME_HEAD_SIZE);
  readonly #view = new DataView(this.#head.buffer);

  /** Makes the file, or empties it, and writes the prelude. */
  constructor(
    readonly path: string,
    id: Uint8Array,
    date: number,
  ) {
    try {
      this.#file = openSync(path, 'w');
    } catch (error) {
      throw traceFileError(path, error);
    }
    const prelude = new Uint8Array(PRELUDE_SIZE);
    const view = new DataView(prelude.buffer);
    prelude.set(MAGIC);
    view.setUint32(PRELUDE_VERSION, TRACE_VERSION, true);
    prelude.set(id.subarray(0, ID_SIZE), PRELUDE_ID);
    view.setBigUint64(PRELUDE_DATE, BigInt(date), true);
    view.setUint32(PRELUDE_CRC, crc32(prelude.subarray(0, PRELUDE_CRC)), true);
    this.#put(prelude);
  }

  /** Bytes written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Writes one frame, compressed where that makes it smaller. */
  write(kind: FrameKind, payload: Uint8Array): void {
    const deflated = deflateRawSync(payload, { level: 3 });
    const smaller = deflated.length < payload.length;
    const stored = smaller ? deflated : payload;
    const view = this.#view;
    view.setUint8(FRAME_KIND, kind);
    view.setUint8(FRAME_FLAGS, smaller ? FLAG_DEFLATED : 0);
    view.setUint16(FRAME_ZERO, 0, true);
    view.setUint32(FRAME_STORED, stored.length, true);
    view.setUint32(FRAME_RAW, payload.length, true);
    view.setUint32(FRAME_NUMBER, this.#number++, true);
    view.setUint32(FRAME_CRC, crc32(stored, crc32(this.#head.subarray(0, FRAME_CRC))), true);
    this.#put(this.#head);
    this.#put(stored);
  }

  /** Idempotent. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #put(bytes: Uint8Array): void {
    if (this.#file === undefined) return;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at, bytes.length - at);
    } catch (error) {
      throw traceFileError(this.path, error);
    }
    this.#bytes += bytes.length;
  }
}

/** One frame, read. */
export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Uint8Array;
  readonly place: TracePlace;
}

/** Reads frames of a file, in order or again from a place. */
export class FrameReader {
  readonly #file: number;
  #closed = false;
  readonly size: number;
  readonly id: Uint8Array;
  readonly date: number;
  #at = PRELUDE_SIZE;
  #number = 0;
  readonly #head = new Uint8Array(FRAME_HEAD_SIZE);
  readonly #view = new DataView(this.#head.buffer);

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
      const view = new DataView(prelude.buffer);
      this.id = prelude.slice(PRELUDE_ID, PRELUDE_ID + ID_SIZE);
      this.date = Number(view.getBigUint64(PRELUDE_DATE, true));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The place of the next frame. */
  get place(): TracePlace {
    return { path: this.path, frame: this.#number, byte: this.#at };
  }
  /** Makes the frame at `place` the next one. */
  seek(place: TracePlace): void {
    this.#at = place.byte;
    this.#number = place.frame;
  }
  /** The end of the file is reached. */
  get atEnd(): boolean {
    return this.#at >= this.size;
  }

  /** Reads the next frame. Throws VMTAPE_TRACE_TRUNCATED or VMTAPE_TRACE_DAMAGED; nothing is allocated on its word alone. */
  read(): Frame {
    const place = this.place;
    this.#readHead(place);
    const view = this.#view;
    const kind = view.getUint8(FRAME_KIND);
    const flags = view.getUint8(FRAME_FLAGS);
    const stored = view.getUint32(FRAME_STORED, true);
    const raw = view.getUint32(FRAME_RAW, true);
    if (stored > PAYLOAD_MAX || raw > PAYLOAD_MAX) throw damagedTrace(place, 'claims more bytes than a frame can have');
    if (this.#at + FRAME_HEAD_SIZE + stored > this.size) throw truncatedTrace(place, 'is cut off');
    const payload = new Uint8Array(stored);
    this.#readAt(payload, this.#at + FRAME_HEAD_SIZE);
    if (crc32(payload, crc32(this.#head.subarray(0, FRAME_CRC))) !== view.getUint32(FRAME_CRC, true)) {
      throw damagedTrace(place, 'does not have its checksum');
    }
    if (kind < FrameKind.Header || kind > FrameKind.End) throw damagedTrace(place, `has the unknown kind ${kind}`);
    if (flags > FLAG_DEFLATED || view.getUint16(FRAME_ZERO, true) !== 0) throw damagedTrace(place, 'has unknown flags');
    if (view.getUint32(FRAME_NUMBER, true) !== this.#number)
      throw damagedTrace(place, 'has the number of another frame');
    const plain = flags === FLAG_DEFLATED ? inflate(payload, raw, place) : payload;
    if (plain.length !== raw) throw damagedTrace(place, `has ${plain.length} bytes and claims ${raw}`);
    this.#at += FRAME_HEAD_SIZE + stored;
    this.#number++;
    return { kind: kind as FrameKind, payload: plain, place };
  }

  /** Idempotent. */
  close(): void {
    if (!this.#closed) closeSync(this.#file);
    this.#closed = true;
  }

  #readPrelude(): Uint8Array {
    const prelude = new Uint8Array(PRELUDE_SIZE);
    const count = this.#readAt(prelude, 0);
    const path = this.path;
    if (count === 0) throw foreignTrace(path, 'it is empty');
    const magic = Math.min(count, MAGIC.length);
    if (MAGIC.subarray(0, magic).some((byte, index) => byte !== prelude[index])) {
      throw foreignTrace(path, 'it does not begin as one');
    }
    const place = { path, frame: 0, byte: count };
    if (count < PRELUDE_SIZE) throw truncatedTrace(place, 'is missing: the file ends within its first 48 bytes');
    const view = new DataView(prelude.buffer);
    const version = view.getUint32(PRELUDE_VERSION, true);
    if (version !== TRACE_VERSION) throw unknownTraceVersion(path, version);
    if (crc32(prelude.subarray(0, PRELUDE_CRC)) !== view.getUint32(PRELUDE_CRC, true)) {
      throw damagedTrace({ path, frame: 0, byte: 0 }, 'is preceded by a prelude that does not have its checksum');
    }
    if (view.getBigUint64(PRELUDE_DATE, true) > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw damagedTrace({ path, frame: 0, byte: PRELUDE_DATE }, 'is preceded by a date out of range');
    }
    return prelude;
  }

  #readHead(place: TracePlace): void {
    const count = this.#readAt(this.#head, this.#at);
    if (count === 0) throw truncatedTrace(place, 'is missing, and no end was marked');
    if (count < FRAME_HEAD_SIZE) throw truncatedTrace(place, 'is cut off');
  }

  #readAt(into: Uint8Array, position: number): number {
    try {
      let at = 0;
      while (at < into.length) {
        const count = readSync(this.#file, into, at, into.length - at, position + at);
        if (count === 0) break;
        at += count;
      }
      return at;
    } catch (error) {
      throw traceFileError(this.path, error);
    }
  }
}

function inflate(payload: Uint8Array, raw: number, place: TracePlace): Uint8Array {
  try {
    return inflateRawSync(payload, { maxOutputLength: Math.max(raw, 1) });
  } catch {
    throw damagedTrace(place, `does not decompress to the ${raw} bytes that it claims`);
  }
}
