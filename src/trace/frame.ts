/** A frame: the head with its checksum, and the payload, stored as it is or compressed. */
import { type BrotliOptions, brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { crc32 } from './crc32.js';
import { damagedTrace, type TracePlace } from './errors.js';
import {
  Codec,
  FRAME_CODEC,
  FRAME_COUNT,
  FRAME_CRC,
  FRAME_HEAD_SIZE,
  FRAME_KIND,
  FRAME_NUMBER,
  FRAME_RAW,
  FRAME_STORED,
  FRAME_ZERO,
  PAYLOAD_MAX,
} from './format.js';

/** What the head of a frame says. Only its checksum tells whether it is true: see {@link openPayload}. */
export interface FrameHead {
  readonly kind: number;
  readonly codec: number;
  readonly stored: number;
  readonly raw: number;
  readonly number: number;
  readonly count: number;
  /** Of the head and the stored payload. */
  readonly checksum: number;
}

/** One frame, read. */
export interface Frame extends FrameHead {
  readonly payload: Uint8Array;
  readonly place: TracePlace;
}

/** Below this, compression gains nothing. */
const COMPRESSED_MIN = 64;

/** How payloads are compressed: measured on recordings, see docs/trace-format.md. */
export function compression(size: number): BrotliOptions {
  return {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 5,
      [constants.BROTLI_PARAM_LGWIN]: 20,
      [constants.BROTLI_PARAM_SIZE_HINT]: size,
    },
  };
}

/** The payload as it is stored: compressed where that makes it smaller. */
export function compressPayload(payload: Uint8Array): Uint8Array {
  if (payload.length < COMPRESSED_MIN) return payload;
  return smaller(payload, brotliCompressSync(payload, compression(payload.length)));
}

/** Which of the two is stored. */
export function smaller(payload: Uint8Array, compressed: Uint8Array): Uint8Array {
  return compressed.length < payload.length ? compressed : payload;
}

/** The bytes of a frame. `stored` is `payload`, or what {@link compressPayload} made of it. */
export function encodeFrame(
  kind: number,
  number: number,
  count: number,
  payload: Uint8Array,
  stored: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEAD_SIZE + stored.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(FRAME_KIND, kind);
  view.setUint8(FRAME_CODEC, stored === payload ? Codec.Plain : Codec.Brotli);
  view.setUint32(FRAME_STORED, stored.length, true);
  view.setUint32(FRAME_RAW, payload.length, true);
  view.setUint32(FRAME_NUMBER, number, true);
  view.setUint32(FRAME_COUNT, count, true);
  bytes.set(stored, FRAME_HEAD_SIZE);
  view.setUint32(FRAME_CRC, crc32(stored, crc32(bytes.subarray(0, FRAME_CRC))), true);
  return bytes;
}

/** Reads a head at `offset`; throws VMTAPE_TRACE_DAMAGED for what no writer writes. Its checksum is not checked. */
export function parseHead(bytes: Uint8Array, offset: number, place: TracePlace): FrameHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, FRAME_HEAD_SIZE);
  const head = {
    kind: view.getUint8(FRAME_KIND),
    codec: view.getUint8(FRAME_CODEC),
    stored: view.getUint32(FRAME_STORED, true),
    raw: view.getUint32(FRAME_RAW, true),
    number: view.getUint32(FRAME_NUMBER, true),
    count: view.getUint32(FRAME_COUNT, true),
    checksum: view.getUint32(FRAME_CRC, true),
  };
  if (head.stored > PAYLOAD_MAX || head.raw > PAYLOAD_MAX) {
    throw damagedTrace(place, 'claims more bytes than a frame can have');
  }
  if (head.number !== place.frame) throw damagedTrace(place, 'has the number of another frame');
  if (head.kind === 0 || view.getUint16(FRAME_ZERO, true) !== 0) throw damagedTrace(place, 'has no head of a frame');
  return head;
}

/** Checks the stored payload against the head's checksum. `frame` begins with the head. */
export function checkFrame(frame: Uint8Array, head: FrameHead, place: TracePlace): void {
  const view = new DataView(frame.buffer, frame.byteOffset, FRAME_HEAD_SIZE);
  const stored = frame.subarray(FRAME_HEAD_SIZE, FRAME_HEAD_SIZE + head.stored);
  if (crc32(stored, crc32(frame.subarray(0, FRAME_CRC))) !== view.getUint32(FRAME_CRC, true)) {
    throw damagedTrace(place, 'does not have its checksum');
  }
  if (head.codec > Codec.Brotli) throw damagedTrace(place, `has the unknown codec ${head.codec}`);
  if (head.codec === Codec.Plain && head.stored !== head.raw) {
    throw damagedTrace(place, `has ${head.stored} bytes and claims ${head.raw}`);
  }
}

/** The payload of a whole frame, checked and decompressed. Nothing is allocated on the file's word but `raw` bytes. */
export function openPayload(frame: Uint8Array, head: FrameHead, place: TracePlace): Uint8Array {
  checkFrame(frame, head, place);
  const stored = frame.subarray(FRAME_HEAD_SIZE, FRAME_HEAD_SIZE + head.stored);
  if (head.codec === Codec.Plain) return stored;
  let payload: Uint8Array;
  try {
    payload = brotliDecompressSync(stored, { maxOutputLength: Math.max(head.raw, 1) });
  } catch {
    throw notItsSize(head, place);
  }
  if (payload.length !== head.raw) throw notItsSize(head, place);
  return payload;
}

/** It does not decompress to what it claims. */
export function notItsSize(head: FrameHead, place: TracePlace): Error {
  return damagedTrace(place, `does not decompress to the ${head.raw} bytes that it claims`);
}
