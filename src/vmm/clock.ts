/**
 * The machine's one clock: guest time in whole nanoseconds since the machine was made, never decreasing. It reads no
 * host clock. Time comes from the machine, by {@link MachineClock.set}, or from a sampler that the machine was given,
 * which is asked at most once until {@link MachineClock.expire}: one sample an exit, and only if somebody wants to know.
 */
import { assert } from '../base/assert.js';
import type { Clock } from './device.js';
import { stateTable, TIME_MAX, time } from './state/fields.js';

/** The state of the clock: restore it before the devices, whose deadlines are on its scale. */
export const clockState = stateTable('clock', 1, {
  /** Nanoseconds since the machine was made. */
  now: time(),
});

/** See the head of the file. */
export class MachineClock implements Clock {
  #now = 0;
  #fresh = true;
  /** Gives the time when it is asked for, in whole nanoseconds; an answer before the present counts as the present. */
  #sampler: (() => number) | undefined;

  /** Uses `sampler` for every question after the next {@link expire}; undefined: time changes by {@link set} only. */
  sampleFrom(sampler: (() => number) | undefined): void {
    this.#sampler = sampler;
  }

  now(): number {
    if (!this.#fresh) {
      this.#fresh = true;
      if (this.#sampler !== undefined) {
        const sample = this.#sampler();
        assert(Number.isSafeInteger(sample), 'a sample of time is a whole number of nanoseconds');
        if (sample > this.#now) this.#now = sample;
      }
    }
    return this.#now;
  }

  /** The time of the last sample or {@link set}, without asking for another. */
  get last(): number {
    return this.#now;
  }

  /** Whether {@link now} would answer without asking the sampler. */
  get fresh(): boolean {
    return this.#fresh || this.#sampler === undefined;
  }

  /** The time is `ns`: a whole number not before the present. It holds until {@link expire}. */
  set(ns: number): void {
    assert(Number.isSafeInteger(ns) && ns <= TIME_MAX, 'guest time is a whole number of nanoseconds');
    assert(ns >= this.#now, 'guest time never decreases');
    this.#now = ns;
    this.#fresh = true;
  }

  /** The time known may be old: the next {@link now} samples anew. */
  expire(): void {
    this.#fresh = false;
  }

  /** See {@link clockState}. */
  saveState(): { now: number } {
    return { now: this.#now };
  }

  /** Sets the time to that of a saved state, back too. */
  loadState(state: { now: number }): void {
    this.#now = state.now;
    this.#fresh = true;
  }
}
