/**
 * The memory that work takes at its peak: what the process has resident at most, less what it had before. Linux counts it (VmHWM of
 * /proc/self/status, proc(5)), and forgets it when 5 is written to /proc/self/clear_refs.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { TraceReader } from '../trace/reader.js';

const FORGET = '/proc/self/clear_refs';
const KIB = 1024;
const ROWS = { VmRSS: /^VmRSS:\s+(\d+) kB$/m, VmHWM: /^VmHWM:\s+(\d+) kB$/m };

/** See the head of the file. */
export class PeakMemory {
  /** False: this system does not tell, and {@link grown} is 0. */
  readonly isKnown = existsSync(FORGET);
  #before = 0;
  #collect: (() => void) | undefined;

  /** The work begins. `clean`: what is garbage goes first. */
  begin(clean = false): void {
    if (!this.isKnown) return;
    if (clean) this.#garbage();
    writeFileSync(FORGET, '5');
    this.#before = resident('VmRSS');
  }

  /** Bytes by which the process grew at most since {@link begin}. */
  get grown(): number {
    return this.isKnown ? Math.max(0, resident('VmHWM') - this.#before) : 0;
  }

  #garbage(): void {
    if (!this.#collect) {
      setFlagsFromString('--expose-gc');
      this.#collect = runInNewContext('gc') as () => void;
    }
    this.#collect();
    this.#collect();
  }
}

function resident(row: keyof typeof ROWS): number {
  const found = ROWS[row].exec(readFileSync('/proc/self/status', 'latin1'));
  return Number(found?.[1] ?? 0) * KIB;
}

/** Bytes of memory of the machine that the header of a trace declares; 0 if it cannot be read, or is more than `most`. */
export function memorySizeOf(path: string, most: number): number {
  try {
    const reader = new TraceReader(path);
    reader.close();
    const { memorySize, romSize } = reader.header;
    return memorySize > most ? 0 : memorySize + romSize;
  } catch {
    return 0;
  }
}
