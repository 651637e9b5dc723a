/** Ticks of a fixed frequency in guest time, by whole-number arithmetic: no rounding error ever adds up. */
import { assert } from '../../base/assert.js';

const SECOND = 1_000_000_000;

/** A frequency in Hz, at most 9 MHz (so that the products below stay under 2^53). Tick 0 is at time 0. */
export class TickScale {
  constructor(readonly frequency: number) {
    assert(Number.isInteger(frequency) && frequency >= 1 && frequency <= 9_000_000, 'the frequency is 1 Hz to 9 MHz');
  }

  /** Ticks that have happened by `ns`: the floor of ns × frequency / 10^9. */
  at(ns: number): number {
    const seconds = Math.floor(ns / SECOND);
    return seconds * this.frequency + Math.floor(((ns - seconds * SECOND) * this.frequency) / SECOND);
  }

  /** The first nanosecond at which `tick` has happened; Infinity beyond the end of time. */
  timeOf(tick: number): number {
    const seconds = Math.floor(tick / this.frequency);
    const rest = tick - seconds * this.frequency;
    const ns = seconds * SECOND + Math.ceil((rest * SECOND) / this.frequency);
    return Number.isSafeInteger(ns) ? ns : Number.POSITIVE_INFINITY;
  }
}
