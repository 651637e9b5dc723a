/**
 * Landmarks (design, section 4; docs/determinism.md): what tells the place of an interrupt in a guest that makes no exit. Taken on KVM,
 * when a kick has brought the vCPU to an instruction boundary; compared on the engine that replays.
 */
import type { CpuState } from './cpu/state.js';
import type { Vcpu } from './cpu/vcpu.js';
import type { DirtyReader } from './dirty-log.js';
import { codeBytes, repeatedString } from './machine-walk.js';
import type { GuestMemory } from './memory.js';
import { MemoryHash } from './memory-hash.js';
import { pageTablesOf } from './page-tables.js';

const PAGE = 0x1000;
const HASH_SIZE = 8;
/** The most pages of a landmark, 384 MiB: a guest that writes more between two exits waits for its interrupts. As in the trace format. */
const PAGES_MAX = 0x1_8000;
/** With so many a waypoint is taken, so that the log does not become full before the next kick: 64 MiB. */
const WAYPOINT_PAGES = 0x4000;
const TF = 1n << 8n;
const RF = 1n << 16n;

/** What a landmark has besides the registers of Vcpu.readRegisters. */
export interface Landmark {
  /** The hash of MemoryHash.cpu. */
  readonly cpuHash: Uint8Array;
  /**
   * The pages of RAM that were written since the log of them was read last, ascending: twice the guest-physical number, plus 1
   * for a page table in use, whose accessed and dirty bits do not count.
   */
  readonly pages: readonly number[];
  /** The hash of each page, one behind the other. */
  readonly hashes: Uint8Array;
}

/** Takes landmarks of a vCPU on KVM. */
export class LandmarkTaker {
  readonly #vcpu: Vcpu;
  readonly #memory: GuestMemory;
  readonly #written: DirtyReader;
  readonly #hash: MemoryHash;
  /** More pages than that were written since the log was emptied: there is no landmark until it is again. */
  #isFull = false;
  /** RIP of the last MMIO access. */
  #accessRip = -1;
  /** A waypoint is wanted when so many pages were written; infinity: never, as a landmark can tell of all memory. */
  readonly waypointPages: number;

  constructor(vcpu: Vcpu, memory: GuestMemory, written: DirtyReader, waypointPages?: number) {
    const isLarge = memory.ramSize / PAGE > PAGES_MAX;
    this.waypointPages = waypointPages ?? (isLarge ? WAYPOINT_PAGES : Number.POSITIVE_INFINITY);
    this.#vcpu = vcpu;
    this.#memory = memory;
    this.#written = written;
    this.#hash = new MemoryHash(memory);
  }

  /** The vCPU makes an MMIO exit. */
  noteAccess(): void {
    this.#accessRip = this.#vcpu.rip;
  }

  /** The vCPU stands at a place that every replay finds anyhow: what was written before does not tell places apart. */
  forget(): void {
    this.#written.take();
    this.#isFull = false;
  }

  /** So much was written that the log is to be emptied. To ask costs the guest a fault for each page that it writes again. */
  get wantsWaypoint(): boolean {
    return !this.#isFull && this.#written.count() >= this.waypointPages;
  }

  /** The landmark of the boundary at which the vCPU stands; undefined: no interrupt may be landed here. */
  take(): Landmark | undefined {
    if (this.#isFull) return undefined;
    const state = this.#vcpu.getState();
    if (!this.#isPlace(state)) return undefined;
    const dirty = this.#takeDirtyPages();
    if (dirty === undefined) return undefined;
    const cpuHash = this.#hash.cpu(state).slice();
    const tables = dirty.length === 0 ? undefined : pageTablesOf(this.#memory, state);
    const pages: number[] = [];
    const hashes = new Uint8Array(dirty.length * HASH_SIZE);
    for (const [index, page] of dirty.entries()) {
      const isTable = tables?.pages.has(page) ?? false;
      pages.push(page * 2 + (isTable ? 1 : 0));
      hashes.set(this.#hash.page(page, isTable ? tables?.mask : undefined), index * HASH_SIZE);
    }
    return { cpuHash, pages, hashes };
  }

  /** Undefined: there are too many. */
  #takeDirtyPages(): Uint32Array | undefined {
    const pages = this.#written.take();
    this.#isFull = pages.length > PAGES_MAX;
    return this.#isFull ? undefined : pages.sort();
  }

  /**
   * A boundary that the interpreter has too. Within a REP instruction that has none left, which a software KVM shows, the interpreter
   * is behind it; within one that makes exits, it never stands. Under TF, a trap is due first.
   */
  #isPlace(state: CpuState): boolean {
    if (state.rflags & TF) return false;
    const code = codeBytes(this.#memory, state, 15);
    const string = repeatedString(code, state);
    if (string === undefined) return true;
    if (string.isIo || Number(state.rip) === this.#accessRip) return false;
    return !(state.rflags & RF) || (state.rcx & string.countMask) !== 0n;
  }
}

/** The first thing in which memory differs from a landmark. */
export interface LandmarkDifference {
  /** The guest-physical number of a page. */
  readonly page: number;
  /** The hash that it should have, if it can be asked for before. */
  readonly hash: Uint8Array | undefined;
}

/** Compares memory with one landmark, again and again. */
export class LandmarkComparison {
  readonly #memory: GuestMemory;
  readonly #vcpu: Vcpu;
  readonly #landmark: Landmark;
  readonly #hash: MemoryHash;
  /** The index of the page that differed last: it is the first to be looked at again. */
  #last = 0;

  constructor(vcpu: Vcpu, memory: GuestMemory, landmark: Landmark, hash: MemoryHash) {
    this.#vcpu = vcpu;
    this.#memory = memory;
    this.#landmark = landmark;
    this.#hash = hash;
  }

  /** The CPU's state besides the registers is that of the landmark. */
  hasCpu(): boolean {
    return sameBytes(this.#hash.cpu(this.#vcpu.getState()), 0, this.#landmark.cpuHash, 0);
  }

  /** Undefined: memory is that of the landmark. */
  difference(): LandmarkDifference | undefined {
    const { pages, hashes } = this.#landmark;
    const tables = pages.some((page) => page % 2 !== 0) ? pageTablesOf(this.#memory, this.#vcpu.getState()) : undefined;
    for (let step = 0; step < pages.length; step++) {
      const index = (this.#last + step) % pages.length;
      const page = (pages[index] as number) >>> 1;
      const isTable = ((pages[index] as number) & 1) !== 0;
      const hash = this.#hash.page(page, isTable ? tables?.mask : undefined);
      if (sameBytes(hash, 0, hashes, index * HASH_SIZE)) continue;
      // A table of another address space: its accessed and dirty bits may be other than the recording processor's.
      if (!isTable && this.#vcpu.seeker?.wasWalked(page)) continue;
      this.#last = index;
      return { page, hash: isTable ? undefined : hashes.subarray(index * HASH_SIZE, (index + 1) * HASH_SIZE) };
    }
    return undefined;
  }
}

function sameBytes(a: Uint8Array, atA: number, b: Uint8Array, atB: number): boolean {
  for (let index = 0; index < HASH_SIZE; index++) if (a[atA + index] !== b[atB + index]) return false;
  return true;
}
