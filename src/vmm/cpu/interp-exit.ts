/** The exit record of the interpreter: views of the WebAssembly memory at the offsets of interp/layout.ts. */
import * as layout from '../../../interp/layout.js';
import type { ExitReason, ExitRecord } from './vcpu.js';

/** What dist/interp/vmtape.wasm exports (interp/index.ts). */
export interface InterpExports {
  initialize(): void;
  run(): number;
  resume(): number;
  afterUnwind(): number;
  /** 1: an I/O instruction is not finished. */
  ioPending(): number;
  /** The state is replaced: nothing is left of the instruction under way. */
  forgetInstruction(): void;
  stateChanged(): void;
  /** The next write to each page marks it in PAGE_DIRTY. */
  armWrites(): void;
  /** The next access to each page walks the page tables, and marks them in PAGE_WALKED. */
  forgetTranslations(): void;
  invalidateCode(physical: number, length: number): void;
  /** Another engine ran over the same memory: see interp/trust.ts. */
  distrustCode(): void;
  /** A feature, by its leaf and register (0 to 3: EAX to EDX) * 256 + bit, executes whatever CPUID shows; and none any more. */
  executeHidden(leaf: number, place: number): void;
  hideAll(): void;
  /** See interp/seek.ts and {@link InterpSeeker}. */
  seek(on: boolean): void;
  pass(): void;
  settleLandmark(resumeFlag: boolean): void;
  /** 1: between two iterations of a REP instruction. */
  isUnfinished(): number;
  setUnfinished(value: boolean): void;
  /** See interp/tlb.ts and {@link InterpResumption}. */
  tlbGeneration(): number;
  hashCpu(): bigint;
  /** See interp/unhooked.ts. */
  noteUnhookedSite(rip: bigint, kind: number): void;
  forgetUnhookedSites(): void;
}

/** See {@link ExitRecord}. An exit has one element: the interpreter leaves for each. */
export class InterpExitRecord implements ExitRecord {
  readonly dataOffset = layout.EXIT_DATA;

  constructor(readonly bytes: DataView) {}

  get reason(): ExitReason {
    return this.#word(layout.EXIT_REASON) as ExitReason;
  }

  get address(): number {
    return this.#word(layout.EXIT_ADDRESS) + this.#word(layout.EXIT_ADDRESS + 4) * 0x1_0000_0000;
  }

  get size(): number {
    return this.#word(layout.EXIT_SIZE);
  }

  get isWrite(): boolean {
    return this.#word(layout.EXIT_IS_WRITE) !== 0;
  }

  get count(): number {
    return this.#word(layout.EXIT_COUNT);
  }

  get errorCode(): number {
    return this.#word(layout.EXIT_ERROR_CODE);
  }

  get errorBytes(): Uint8Array {
    const length = this.#word(layout.EXIT_ERROR_LENGTH);
    return new Uint8Array(this.bytes.buffer, layout.EXIT_ERROR_BYTES, length).slice();
  }

  #word(offset: number): number {
    return this.bytes.getUint32(offset, true);
  }
}
