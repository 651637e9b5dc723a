/**
 * Blobs: contents by their SHA-256, each once. A frame of blobs is the msgpack array [number of the first, sizes, hashes,
 * bytes]; the file numbers its blobs from 0.
 */
import { createHash } from 'node:crypto';
import { ColumnError, ColumnReader, ColumnWriter, listOf, plainBytes, wholeNumber } from './columns.js';
import { BLOB_BYTES_PER_FRAME, BLOB_HASH_SIZE, PAYLOAD_MAX } from './format.js';
import { packMessage, unpackMessage } from './msgpack.js';

/** The most bytes of a blob. */
export const BLOB_MAX = 0x1_0000;

/** The address of a content. */
export function blobHash(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** Collects contents, and gives a frame of them whenever there are enough. */
export class BlobWriter {
  readonly #known = new Map<string, number>();
  readonly #emit: (payload: Uint8Array, count: number) => void;
  readonly #data = new ColumnWriter(0x1_0000);
  readonly #sizes = new ColumnWriter();
  readonly #hashes = new ColumnWriter();
  #first = 0;
  #count = 0;

  constructor(emit: (payload: Uint8Array, count: number) => void) {
    this.#emit = emit;
  }

  /** Blobs so far. */
  get total(): number {
    return this.#first + this.#count;
  }

  /** The number of a content: a new one, if it was not there before. At most BLOB_MAX bytes. */
  add(bytes: Uint8Array): number {
    const hash = blobHash(bytes);
    const key = hash.toString('latin1');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const number = this.total;
    this.#known.set(key, number);
    this.#sizes.varint(bytes.length);
    this.#hashes.bytes(hash);
    this.#data.bytes(bytes);
    this.#count++;
    if (this.#data.length + BLOB_MAX > BLOB_BYTES_PER_FRAME) this.flush();
    return number;
  }

  /** The file has the blobs of this frame already. */
  know(frame: BlobFrame): void {
    for (let index = 0; index < frame.count; index++) {
      const hash = Buffer.from(frame.hash(frame.first + index));
      this.#known.set(hash.toString('latin1'), frame.first + index);
    }
    this.#first = Math.max(this.#first, frame.first + frame.count);
  }

  /** Gives what was collected as a frame. */
  flush(): void {
    if (this.#count === 0) return;
    const payload = packMessage([this.#first, this.#sizes.peek(), this.#hashes.peek(), this.#data.peek()]);
    this.#emit(payload, this.#count);
    this.#first += this.#count;
    this.#count = 0;
    for (const column of [this.#sizes, this.#hashes, this.#data]) column.clear();
  }
}

/** A frame of blobs, read. Throws {@link ColumnError} for what no writer writes. */
export class BlobFrame {
  readonly first: number;
  readonly count: number;
  readonly #offsets: number[] = [0];
  readonly #hashes: Uint8Array;
  readonly #data: Uint8Array;

  constructor(payload: Uint8Array) {
    const message = listOf(unpackMessage(payload), 4);
    this.first = wholeNumber(message[0], 0, Number.MAX_SAFE_INTEGER, 'first blob');
    const sizes = new ColumnReader(plainBytes(message[1], 'sizes'), 'sizes');
    this.#hashes = plainBytes(message[2], 'hashes');
    this.#data = plainBytes(message[3], 'blobs');
    if (this.#hashes.length % BLOB_HASH_SIZE !== 0) throw new ColumnError('has half a hash');
    this.count = this.#hashes.length / BLOB_HASH_SIZE;
    let end = 0;
    for (let index = 0; index < this.count; index++) {
      end += sizes.varint();
      if (end > PAYLOAD_MAX) throw new ColumnError('has blobs with more bytes than there are');
      this.#offsets.push(end);
    }
    sizes.finish();
    if (end !== this.#data.length) throw new ColumnError(`has ${this.#data.length} bytes for blobs of ${end} bytes`);
  }

  /** The blob of this number; a view. */
  bytes(number: number): Uint8Array {
    const index = number - this.first;
    return this.#data.subarray(this.#offsets[index] as number, this.#offsets[index + 1] as number);
  }
  /** Its SHA-256, as the frame says; a view. */
  hash(number: number): Uint8Array {
    const at = (number - this.first) * BLOB_HASH_SIZE;
    return this.#hashes.subarray(at, at + BLOB_HASH_SIZE);
  }
}
