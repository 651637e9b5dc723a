/** Bringing the vCPU to a landmark: the boundary at which registers, CPU state and memory are those of the recording. */
import { assert } from '../base/assert.js';
import { hex } from '../base/hex.js';
import { describeRecord, isWaypoint, type TraceRecord } from '../trace/record.js';
import { ExitReason, type Seeker, type Vcpu } from '../vmm/cpu/vcpu.js';
import { LandmarkComparison } from '../vmm/landmark.js';
import type { GuestMemory } from '../vmm/memory.js';
import { MemoryHash } from '../vmm/memory-hash.js';
import { DivergenceFound, differingRegisters, hasResumeFlag } from './report.js';

/** Boundaries that are looked at in one slice. */
const ARRIVALS_PER_SLICE = 5_000;
/** No processor retires more instructions in a nanosecond; and what a landmark may be away at least, in nanoseconds. */
const INSTRUCTIONS_PER_NANOSECOND = 24;
const DISTANCE_MIN = 1_000_000;

/** How landmarks were found. */
export interface LandmarkCounts {
  readonly found: number;
  /** Those of them for which registers alone would not have done: other boundaries had the same ones before. */
  readonly ambiguous: number;
  /** All those other boundaries. */
  readonly others: number;
}

/** Walks to one landmark after another, and counts. */
export class LandmarkWalker implements LandmarkCounts {
  found = 0;
  ambiguous = 0;
  others = 0;
  readonly #memory: GuestMemory;
  readonly #hash: MemoryHash;
  /** The landmark that is walked to. */
  #comparison: LandmarkComparison | undefined;
  /** Boundaries whose memory was not that of the landmark. */
  #passed = 0;
  #lastPage = -1;
  /** How many times slower than the host's the guest's time went in the recording. */
  timeScale = 1;
  /** The last time of the trace, and that at the last place which a replay finds without one: nanoseconds. */
  #time = 0;
  #timeBefore = 0;
  /** Instructions retired where the landmark is to be found at the latest. */
  #latest = 0;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#hash = new MemoryHash(memory);
  }

  /** The trace has a time. There is one in front of each landmark, and perhaps others behind the last exit, of kicks that landed nothing. */
  noteTime(time: number): void {
    this.#time = time;
  }

  /** The vCPU stands at an exit or at a landmark: the next one is as far away as times are noted from now on. */
  notePlace(): void {
    this.#timeBefore = this.#time;
  }

  /** Goes on as the walker whose {@link times} they were. */
  resume(timeBefore: number, time: number): void {
    this.#timeBefore = timeBefore;
    this.#time = time;
  }

  /** A landmark is walked to. */
  get isUnderWay(): boolean {
    return this.#comparison !== undefined;
  }

  /** The time at the last place that was noted, and the last time. */
  get times(): readonly [number, number] {
    return [this.#timeBefore, this.#time];
  }

  /** Goes on towards `record` on an interpreter, until `limit` at most. True: it is reached. Throws {@link DivergenceFound}. */
  reach(record: TraceRecord, limit: number, vcpu: Vcpu): boolean {
    const seeker = vcpu.seeker as Seeker;
    const comparison = this.#comparison ?? this.#begin(record, seeker, vcpu);
    for (let count = 0; count < ARRIVALS_PER_SLICE; count++) {
      const reason = vcpu.run(limit);
      if (reason === ExitReason.Limit || reason === ExitReason.Kicked) {
        if (vcpu.retired > this.#latest) throw this.#notFound(record, reason, seeker);
        return false;
      }
      if (reason !== ExitReason.Arrived) throw this.#notFound(record, reason, seeker);
      const difference = comparison.difference();
      if (difference === undefined) {
        this.#found(record, seeker);
        return true;
      }
      this.#passed++;
      this.#lastPage = difference.page;
      seeker.pass(difference.page, difference.hash);
    }
    return false;
  }

  #begin(record: TraceRecord, seeker: Seeker, vcpu: Vcpu): LandmarkComparison {
    const { landmark, registers } = record;
    assert(landmark !== undefined, 'an injection at a landmark has one');
    this.#comparison = new LandmarkComparison(vcpu, this.#memory, landmark, this.#hash);
    this.#passed = 0;
    this.#lastPage = -1;
    const nanoseconds = Math.max(DISTANCE_MIN / this.timeScale, this.#time - this.#timeBefore);
    this.#latest = vcpu.retired + nanoseconds * this.timeScale * INSTRUCTIONS_PER_NANOSECOND;
    seeker.begin(registers, landmark.cpuHash);
    return this.#comparison;
  }

  #found(record: TraceRecord, seeker: Seeker): void {
    const others = this.#passed + seeker.ambiguous;
    this.found++;
    if (others > 0) this.ambiguous++;
    this.others += others;
    // At a waypoint the instruction under way, a REP, goes on.
    seeker.end(isWaypoint(record) ? undefined : hasResumeFlag(record.registers));
    seeker.forgetWalks();
    this.#comparison = undefined;
  }

  /** The guest made an exit and never was at the landmark. */
  #notFound(record: TraceRecord, reason: ExitReason, seeker: Seeker): DivergenceFound {
    const { nearest, passed, ambiguous } = seeker;
    const others = this.#passed + ambiguous;
    seeker.end();
    this.#comparison = undefined;
    let what = 'it never came to that RIP';
    if (this.#lastPage >= 0) {
      what = `it came there with these registers ${others} times, but memory differed, at last at ${hex(this.#lastPage * 0x1000)}`;
    } else if (others > 0) {
      what = `it came there with these registers ${others} times, but x87, SSE or control registers or segments differed`;
    } else if (nearest) {
      what = `it came to that RIP ${passed} times, the nearest with ${differingRegisters(nearest, record.registers)}`;
    }
    return earlyExit(record, reason, `; before, ${what}`);
  }
}

/** The guest made an exit before the place of `record`. */
export function earlyExit(record: TraceRecord, reason: ExitReason, more = ''): DivergenceFound {
  const name = Object.entries(ExitReason).find(([, value]) => value === reason)?.[0] ?? String(reason);
  return new DivergenceFound(
    'the guest made an exit before it came to the place of the interrupt',
    describeRecord(record),
    `an exit: ${name.toLowerCase()}${more}`,
  );
}
