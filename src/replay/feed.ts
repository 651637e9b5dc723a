/** The records of a trace one after the other, with one looked at ahead and the last ones remembered. */
import { assert } from '../base/assert.js';
import type { VmtapeError } from '../base/errors.js';
import type { TraceCursor } from '../trace/cursor.js';
import type { TraceEnd } from '../trace/header.js';
import { formatRecord, TraceRecord } from '../trace/record.js';

/** How many records a report shows. */
const REMEMBERED = 8;

/** Feeds records to a replay. */
export class RecordFeed {
  /** The ordinal of the next record. */
  consumed: number;
  readonly #from: number;
  readonly #cursor: TraceCursor;
  readonly #until: number;
  readonly #recent: TraceRecord[] = Array.from({ length: REMEMBERED }, () => new TraceRecord());
  #hasRecord = false;

  /** `until`: the ordinal of the first record that is not given out. */
  constructor(cursor: TraceCursor, until = Number.POSITIVE_INFINITY) {
    this.#cursor = cursor;
    this.#until = until;
    this.#from = cursor.count;
    this.consumed = cursor.count;
  }

  /** The next record, not consumed yet; undefined: there is none, or it is not to be replayed. */
  peek(): TraceRecord | undefined {
    if (!this.#hasRecord) {
      if (!this.#cursor.next()) return undefined;
      this.#hasRecord = true;
    }
    return this.isBeyond ? undefined : this.#cursor.record;
  }

  /** The next record is not to be replayed. */
  get isBeyond(): boolean {
    return this.#hasRecord && this.#cursor.record.ordinal >= this.#until;
  }
  /** The record that was looked at and not consumed. */
  get waiting(): TraceRecord | undefined {
    return this.#hasRecord ? this.#cursor.record : undefined;
  }
  /** How the recording ended, once all records are consumed. */
  get end(): TraceEnd | undefined {
    return this.#cursor.end;
  }
  /** Why no more records can be read. */
  get damage(): VmtapeError | undefined {
    return this.#cursor.damage;
  }

  /** Goes on to the next record. */
  consume(): void {
    assert(this.#hasRecord, 'there is a record to consume');
    (this.#recent[this.consumed % REMEMBERED] as TraceRecord).assign(this.#cursor.record);
    this.consumed++;
    this.#hasRecord = false;
  }

  /** The last records consumed, in words, the oldest first. */
  recent(): string[] {
    const lines: string[] = [];
    for (let index = Math.max(this.#from, this.consumed - REMEMBERED); index < this.consumed; index++) {
      lines.push(formatRecord(this.#recent[index % REMEMBERED] as TraceRecord));
    }
    return lines;
  }
}
