/**
 * Preemption (design, section 4, landing 3): on KVM, a guest that computes without an exit is kicked out of it by a timer when an
 * interrupt has waited for long enough, and the place is taken as a landmark. This file has the timer and the log of written pages;
 * when to kick and what to deliver is the machine's.
 */
import type { Vcpu } from './cpu/vcpu.js';
import type { DirtyReader } from './dirty-log.js';
import type { GuestTime } from './guest-time.js';
import { type Landmark, LandmarkTaker } from './landmark.js';
import type { LandingOptions } from './machine-options.js';
import { Landing, type MachineTaps } from './machine-taps.js';
import type { GuestMemory } from './memory.js';

/** An interrupt that could not be landed at a kick is tried again after so many nanoseconds of the host. */
const RETRY = 200_000;
/** A guest that makes no exits and could write more than a landmark can tell of: so often it is looked how much it wrote, nanoseconds of the host. */
const LOOK = 20_000_000;
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
  /** Exits when it was asked for a waypoint last; when it is next; and the guest nanoseconds between the two. */
  #exits = -1;
  #nextLook = 0;
  readonly #lookDistance: number;

  /** `landing` undefined: no landmarks are taken. */
  constructor(
    vcpu: Vcpu,
    memory: GuestMemory,
    written: DirtyReader,
    landing: Pick<LandingOptions, 'waypoints'> | undefined,
    time: GuestTime,
  ) {
    this.#vcpu = vcpu;
    this.#time = time;
    this.#lookDistance = landing?.waypoints?.distance ?? time.fromHost(LOOK);
    this.#taker = landing && new LandmarkTaker(vcpu, memory, written, landing.waypoints?.pages);
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

  /** At a kick, so many exits after the start: the guest made none since the last look, and wrote so much that there should be a {@link waypoint}. */
  wantsWaypoint(exits: number): boolean {
    if (this.#taker === undefined || this.#taker.waypointPages === Number.POSITIVE_INFINITY) return false;
    const now = this.#time.now();
    if (now < this.#nextLook) return false;
    this.#nextLook = now + this.#lookDistance;
    const isSilent = exits === this.#exits;
    this.#exits = exits;
    return isSilent && this.#taker.wantsWaypoint;
  }

  /** Tells `taps` of the place where the vCPU stands, if a replay can find it: what was written before does not tell later places apart. */
  waypoint(taps: MachineTaps, registers: Uint8Array): void {
    const landmark = this.#vcpu.isSettled ? this.landmark() : undefined;
    if (!landmark) return;
    this.#vcpu.readRegisters(registers);
    taps.inject(0, Landing.Waypoint, registers, landmark);
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
