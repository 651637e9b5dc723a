/**
 * Instruction counts of a trace whose recorder could not count (KVM), learnt by a replay that does: `vmtape seal` writes them behind its
 * end. A reader gives each record the count that was learnt for it.
 */
import { bounded, ColumnError, ColumnReader, ColumnWriter, listOf, plainBytes, wholeNumber } from './columns.js';
import { packMessage, unpackMessage } from './msgpack.js';

/** Records whose counts stand in one frame. */
export const COUNTS_PER_FRAME = 0x1_0000;

/** A frame to be written. */
export interface CountsFrame {
  readonly payload: Uint8Array;
  /** Records whose counts it has. */
  readonly count: number;
}

/** Collects the counts of the records of a trace, in their order. */
export class CountsWriter {
  /** Records so far. */
  records = 0;
  readonly #frames: CountsFrame[] = [];
  readonly #column = new ColumnWriter();
  #first = 0;
  #firstRetired: number;
  #last: number;

  /** `retired`: the instructions retired before the first record; not 0 in a part of another trace. */
  constructor(retired = 0) {
    this.#firstRetired = this.#last = retired;
  }

  /** The next record was made when so many instructions were retired, which is no fewer than for the record before. */
  add(retired: number): void {
    this.#column.varint(retired - this.#last);
    this.#last = retired;
    this.records++;
    if (this.records - this.#first === COUNTS_PER_FRAME) this.#close();
  }

  /** The frames of all counts so far. */
  frames(): readonly CountsFrame[] {
    if (this.records > this.#first) this.#close();
    return this.#frames;
  }

  #close(): void {
    const count = this.records - this.#first;
    this.#frames.push({ payload: packMessage([this.#first, this.#firstRetired, this.#column.peek()]), count });
    this.#column.clear();
    this.#first = this.records;
    this.#firstRetired = this.#last;
  }
}

/** What a frame has. */
export interface ParsedCounts {
  /** The ordinal of the first record. */
  readonly first: number;
  /** The instructions retired before it. */
  readonly firstRetired: number;
  /** The counts of the records, one after the other. */
  readonly counts: readonly number[];
}

/** Reads the payload of a frame. Throws {@link ColumnError} for what no writer writes. */
export function parseCounts(payload: Uint8Array, count: number): ParsedCounts {
  const message = listOf(unpackMessage(payload), 3);
  const first = wholeNumber(message[0], 0, Number.MAX_SAFE_INTEGER, 'first ordinal');
  const firstRetired = wholeNumber(message[1], 0, Number.MAX_SAFE_INTEGER, 'instruction count');
  if (count > COUNTS_PER_FRAME) throw new ColumnError(`has the counts of ${count} records`);
  const column = new ColumnReader(plainBytes(message[2], 'counts'), 'counts');
  const counts: number[] = [];
  let retired = firstRetired;
  for (let index = 0; index < count; index++) {
    retired = bounded(retired + column.varint(), 'instruction count');
    counts.push(retired);
  }
  column.finish();
  return { first, firstRetired, counts };
}
