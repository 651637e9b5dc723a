/**
 * Guest time on KVM: the host's monotonic time since the machine was made, with two corrections, so that a guest keeps up with its own timers
 * however slow its processor is (docs/determinism.md, Time). Nothing depends on them in a replay: times are recorded where they were used.
 *
 * - While the guest computes, time goes slower by a whole factor. A KVM that executes the guest's kernel by software has two million
 *   instructions a second; with 250 timer interrupts in a second such a guest would do nothing else.
 * - Time in which the process did not run at all (SIGSTOP, a suspended host, a starved one) counts as {@link GAP_MAX} at most.
 */
import { assert } from '../base/assert.js';
import type { HostPort } from '../base/host.js';

/** The machine reads the time at least each 20 ms of the host: between two readings, no more host nanoseconds than these count. */
export const GAP_MAX = 100_000_000;
/** The slowest time. */
export const TIME_SCALE_MAX = 1000;

const MICROSECOND = 1000;
/**
 * Guest nanoseconds that an access to a device, or another exit that is answered, takes on the interpreter, as a port access of an ISA bus does.
 * A guest that waits by looking at a clock again and again looks a thousand times a millisecond, not a hundred thousand.
 */
export const EXIT_TIME = 1000;
/** The longest time of an exit. */
export const EXIT_TIME_MAX = 1_000_000;

/** The scale that a trace's header names among what its host is; 1 where it names none. */
export function timeScaleOfTrace({ timeScale }: Readonly<Record<string, unknown>>): number {
  const isScale = Number.isInteger(timeScale) && Number(timeScale) >= 1 && Number(timeScale) <= TIME_SCALE_MAX;
  return isScale ? Number(timeScale) : 1;
}

/** The time of an exit that a trace's header names; 0, as it was before exits took time, where it names none. */
export function exitTimeOfTrace({ exitTime }: Readonly<Record<string, unknown>>): number {
  const isTime = Number.isInteger(exitTime) && Number(exitTime) >= 0 && Number(exitTime) <= EXIT_TIME_MAX;
  return isTime ? Number(exitTime) : 0;
}

/** See the head of the file. */
export class GuestTime {
  readonly #host: HostPort;
  readonly #scale: number;
  /** The host's time of the last reading. */
  #last: number;
  /** Guest nanoseconds of the last reading. */
  #now = 0;
  /** Host nanoseconds that are no whole guest nanosecond yet. */
  #rest = 0;
  #isIdle = false;

  /** `scale`: a guest that computes sees a nanosecond in so many of the host's; a whole number from 1 to {@link TIME_SCALE_MAX}. */
  constructor(host: HostPort, scale = 1) {
    assert(Number.isInteger(scale) && scale >= 1 && scale <= TIME_SCALE_MAX, 'a time scale is 1 to 1000');
    this.#host = host;
    this.#scale = scale;
    this.#last = host.now();
  }

  /** Guest nanoseconds since the machine was made: a whole number, never less than before. */
  now(): number {
    const host = this.#host.now();
    const passed = this.#rest + Math.min(Math.max(0, host - this.#last), GAP_MAX);
    this.#last = host;
    const scale = this.#isIdle ? 1 : this.#scale;
    const whole = Math.floor(passed / scale);
    this.#now += whole;
    this.#rest = passed - whole * scale;
    return this.#now;
  }

  /** The guest waits in HLT, from now on, or does not any more: idle time goes as fast as the host's. */
  setIdle(isIdle: boolean): void {
    if (isIdle === this.#isIdle) return;
    this.now();
    this.#rest = 0;
    this.#isIdle = isIdle;
  }

  /** Microseconds of the host that `nanoseconds` of a guest that computes take, not rounded. */
  hostMicroseconds(nanoseconds: number): number {
    return (nanoseconds * this.#scale) / MICROSECOND;
  }

  /** Guest nanoseconds that `nanoseconds` of the host are while the guest computes. */
  fromHost(nanoseconds: number): number {
    return nanoseconds / this.#scale;
  }
}
