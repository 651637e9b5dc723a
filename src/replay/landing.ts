/** Bringing the vCPU to where an interrupt was landed in the recording. */
import { describeRecord, hasLandmark, type TraceRecord } from '../trace/record.js';
import { ExitReason, REGISTERS_SIZE, type Vcpu } from '../vmm/cpu/vcpu.js';
import { Landing } from '../vmm/machine-taps.js';
import type { GuestMemory } from '../vmm/memory.js';
import { earlyExit, LandmarkWalker } from './landmark.js';
import { DivergenceFound, differingRegisters, sameRegisters } from './report.js';

const SLICE_INSTRUCTIONS = 2_000_000;
/** How far the place of an injection may be from where the count of the last record has it: that record's instruction is done, or is not. */
const COUNT_SLACK = 2;

/** Walks to the place of one injection after another. */
export class LandingWalker {
  readonly #registers = new Uint8Array(REGISTERS_SIZE);
  /** How landmarks were found. */
  readonly landmarks: LandmarkWalker;
  /** The interpreter has the guest of KVM, and is on the way. */
  #interpreter: Vcpu | undefined;
  /** Instructions that the interpreter had retired when it got the guest, and that the recording had there. */
  #retiredAtStart = 0;
  #recordedAtStart = 0;
  #isUnderWay = false;

  constructor(
    readonly vcpu: Vcpu,
    memory: GuestMemory,
    /** The trace has instruction counts and the engine counts too. */
    readonly counting: boolean,
    /** The engine's interrupt window is exact; by default the interpreter's. */
    readonly windowExact = vcpu.engine === 'interp',
  ) {
    this.landmarks = new LandmarkWalker(memory);
  }

  /** On the way to the place of a record. */
  get isUnderWay(): boolean {
    return this.#isUnderWay || this.#interpreter !== undefined || this.landmarks.isUnderWay;
  }

  /** The guest did what a record says: the recording had retired so many instructions before it. */
  notePlace(retired: number): void {
    this.#recordedAtStart = retired;
    this.landmarks.notePlace();
  }

  /**
   * Goes on towards the place of `record`, an injection, for some milliseconds at most. True: it is reached. Throws
   * {@link DivergenceFound} if the guest makes an exit before.
   */
  reach(record: TraceRecord): boolean {
    const { vcpu } = this;
    const { landing } = record;
    if (landing === Landing.Exit || landing === Landing.Nmi) return true;
    if (vcpu.beginInterpreting === undefined) {
      const slice = vcpu.retired + SLICE_INSTRUCTIONS;
      if (hasLandmark(landing)) return this.#toLandmark(record, slice);
      return landing === Landing.Window ? this.#throughWindow(record, slice, vcpu) : this.#toCount(record, slice);
    }
    if (landing === Landing.Window && this.windowExact)
      return this.#throughWindow(record, Number.POSITIVE_INFINITY, vcpu);
    return this.#interpreted(record);
  }

  /** KVM neither counts nor compares: the interpreter brings the guest to the place, and KVM goes on there. */
  #interpreted(record: TraceRecord): boolean {
    const interpreter = this.#interpreter ?? this.#begin(record);
    interpreter.limitWork?.(SLICE_INSTRUCTIONS);
    const slice = interpreter.retired + SLICE_INSTRUCTIONS;
    if (!this.#onInterpreter(record, slice, interpreter)) return false;
    this.#interpreter = undefined;
    this.vcpu.endInterpreting?.();
    return true;
  }

  #begin(record: TraceRecord): Vcpu {
    const interpreter = this.vcpu.beginInterpreting?.();
    // The instruction of the last exit makes another one.
    if (interpreter === undefined) throw earlyExit(record, this.vcpu.run(Number.POSITIVE_INFINITY));
    this.#retiredAtStart = interpreter.retired;
    this.#interpreter = interpreter;
    return interpreter;
  }

  #onInterpreter(record: TraceRecord, slice: number, interpreter: Vcpu): boolean {
    switch (record.landing) {
      case Landing.Landmark:
      case Landing.Waypoint:
        return this.landmarks.reach(record, slice, interpreter);
      case Landing.Window:
        return this.#throughWindow(record, slice, interpreter);
      default:
        return this.#toRegisters(record, slice, interpreter);
    }
  }

  #toCount(record: TraceRecord, slice: number): boolean {
    const { vcpu } = this;
    if (!this.counting) throw new DivergenceFound('an injection at a count, in a trace without counts', '', '');
    if (vcpu.retired >= record.retired) return true;
    return this.#run(record, Math.min(slice, record.retired), vcpu) && vcpu.retired >= record.retired;
  }

  /** Near the count that the recording's counts lead to, the first boundary whose registers are those of the record. */
  #toRegisters(record: TraceRecord, slice: number, interpreter: Vcpu): boolean {
    const count = this.#retiredAtStart + record.retired - this.#recordedAtStart;
    const near = Math.max(this.#retiredAtStart, count - COUNT_SLACK);
    if (interpreter.retired < near) {
      this.#run(record, Math.min(slice, near), interpreter);
      return false;
    }
    for (;;) {
      interpreter.readRegisters(this.#registers);
      if (sameRegisters(this.#registers, record.registers, false)) return true;
      if (interpreter.retired >= count) break;
      if (!this.#run(record, interpreter.retired + 1, interpreter)) return false;
    }
    throw new DivergenceFound(
      'the guest does not come to the place of the interrupt',
      `${describeRecord(record)} with ${differingRegisters(record.registers, this.#registers)}`,
      differingRegisters(this.#registers, record.registers),
    );
  }

  /** Where the count is known, boundaries before it are not looked at. */
  #toLandmark(record: TraceRecord, slice: number): boolean {
    const { vcpu } = this;
    if (!this.counting || this.landmarks.isUnderWay || vcpu.retired >= record.retired)
      return this.landmarks.reach(record, slice, vcpu);
    this.#run(record, Math.min(slice, record.retired), vcpu);
    return false;
  }

  /** To an instruction count. False: the slice is over before. */
  #run(record: TraceRecord, limit: number, vcpu: Vcpu): boolean {
    const reason = vcpu.run(limit);
    if (reason === ExitReason.Kicked) return false;
    if (reason !== ExitReason.Limit) throw earlyExit(record, reason);
    return true;
  }

  #throughWindow(record: TraceRecord, limit: number, vcpu: Vcpu): boolean {
    // Open already: this is the first boundary. The registers will tell if it is not that of the recording.
    if (!this.#isUnderWay && vcpu.canInject) return true;
    vcpu.requestWindow(true);
    this.#isUnderWay = true;
    const reason = vcpu.run(limit);
    if (reason === ExitReason.Limit || reason === ExitReason.Kicked) return false;
    vcpu.requestWindow(false);
    this.#isUnderWay = false;
    if (reason !== ExitReason.Window) throw earlyExit(record, reason);
    return true;
  }
}
