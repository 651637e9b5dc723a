/** Looking for a landmark on the interpreter: the host's side of interp/seek.ts. */
import * as layout from '../../../interp/layout.js';
import { assert } from '../../base/assert.js';
import type { GuestMemory } from '../memory.js';
import type { InterpExports } from './interp-exit.js';
import { REGISTERS_SIZE, type Seeker } from './vcpu.js';

const PAGE = 0x1000;
const HASH_SIZE = 8;
const PLACE_SIZE = 16;

/** See {@link Seeker}. */
export class InterpSeeker implements Seeker {
  readonly #memory: GuestMemory;
  readonly #code: InterpExports;
  /** The place to be replaced next when all are taken. */
  #nextPlace = 0;

  constructor(memory: GuestMemory, code: InterpExports) {
    this.#memory = memory;
    this.#code = code;
  }

  begin(registers: Uint8Array, cpuHash: Uint8Array): void {
    assert(registers.length === REGISTERS_SIZE && cpuHash.length === HASH_SIZE, 'a landmark has registers and a hash');
    const { whole, view } = this.#memory;
    whole.set(registers, layout.SEEK_REGISTERS);
    whole.set(cpuHash, layout.SEEK_CPU_HASH);
    view.setUint32(layout.SEEK_PLACE_COUNT, 0, true);
    this.#nextPlace = 0;
    this.#code.seek(true);
  }

  pass(page?: number, hash?: Uint8Array): void {
    if (page !== undefined && hash !== undefined) this.#askFor(page, hash);
    this.#code.pass();
  }

  end(resumeFlag?: boolean): void {
    if (resumeFlag !== undefined) this.#code.settleLandmark(resumeFlag);
    this.#code.seek(false);
  }

  get passed(): number {
    return Number(this.#memory.view.getBigUint64(layout.SEEK_PASSED, true));
  }

  get ambiguous(): number {
    return Number(this.#memory.view.getBigUint64(layout.SEEK_AMBIGUOUS, true));
  }

  get nearest(): Uint8Array | undefined {
    if (this.#memory.view.getUint32(layout.SEEK_NEAREST_COUNT, true) === 0) return undefined;
    return this.#memory.whole.slice(layout.SEEK_NEAREST, layout.SEEK_NEAREST + REGISTERS_SIZE);
  }

  wasWalked(page: number): boolean {
    return this.#memory.whole[layout.PAGE_WALKED + page] === 1;
  }

  forgetWalks(): void {
    this.#memory.whole.fill(0, layout.PAGE_WALKED, layout.PAGE_WALKED + this.#memory.ramSize / PAGE);
    // A translation that the TLB knows walks no more: it is to be seen again.
    this.#code.forgetTranslations();
  }

  #askFor(page: number, hash: Uint8Array): void {
    const { whole, view } = this.#memory;
    const count = view.getUint32(layout.SEEK_PLACE_COUNT, true);
    const place = layout.SEEK_PLACES + this.#nextPlace * PLACE_SIZE;
    view.setUint32(place, this.#memory.ramPageOffset(page), true);
    whole.set(hash, place + HASH_SIZE);
    this.#nextPlace = (this.#nextPlace + 1) % layout.SEEK_PLACES_MAX;
    view.setUint32(layout.SEEK_PLACE_COUNT, Math.min(count + 1, layout.SEEK_PLACES_MAX), true);
  }
}
