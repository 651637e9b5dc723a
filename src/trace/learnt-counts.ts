/** The instruction counts that `vmtape seal` wrote behind a trace (counts.ts), of any record, a frame of them in memory at a time. */
import { ColumnError } from './columns.js';
import { type ParsedCounts, parseCounts } from './counts.js';
import { damagedTrace, type TracePlace } from './errors.js';
import { FrameKind } from './format.js';
import type { FrameFile } from './frame-file.js';
import { parsed, type TraceIndex } from './trace-index.js';

/** See the head of the file. */
export class LearntCounts {
  readonly #file: FrameFile;
  /** The frames, and the ordinals of the records that they begin with. */
  readonly #places: TracePlace[] = [];
  readonly #firsts: number[] = [];
  /** Records that have counts: all of the trace, unless it is damaged. */
  readonly records: number;
  #frame: ParsedCounts | undefined;

  private constructor(file: FrameFile, places: Iterable<TracePlace>) {
    this.#file = file;
    let records = 0;
    for (const place of places) {
      this.#places.push(place);
      this.#firsts.push(records);
      records += file.head(place).count;
    }
    this.records = records;
  }

  /** Those of a trace; undefined: it has none. */
  static of(file: FrameFile, index: TraceIndex): LearntCounts | undefined {
    const counts = new LearntCounts(file, index.framesOf(FrameKind.Counts));
    return counts.#places.length > 0 ? counts : undefined;
  }

  /** Instructions retired before the record. Throws VMTAPE_TRACE_DAMAGED, and {@link ColumnError} where there is none. */
  at(ordinal: number): number {
    let frame = this.#frame;
    if (!frame || ordinal < frame.first || ordinal >= frame.first + frame.counts.length) frame = this.#read(ordinal);
    return frame.counts[ordinal - frame.first] as number;
  }

  /** The frames, as they are, in their order. */
  *frames(): Generator<{ readonly payload: Uint8Array; readonly count: number }, void> {
    for (const place of this.#places) yield this.#file.read(place);
  }

  #read(ordinal: number): ParsedCounts {
    if (ordinal >= this.records) throw new ColumnError(`is sealed, and record ${ordinal} has no count`);
    let index = this.#firsts.length - 1;
    while ((this.#firsts[index] as number) > ordinal) index--;
    const place = this.#places[index] as TracePlace;
    const first = this.#firsts[index] as number;
    const { count } = this.#file.head(place);
    const found = parsed(this.#file.read(place), (payload) => parseCounts(payload, count));
    if (found.first !== first)
      throw damagedTrace(place, `has the counts from record ${found.first} on in place of ${first}`);
    const before = this.#frame;
    if (before && before.first + before.counts.length === first && before.counts.at(-1) !== found.firstRetired)
      throw damagedTrace(place, 'does not go on with the instruction count of the frame before');
    this.#frame = found;
    return found;
  }
}
