/**
 * Guest memory in a trace: for each page that is not all zeros, the number of the blob with its content. The memory of
 * the start has the number 0; that of a checkpoint says only what differs from another, its base.
 *
 * The ROM is part of it, at its place below 4 GiB. Code: a frame of kind PageMap is the msgpack array [base or -1, whether
 * it is the last frame of its memory, runs].
 */
import { assert } from '../base/assert.js';
import { BlobWriter } from './blobs.js';
import { ColumnError, ColumnReader, ColumnWriter, listOf, plainBytes, wholeNumber } from './columns.js';
import { FrameKind, MAP_BYTES_PER_FRAME, PAGE_SIZE } from './format.js';
import type { FrameWriter } from './frame-writer.js';
import { packMessage, unpackMessage } from './msgpack.js';

/** Memory as the trace sees it. Runs are ascending, begin and end at a page, and do not overlap. */
export interface RamRun {
  readonly gpa: number;
  readonly bytes: Uint8Array;
}

/** The pages below 4 GiB. */
export const PAGES_MAX = 0x10_0000;
/** Of a page: its content is all zeros. */
export const ZERO_PAGE = -1;
const zeroPage = Buffer.alloc(PAGE_SIZE);

/** Which blob each page of a machine has; {@link ZERO_PAGE}: none. */
export class PageTable {
  /** By slot: RAM from address 0, then the ROM. */
  readonly blobs: Int32Array;
  readonly #ramPages: number;
  readonly #romPages: number;

  constructor(memorySize: number, romSize: number) {
    this.#ramPages = Math.floor(memorySize / PAGE_SIZE);
    this.#romPages = Math.ceil(romSize / PAGE_SIZE);
    this.blobs = new Int32Array(this.#ramPages + this.#romPages).fill(ZERO_PAGE);
  }

  /** Where the page stands in {@link blobs}; -1: the machine has no such page. */
  slot(page: number): number {
    if (page < this.#ramPages) return page;
    const rom = page - (PAGES_MAX - this.#romPages);
    return rom >= 0 && rom < this.#romPages ? this.#ramPages + rom : -1;
  }
  /** The page that stands there. */
  page(slot: number): number {
    return slot < this.#ramPages ? slot : PAGES_MAX - this.#romPages + slot - this.#ramPages;
  }
}

/** A memory that differs from another that differs from another …: no more than so many. */
export const CHAIN_MAX = 64;

/** Writes memories, each content once. */
export class MemoryWriter {
  readonly blobs: BlobWriter;
  readonly #frames: FrameWriter;
  readonly #table: PageTable;
  #sets: number;

  /** `table` is that of the last of the `sets` memories that the file has, or that of none. */
  constructor(frames: FrameWriter, table: PageTable, sets = 0) {
    this.#frames = frames;
    this.#sets = sets;
    this.#table = table;
    this.blobs = new BlobWriter((payload, count) => frames.queue(FrameKind.Blobs, payload, count));
  }

  /** Writes a memory, and returns its number. Pages for which `isLeftOut` holds are taken for zeros. */
  write(runs: Iterable<RamRun>, isLeftOut?: (page: number) => boolean): number {
    const set = this.#sets++;
    const base = set % CHAIN_MAX === 0 ? -1 : set - 1;
    if (base < 0) this.#table.blobs.fill(ZERO_PAGE);
    const map = new PageMapWriter(base, (payload) => {
      // What a map names stands before it.
      this.blobs.flush();
      this.#frames.queue(FrameKind.PageMap, payload, set);
    });
    for (const { gpa, bytes } of runs) {
      assert(gpa % PAGE_SIZE === 0 && bytes.length % PAGE_SIZE === 0, 'memory is made of pages');
      for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
        const number = (gpa + at) / PAGE_SIZE;
        const page = bytes.subarray(at, at + PAGE_SIZE);
        const blob = zeroPage.equals(page) || isLeftOut?.(number) ? ZERO_PAGE : this.blobs.add(page);
        const slot = this.#table.slot(number);
        if (blob === this.#table.blobs[slot]) continue;
        this.#table.blobs[slot] = blob;
        map.page(number, blob);
      }
    }
    map.finish();
    return set;
  }
}

/** Runs: varint pages skipped, varint 2 × length + 1 if they are zeros, else signed blob minus the one that would follow. */
class PageMapWriter {
  readonly #column = new ColumnWriter();
  readonly #emit: (payload: Uint8Array) => void;
  readonly #base: number;
  #start = -1;
  #length = 0;
  #blob = 0;
  #end = 0;
  #nextBlob = 0;

  constructor(base: number, emit: (payload: Uint8Array) => void) {
    this.#base = base;
    this.#emit = emit;
  }

  page(number: number, blob: number): void {
    const follows = blob === ZERO_PAGE ? this.#blob === ZERO_PAGE : blob === this.#blob + this.#length;
    if (this.#length > 0 && number === this.#start + this.#length && follows) {
      this.#length++;
      return;
    }
    this.#endRun();
    this.#start = number;
    this.#length = 1;
    this.#blob = blob;
  }

  finish(): void {
    this.#endRun();
    this.#flush(true);
  }

  #endRun(): void {
    if (this.#length === 0) return;
    const isZero = this.#blob === ZERO_PAGE;
    this.#column.varint(this.#start - this.#end);
    this.#column.varint(this.#length * 2 + (isZero ? 1 : 0));
    this.#end = this.#start + this.#length;
    if (!isZero) {
      this.#column.signed(this.#blob - this.#nextBlob);
      this.#nextBlob = this.#blob + this.#length;
    }
    this.#length = 0;
    if (this.#column.length >= MAP_BYTES_PER_FRAME) this.#flush(false);
  }

  #flush(isLast: boolean): void {
    this.#emit(packMessage([this.#base, isLast, this.#column.peek()]));
    this.#column.clear();
  }
}

/** A frame of kind PageMap, read but for its runs. */
export interface PageMapFrame {
  readonly base: number;
  readonly isLast: boolean;
  readonly runs: Uint8Array;
}

/** Reads a frame of the memory `set`. Throws {@link ColumnError}. */
export function parsePageMap(payload: Uint8Array, set: number): PageMapFrame {
  const message = listOf(unpackMessage(payload), 3);
  const base = wholeNumber(message[0], -1, set - 1, 'base: it is not a memory before this one');
  if (typeof message[1] !== 'boolean') throw new ColumnError('does not say whether it is the last of its memory');
  return { base, isLast: message[1], runs: plainBytes(message[2], 'runs') };
}

/** Where the runs of a memory go on in its next frame. */
export interface RunsPlace {
  page: number;
  blob: number;
}

/** Enters the runs of a frame into the table; `blobs`: how many there are. Throws {@link ColumnError}. */
export function applyRuns(runs: Uint8Array, place: RunsPlace, table: PageTable, blobs: number): void {
  const column = new ColumnReader(runs, 'runs');
  let { page, blob } = place;
  while (column.left > 0) {
    page += column.varint();
    const length = column.varint();
    const pages = Math.floor(length / 2);
    const isZero = length % 2 === 1;
    const slot = table.slot(page);
    if (pages === 0 || slot < 0 || table.slot(page + pages - 1) !== slot + pages - 1) {
      throw new ColumnError('names pages beyond the memory');
    }
    if (isZero) {
      table.blobs.fill(ZERO_PAGE, slot, slot + pages);
    } else {
      blob += column.signed();
      if (blob < 0 || blob + pages > blobs) throw new ColumnError('names a blob that there is not');
      for (let index = 0; index < pages; index++) table.blobs[slot + index] = blob + index;
      blob += pages;
    }
    page += pages;
  }
  place.page = page;
  place.blob = blob;
}
