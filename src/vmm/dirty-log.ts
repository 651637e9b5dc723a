/**
 * The pages that were written, for several who ask at different times: a vCPU has one log, which is empty once it was read. Each reader
 * hears of every page written since it asked last.
 */
import type { Vcpu } from './cpu/vcpu.js';

/** One who asks. */
export interface DirtyReader {
  /** Guest-physical numbers of pages, ascending, written since the last call, or since the reader was made; perhaps more. */
  take(): Uint32Array;
  /** How many {@link take} would give. */
  count(): number;
}

/** See the head of the file. Nobody else calls takeDirtyPages of the vCPU. */
export class DirtyLog {
  readonly #vcpu: Pick<Vcpu, 'takeDirtyPages'>;
  /** Pages that each reader has not heard of. */
  readonly #pending: Set<number>[] = [];

  constructor(vcpu: Pick<Vcpu, 'takeDirtyPages'>) {
    this.#vcpu = vcpu;
  }

  /** A new reader. */
  reader(): DirtyReader {
    const own = new Set<number>();
    this.#pending.push(own);
    return { take: () => this.#take(own), count: () => this.#count(own) };
  }

  #count(own: Set<number>): number {
    const written = this.#vcpu.takeDirtyPages();
    for (const reader of this.#pending) for (const page of written) reader.add(page);
    return own.size;
  }

  #take(own: Set<number>): Uint32Array {
    const written = this.#vcpu.takeDirtyPages();
    for (const other of this.#pending) if (other !== own) for (const page of written) other.add(page);
    if (own.size === 0) return written;
    for (const page of written) own.add(page);
    const pages = Uint32Array.from(own).sort();
    own.clear();
    return pages;
  }
}
