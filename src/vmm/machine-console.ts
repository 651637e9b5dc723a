/** The way of console bytes from a device to the host: counted, hashed, and watched for texts. */
import { SHA256_WORDS, Sha256 } from '../base/sha256.js';
import type { ByteSink } from './device.js';
import { stateError } from './state/check.js';
import { array, bytesUpTo, type StateOf, stateTable, time, u32 } from './state/fields.js';
import { TextWatch } from './text-watch.js';

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
  /** The watched text that was seen last. */
  matched: string | undefined;
  readonly #hash = new Sha256();
  #watches: readonly TextWatch[] = [];

  constructor(readonly target?: ByteSink) {}

  /** Sets {@link matched} when one of the texts (Latin-1) has gone by; of two that end at one byte, to the last of them. */
  watch(texts: readonly string[]): void {
    this.#watches = texts.map((text) => new TextWatch(text));
    this.matched = undefined;
  }

  write(byte: number): void {
    this.count++;
    this.#hash.byte(byte);
    for (const watch of this.#watches) if (watch.see(byte)) this.matched = watch.text;
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
}
