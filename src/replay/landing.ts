/** Bringing the vCPU to where an interrupt was landed in the recording. */
import { ExitCode, VmtapeError } from '../base/errors.js';
import type { TraceRecord } from '../trace/record.js';
import { ExitReason, REGISTERS_SIZE, type Vcpu } from '../vmm/cpu/vcpu.js';
import { Landing } from '../vmm/machine-taps.js';
import type { GuestMemory } from '../vmm/memory.js';
import { earlyExit, LandmarkWalker } from './landmark.js';
import { DivergenceFound, sameRegisters } from './report.js';

/** More single steps than this are not made for one landing. */
const STEPS_MAX = 4_000_000;
/** Addresses of code remembered. */
const ADDRESSES_MAX = 0x1_0000;
const SLICE_INSTRUCTIONS = 2_000_000;
const STEPS_PER_SLICE = 2_000;
const PLACES = ['an exit', 'the window', 'an instruction count', 'a landmark', 'an exit'];

/** Walks to the place of one injection after another. */
export class LandingWalker {
  readonly #registers = new Uint8Array(REGISTERS_SIZE);
  readonly #kernelCode = new Set<number>();
  /** How landmarks were found. */
  readonly landmarks: LandmarkWalker;
  #steps = 0;
  #isUnderWay = false;

  constructor(
    readonly vcpu: Vcpu,
    memory: GuestMemory,
    /** The trace has instruction counts and the engine counts too. */
    readonly counting: boolean,
    /** The engine's interrupt window is exact; by default the interpreter's. */
    readonly windowExact = vcpu.engine === 'interp',
  ) {
    this.landmarks = new LandmarkWalker(vcpu, memory);
  }

  /** On the way to the place of a record. */
  get isUnderWay(): boolean {
    return this.#isUnderWay || this.landmarks.isUnderWay;
  }

  /**
   * Goes on towards the place of `record`, an injection, for some milliseconds at most. True: it is reached. Throws
   * {@link DivergenceFound} if the guest makes an exit before.
   */
  reach(record: TraceRecord): boolean {
    if (record.landing === Landing.Exit || record.landing === Landing.Nmi) return true;
    if (this.vcpu.engine === 'interp') return this.#onInterpreter(record);
    if (record.landing === Landing.Window && this.windowExact)
      return this.#throughWindow(record, Number.POSITIVE_INFINITY);
    return this.#bySteps(record);
  }

  #onInterpreter(record: TraceRecord): boolean {
    const { vcpu } = this;
    const slice = vcpu.retired + SLICE_INSTRUCTIONS;
    if (record.landing === Landing.Landmark) return this.#toLandmark(record, slice);
    if (record.landing === Landing.Window) return this.#throughWindow(record, slice);
    if (!this.counting) throw new DivergenceFound('an injection at a count, in a trace without counts', '', '');
    if (vcpu.retired >= record.retired) return true;
    const reason = vcpu.run(Math.min(slice, record.retired));
    if (reason === ExitReason.Kicked) return false;
    if (reason !== ExitReason.Limit) throw earlyExit(record, reason);
    return vcpu.retired >= record.retired;
  }

  /** Where the count is known, boundaries before it are not looked at. */
  #toLandmark(record: TraceRecord, slice: number): boolean {
    const { vcpu } = this;
    if (!this.counting || this.landmarks.isUnderWay || vcpu.retired >= record.retired)
      return this.landmarks.reach(record, slice);
    const reason = vcpu.run(Math.min(slice, record.retired));
    if (reason === ExitReason.Kicked) return false;
    if (reason !== ExitReason.Limit) throw earlyExit(record, reason);
    return false;
  }

  #throughWindow(record: TraceRecord, limit: number): boolean {
    const { vcpu } = this;
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

  /** KVM whose window opens late: single steps, which are exact at CPL 0, until the registers are those of the record. */
  #bySteps(record: TraceRecord): boolean {
    const { vcpu } = this;
    if (!this.#isUnderWay) {
      this.#isUnderWay = true;
      this.#steps = 0;
      vcpu.setSingleStep(true);
    }
    for (let count = 0; count < STEPS_PER_SLICE; count++) {
      if (vcpu.canInject) {
        if (this.#isThere(record)) {
          this.#endSteps();
          return true;
        }
      }
      if (!this.#isInKernel()) throw this.#cannot(record, 'it lies beyond code of user mode');
      if (this.#steps++ >= STEPS_MAX) throw this.#cannot(record, `it was not found in ${STEPS_MAX} steps`);
      const reason = vcpu.run(Number.POSITIVE_INFINITY);
      if (reason === ExitReason.Kicked) return false;
      if (reason !== ExitReason.Debug) {
        this.#endSteps();
        throw earlyExit(record, reason);
      }
    }
    return false;
  }

  #isThere(record: TraceRecord): boolean {
    if (record.landing === Landing.Window) return true;
    const isLandmark = record.landing === Landing.Landmark;
    this.vcpu.readRegisters(this.#registers);
    if (!sameRegisters(this.#registers, record.registers, isLandmark)) return false;
    return !isLandmark || this.landmarks.isThere(record);
  }

  /** At CPL 0, or where each step is exact. To ask KVM is slow, so that each address is asked for once a landing. */
  #isInKernel(): boolean {
    const { rip, assistsUser = false } = this.vcpu;
    if (assistsUser || this.#kernelCode.has(rip)) return true;
    if ((this.vcpu.getState().cs.selector & 3) !== 0) return false;
    if (this.#kernelCode.size >= ADDRESSES_MAX) this.#kernelCode.clear();
    this.#kernelCode.add(rip);
    return true;
  }

  #endSteps(): void {
    this.#kernelCode.clear();
    this.vcpu.setSingleStep(false);
    this.#isUnderWay = false;
  }

  #cannot(record: TraceRecord, why: string): VmtapeError {
    this.#endSteps();
    return new VmtapeError(
      'VMTAPE_CANNOT_LAND',
      `this host's KVM cannot bring the guest to record ${record.ordinal}, an interrupt at ${PLACES[record.landing]}: ${why}`,
      ExitCode.HostCannot,
      'replay it on the interpreter: --engine interp',
    );
  }
}
