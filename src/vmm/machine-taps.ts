/**
 * The taps of a machine: what a session hears of a run. Calls are in the order of the canonical exit stream
 * (docs/determinism.md), nothing is allocated for them, and what they are given must be copied to be kept.
 */
import type { ExitRecord } from './cpu/vcpu.js';
import type { HookPerformer } from './hooks/perform.js';
import type { Landmark } from './landmark.js';

/** Where an interrupt was landed (design, section 4). */
export const Landing = {
  /** Between a guest-made exit and the next instruction. */
  Exit: 0,
  /** At the first boundary after the last exit which can take an interrupt. */
  Window: 1,
  /** At an exact number of retired instructions; only an engine that counts does this. */
  Count: 2,
  /** At a place told by the whole state: KVM, where no exit came. */
  Landmark: 3,
  /** A non-maskable one, behind an exit: it became pending there. */
  Nmi: 4,
  /** Nothing is landed: a place told by the whole state, from which on the written pages count anew (machine-preemption.ts). */
  Waypoint: 5,
} as const;
/** A value of {@link Landing}. */
export type Landing = (typeof Landing)[keyof typeof Landing];

/** Listeners on a machine. */
export interface MachineTaps {
  /**
   * Guest time became `now`, and devices saw it. On KVM: before the exit that used the sample. On the interpreter time
   * is the count of instructions plus what idling skipped, so that only a skip, or time that passes without an exit, is
   * heard.
   */
  time(now: number): void;
  /** Element `element` of the exit is done; for a read, the answer is in the exit's data. `fault`: an MSR access refused. */
  exit(exit: ExitRecord, element: number, fault: boolean): void;
  /** The instruction at site `site` was performed; its answer is in the performer. */
  hook(site: number, performer: HookPerformer): void;
  /**
   * The interrupt `vector` is delivered before the next instruction; `registers` as of Vcpu.readRegisters. `landmark` is given
   * with Landing.Landmark and, where no interrupt is delivered, with Landing.Waypoint.
   */
  inject(vector: number, landing: Landing, registers: Uint8Array, landmark: Landmark | undefined): void;
  /** The host sent a byte to the serial console. */
  input(byte: number): void;
  /** The interpreter executes `instruction` for KVM, in code of `bits` bits; its exits come next. */
  assist(instruction: Uint8Array, bits: 16 | 32 | 64): void;
  /** A device wrote `bytes` to guest memory at `address`. */
  dma(address: number, bytes: Uint8Array): void;
  /**
   * When {@link boundary} is to be called: where the engine counts, at this number of instructions, which is not behind it; on KVM, if it is
   * finite, at the next exit behind which the guest can take an interrupt. Infinity: never.
   */
  readonly nextBoundary: number;
  /** The vCPU stands at an instruction boundary, and its state may be looked at. Sets {@link nextBoundary} anew. */
  boundary(): void;
}

/** Nobody listens. */
export const deafTaps: MachineTaps = {
  nextBoundary: Number.POSITIVE_INFINITY,
  time() {},
  exit() {},
  hook() {},
  inject() {},
  input() {},
  assist() {},
  dma() {},
  boundary() {},
};
