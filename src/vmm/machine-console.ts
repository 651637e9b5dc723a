/** The way of console bytes from a device to the host: counted, hashed, and watched for a text. */
import { createHash } from 'node:crypto';
import type { ByteSink } from './device.js';

/** Forwards bytes to `target`, if there is one. */
export class ConsoleSink implements ByteSink {
  /** Bytes so far. */
  count = 0;
  /** The watched text was seen. */
  matched = false;
  readonly #hash = createHash('sha256');
  readonly #buffer = new Uint8Array(4096);
  #buffered = 0;
  #watched: Uint8Array = new Uint8Array(0);
  /** The table of Knuth, Morris and Pratt: the length of the longest proper border of each prefix. */
  #borders: Uint32Array = new Uint32Array(0);
  #state = 0;

  constructor(readonly target?: ByteSink) {}

  /** Sets {@link matched} when `text` (Latin-1) has gone by. */
  watch(text: string): void {
    this.#watched = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    this.#borders = borders(this.#watched);
    this.#state = 0;
    this.matched = false;
  }

  write(byte: number): void {
    this.count++;
    if (this.#buffered === this.#buffer.length) this.#flush();
    this.#buffer[this.#buffered++] = byte;
    if (this.#watched.length > 0) this.#match(byte);
    this.target?.write(byte);
  }

  /** SHA-256 of all bytes so far, in hex. */
  digest(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  #match(byte: number): void {
    while (this.#state > 0 && this.#watched[this.#state] !== byte)
      this.#state = this.#borders[this.#state - 1] as number;
    if (this.#watched[this.#state] === byte) this.#state++;
    if (this.#state < this.#watched.length) return;
    this.matched = true;
    this.#state = this.#borders[this.#state - 1] as number;
  }
}

function borders(text: Uint8Array): Uint32Array {
  const table = new Uint32Array(text.length);
  let length = 0;
  for (let index = 1; index < text.length; index++) {
    while (length > 0 && text[length] !== text[index]) length = table[length - 1] as number;
    if (text[length] === text[index]) length++;
    table[index] = length;
  }
  return table;
}
