/**
 * Preemption (design, section 4, landing 3): on KVM, a guest that computes without an exit is kicked out of it by a timer when an
 * interrupt has waited for long enough, and the place is taken as a landmark. This file has the timer and the log of written pages;
 * when to kick and what to deliver is the machine's.
 */
import type { Vcpu } from './cpu/vcpu.js';
import type { DirtyReader } from './dirty-log.js';
import type { GuestTime } from './guest-time.js';
import { type Landmark, LandmarkTaker } from './landmark.js';
import type { GuestMemory } from './memory.js';

/** An interrupt that could not be landed at a kick is tried again after so many nanoseconds of the host. */
const RETRY = 200_000;
/** So often, at an exit, the log of written pages is emptied: a landmark then has fewer of them. */
const FORGET_SLICES = 5;

/** The timer of one machine on KVM. Times are nanoseconds of its guest's clock. */
export class Preemption {
  readonly #vcpu: Vcpu;
  readonly #time: GuestTime;
  /** Undefined: no landmarks are taken. */
  readonly #taker: LandmarkTaker | undefined;
  /** When the timer fires. */
  #armed = Number.POSITIVE_INFINITY;
  #sliceEnd = 0;
  #slices = 0;
  #forgets = false;
  /** No kick before. */
  #notBefore = 0;

  constructor(vcpu: Vcpu, memory: GuestMemory, written: DirtyReader, isOn: boolean, time: GuestTime) {
    this.#vcpu = vcpu;
    this.#time = time;
    this.#taker = isOn ? new LandmarkTaker(vcpu, memory, written) : undefined;
  }

  get isOn(): boolean {
    return this.#taker !== undefined;
  }

  /** A slice begins, and ends with a kick after `length` nanoseconds of the host. */
  begin(length: number): void {
    this.#sliceEnd = this.#time.now() + this.#time.fromHost(length);
    this.#armed = this.#sliceEnd;
    this.#vcpu.armTimer?.(this.#time.hostMicroseconds(this.#time.fromHost(length)));
    if (++this.#slices % FORGET_SLICES === 0) this.#forgets = true;
  }

  /** The slice ends. */
  end(): void {
    this.#vcpu.armTimer?.(0);
  }

  /** The slice's time is up. */
  get isOver(): boolean {
    return this.#time.now() >= this.#sliceEnd;
  }

  /** Before each entry: there is a kick at `time` at the latest. */
  kickAt(time: number): void {
    const at = Math.max(time, this.#notBefore);
    if (at < this.#armed) this.#arm(at);
  }

  /** A kick came: the timer is not armed any more. */
  kicked(): void {
    this.#armed = Number.POSITIVE_INFINITY;
    this.kickAt(this.#sliceEnd);
  }

  /** The vCPU stands behind an exit. */
  atExit(): void {
    if (!this.#forgets) return;
    this.#forgets = false;
    this.#taker?.forget();
  }

  /** The vCPU makes an MMIO exit. */
  noteAccess(): void {
    this.#taker?.noteAccess();
  }

  /** The landmark of where the vCPU stands; undefined: not here. */
  landmark(): Landmark | undefined {
    const landmark = this.#taker?.take();
    // There may have been too much to compare.
    if (landmark === undefined) this.#forgets = true;
    return landmark;
  }

  /** Nothing was landed: there will be another kick soon. */
  retry(): void {
    this.#notBefore = this.#time.now() + this.#time.fromHost(RETRY);
  }

  #arm(at: number): void {
    this.#armed = at;
    this.#vcpu.armTimer?.(Math.max(1, Math.ceil(this.#time.hostMicroseconds(at - this.#time.now()))));
  }
}
