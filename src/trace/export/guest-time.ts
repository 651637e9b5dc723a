/** Guest time along the records of a trace (docs/determinism.md, Time). */
import { RecordKind, type TraceRecord } from '../record.js';

/**
 * On an engine that counts, an instruction takes a nanosecond, and a time record says what idling skipped; else the time is that
 * of the last time record.
 */
export class GuestTime {
  #now = 0;
  /** Guest time minus instructions: what idling has skipped. */
  #skipped = 0;

  /** Nanoseconds, never decreasing in a trace whose times do not. */
  get now(): number {
    return this.#now;
  }

  /** Goes on to the record. */
  see({ kind, retired, time }: TraceRecord): void {
    if (kind === RecordKind.Time) {
      this.#now = time;
      if (!Number.isNaN(retired)) this.#skipped = time - retired;
    } else if (!Number.isNaN(retired)) this.#now = Math.max(this.#now, retired + this.#skipped);
  }
}
