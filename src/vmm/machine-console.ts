/** The way of console bytes from a device to the host: counted, hashed, and watched for a text. */
import { SHA256_WORDS, Sha256 } from '../base/sha256.js';
import type { ByteSink } from './device.js';
import { stateError } from './state/check.js';
import { array, bytesUpTo, type StateOf, stateTable, time, u32 } from './state/fields.js';

/** What went by so far: the count, and the state of its SHA-256. */
export const consoleState = stateTable('console', 1, {
  /** Bytes. */
  count: time(),
  words: array(u32(), SHA256_WORDS),
  /** Behind the last whole block of SHA-256. */
  rest: bytesUpTo(63),
});

/** Forwards bytes to `target`, if there is one. */
export class ConsoleSink implements ByteSink {
  /** Bytes so far. */
  count = 0;
  /** The watched text was seen. */
  matched = false;
  readonly #hash = new Sha256();
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
    this.#hash.byte(byte);
    if (this.#watched.length > 0) this.#match(byte);
    this.target?.write(byte);
  }

  /** SHA-256 of all bytes so far, in hex. */
  digest(): string {
    return this.#hash.digest();
  }

  /** See {@link consoleState}. */
  saveState(): StateOf<typeof consoleState> {
    const { count, words, rest } = this.#hash.save();
    return { count, words: [...words], rest };
  }

  /** Goes on behind the bytes of a saved state, which was checked against the table. Throws VMTAPE_STATE if it contradicts itself. */
  loadState(state: StateOf<typeof consoleState>): void {
    if (state.rest.length !== state.count % 64)
      throw stateError('console.rest', 'does not have the bytes that the count says');
    this.#hash.load(state);
    this.count = state.count;
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
