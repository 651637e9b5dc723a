/**
 * Idle time on the interpreter, whose time is its count of instructions: a guest that halts skips to its next deadline at once. Where somebody
 * may type it waits as long as that is on the host, so that a shell's timeouts do not run out between two keys.
 */
import type { Vcpu } from './cpu/vcpu.js';
import type { GuestTime } from './guest-time.js';
import type { Board } from './machine-board.js';

/** See the head of the file. Times are nanoseconds. */
export class IdleTime {
  /** By how much the guest's time is ahead of the instruction count: what was skipped, and what exits took. */
  skipped = 0;
  /** When the guest halted; -1: it has not. */
  #since = -1;

  /** `isPaced`: somebody may type. */
  constructor(
    readonly time: GuestTime,
    readonly isPaced: boolean,
  ) {}

  /** Exits took this long; 0 on KVM. */
  spend(nanoseconds: number, vcpu: Vcpu): void {
    if (nanoseconds === 0) return;
    this.skipped += nanoseconds;
    vcpu.skipTicks?.(nanoseconds);
  }

  /** The guest does not halt any more. */
  end(): void {
    this.#since = -1;
  }

  /**
   * Skips to the next deadline, and lets the devices see it; `log` hears of the time before they do. Where that is for later: the time, on the
   * scale of the host's {@link GuestTime}, until which to wait.
   */
  skip(vcpu: Vcpu, board: Board, log: (now: number) => number): number | undefined {
    const whole = board.deadline - (vcpu.retired + this.skipped);
    const waited = this.#waited();
    if (waited < whole) return this.time.now() + whole - waited;
    this.#go(whole, vcpu, board, log);
    board.advance();
    return undefined;
  }

  /** Somebody typed: the time until now has passed. */
  pass(vcpu: Vcpu, board: Board, log: (now: number) => number): void {
    if (!this.isPaced) return;
    const whole = board.deadline - (vcpu.retired + this.skipped);
    this.#go(Math.min(whole, this.#waited()), vcpu, board, log);
    if (board.deadline <= board.clock.last) board.advance();
  }

  /** Nanoseconds that the guest has waited for. */
  #waited(): number {
    if (!this.isPaced) return Number.POSITIVE_INFINITY;
    const now = this.time.now();
    if (this.#since < 0) this.#since = now;
    return now - this.#since;
  }

  #go(nanoseconds: number, vcpu: Vcpu, board: Board, log: (now: number) => number): void {
    if (nanoseconds > 0) {
      this.skipped += nanoseconds;
      vcpu.skipTicks?.(nanoseconds);
    }
    this.#since = -1;
    board.clock.set(log(vcpu.retired + this.skipped));
  }
}

const RFLAGS_IF_BYTE = 17 * 8 + 1;
const RFLAGS_IF = 0b10;

/** RFLAGS.IF of Vcpu.readRegisters. */
export function takesInterrupts(registers: Uint8Array): boolean {
  return ((registers[RFLAGS_IF_BYTE] as number) & RFLAGS_IF) !== 0;
}
