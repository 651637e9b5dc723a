/** Guest time along the records of a trace (docs/determinism.md, Time). */
import { RecordKind, type TraceRecord } from '../record.js';

/** Exits that take time: accesses to devices and MSRs, and hooked instructions. */
const TAKES_TIME: ReadonlySet<number> = new Set([
  ...[RecordKind.IoRead, RecordKind.IoWrite, RecordKind.MmioRead, RecordKind.MmioWrite],
  ...[RecordKind.MsrRead, RecordKind.MsrWrite, RecordKind.Hook],
]);

/**
 * On an engine that counts, an instruction takes a nanosecond, an exit what the header says, and a time record says what idling skipped;
 * else the time is that of the last time record.
 */
export class GuestTime {
  #now = 0;
  /** Guest time minus instructions: exits, and what idling has skipped. */
  #skipped = 0;
  readonly #exitTime: number;

  /** `exitTime`: guest nanoseconds of an exit, from the header; 0 for an engine that does not count. */
  constructor(exitTime = 0) {
    this.#exitTime = exitTime;
  }

  /** Nanoseconds, never decreasing in a trace whose times do not. */
  get now(): number {
    return this.#now;
  }

  /** Goes on to the record. */
  see({ kind, retired, time }: TraceRecord): void {
    if (kind === RecordKind.Time) {
      this.#now = time;
      if (!Number.isNaN(retired)) this.#skipped = time - retired;
    } else if (!Number.isNaN(retired)) {
      this.#now = Math.max(this.#now, retired + this.#skipped);
      if (TAKES_TIME.has(kind)) this.#skipped += this.#exitTime;
    }
  }
}
