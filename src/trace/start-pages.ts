/** The pages of a trace's memory at the start, one after the other: for what need not have all of it at once. */
import { ColumnError } from './columns.js';
import { damagedTrace } from './errors.js';
import { PAGE_SIZE, PRELUDE_SIZE } from './format.js';
import { type PageTable, type RamRun, ZERO_PAGE } from './image.js';
import type { Patch } from './placements.js';
import type { TraceReader } from './reader.js';

/** Iterates over the pages that are not all zeros, ascending, as runs of a page each; a run holds until the next one is asked for. */
export class StartPages implements Iterable<RamRun> {
  readonly #reader: TraceReader;
  readonly #table: PageTable;
  /** What stands over the pages of the page map, by page. */
  readonly #parts = new Map<number, Patch[]>();

  /** Throws what is wrong with the memory, or VMTAPE_TRACE_GUEST if a file of it is not at hand. */
  constructor(reader: TraceReader) {
    this.#reader = reader;
    this.#table = reader.memoryTable(0);
    for (const part of reader.placedParts()) {
      if (part.bytes.length === 0) continue;
      const last = Math.floor((part.gpa + part.bytes.length - 1) / PAGE_SIZE);
      for (let page = Math.floor(part.gpa / PAGE_SIZE); page <= last; page++) {
        if (this.#table.slot(page) < 0) continue;
        const parts = this.#parts.get(page);
        if (parts) parts.push(part);
        else this.#parts.set(page, [part]);
      }
    }
  }

  /** Whether the machine has a page of this number. */
  has(page: number): boolean {
    return this.#table.slot(page) >= 0;
  }

  /** The bytes of a page that the machine has; a view, or a copy. */
  page(page: number): Uint8Array {
    const blob = this.#table.blobs[this.#table.slot(page)] as number;
    const parts = this.#parts.get(page);
    const bytes = blob === ZERO_PAGE ? ZEROS : this.#blob(blob);
    if (!parts) return bytes;
    const copy = Uint8Array.from(bytes);
    for (const part of parts) {
      const from = Math.max(page * PAGE_SIZE, part.gpa);
      const to = Math.min((page + 1) * PAGE_SIZE, part.gpa + part.bytes.length);
      copy.set(part.bytes.subarray(from - part.gpa, to - part.gpa), from - page * PAGE_SIZE);
    }
    return copy;
  }

  /** The numbers of the pages that are not all zeros by the page map, or have parts of files in them; ascending. */
  *numbers(): Generator<number, void> {
    const { blobs } = this.#table;
    for (let slot = 0; slot < blobs.length; slot++) {
      const page = this.#table.page(slot);
      if (blobs[slot] !== ZERO_PAGE || this.#parts.has(page)) yield page;
    }
  }

  *[Symbol.iterator](): Generator<RamRun, void> {
    for (const page of this.numbers()) yield { gpa: page * PAGE_SIZE, bytes: this.page(page) };
  }

  #blob(number: number): Uint8Array {
    const place = { path: this.#reader.path, frame: 0, byte: PRELUDE_SIZE };
    try {
      const bytes = this.#reader.blob(number);
      if (bytes.length !== PAGE_SIZE) throw damagedTrace(place, `begins a trace with a page of ${bytes.length} bytes`);
      return bytes;
    } catch (error) {
      throw error instanceof ColumnError ? damagedTrace(place, `begins a trace whose memory ${error.message}`) : error;
    }
  }
}

const ZEROS = new Uint8Array(PAGE_SIZE);
