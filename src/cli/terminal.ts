/**
 * The user's terminal while it is the guest's console: raw, so that the guest sees each key as it is typed, and as it was again on every way
 * out. Three keys are ours, as the guest's own would leave nobody a way out.
 */
import type { ReadStream } from 'node:tty';

const CTRL_A = 0x01;
const CTRL_C = 0x03;

/** What keys ask for. */
export interface TerminalKeys {
  /** Bytes for the guest. */
  readonly bytes: Uint8Array;
  /** How often an end was asked for. */
  readonly ends: number;
}

/** Tells the keys of vmtape from those of the guest: Ctrl-C, or Ctrl-A x, ends; Ctrl-A c is Ctrl-C, Ctrl-A Ctrl-A is Ctrl-A for the guest. */
export class KeyFilter {
  /** Ctrl-A was the last key. */
  #isEscaped = false;

  /** Takes what was typed. */
  take(typed: Uint8Array): TerminalKeys {
    const bytes: number[] = [];
    let ends = 0;
    for (const key of typed) {
      if (this.#isEscaped) {
        this.#isEscaped = false;
        if (key === 0x78) ends++;
        else if (key === 0x63) bytes.push(CTRL_C);
        else if (key === CTRL_A) bytes.push(CTRL_A);
        else bytes.push(CTRL_A, key);
      } else if (key === CTRL_A) this.#isEscaped = true;
      else if (key === CTRL_C) ends++;
      else bytes.push(key);
    }
    return { bytes: Uint8Array.from(bytes), ends };
  }
}

/** Makes the terminal raw until the function that is given back is called, or the process ends, however it does. */
export function makeRaw(terminal: ReadStream): () => void {
  const restore = (): void => {
    process.off('exit', restore);
    terminal.setRawMode(false);
  };
  // After a signal of signals.ts, an error or process.exit() too. SIGKILL leaves a raw terminal; nothing can help that.
  process.on('exit', restore);
  terminal.setRawMode(true);
  return restore;
}
