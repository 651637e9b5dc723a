/** Guest time along the records of a trace (docs/determinism.md, Time). */
import { RecordKind, type TraceRecord } from '../record.js';

/** Exits that take time: accesses to devices and MSRs, and hooked instructions. */
const TAKES_TIME: ReadonlySet<number> = new Set([
  ...[RecordKind.IoRead, RecordKind.IoWrite, RecordKind.MmioRead, RecordKind.MmioWrite],
  ...[RecordKind.MsrRead, RecordKind.MsrWrite, RecordKind.Hook],
]);

/** How time goes in a trace, and where it begins. */
export interface GuestTimeOptions {
  /** The engine counted instructions. Counts that a replay has learnt say nothing of its time. */
  readonly isCounting?: boolean;
  /** Guest nanoseconds of an exit, from the header; 0 for an engine that does not count. */
  readonly exitTime?: number;
  /** Before the first record, in a part of another trace: the time, and by how much it is ahead of the instructions. */
  readonly now?: number;
  readonly skipped?: number;
}

/**
 * On an engine that counts, an instruction takes a nanosecond, an exit what the header says, and a time record says what idling skipped;
 * else the time is that of the last time record.
 */
export class GuestTime {
  #now: number;
  /** Guest time minus instructions: exits, and what idling has skipped. */
  #skipped: number;
  readonly #isCounting: boolean;
  readonly #exitTime: number;

  constructor({ isCounting = true, exitTime = 0, now = 0, skipped = 0 }: GuestTimeOptions = {}) {
    this.#isCounting = isCounting;
    this.#exitTime = exitTime;
    this.#now = now;
    this.#skipped = skipped;
  }

  /** Nanoseconds, never decreasing in a trace whose times do not. */
  get now(): number {
    return this.#now;
  }

  /** Goes on to the record. */
  see({ kind, retired, time }: TraceRecord): void {
    const isCounted = this.#isCounting && !Number.isNaN(retired);
    if (kind === RecordKind.Time) {
      this.#now = time;
      if (isCounted) this.#skipped = time - retired;
    } else if (isCounted) {
      this.#now = Math.max(this.#now, retired + this.#skipped);
      if (TAKES_TIME.has(kind)) this.#skipped += this.#exitTime;
    }
  }
}
