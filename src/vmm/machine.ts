/**
 * The machine: a vCPU and a board, and the loop that runs them. It decides where interrupts land (design, section 4) so
 * that a recording can be replayed on either engine:
 *
 * - At an exit that the guest made, whenever the guest can take the interrupt there.
 * - If the guest could not for longer than the patience: at the first boundary behind an exit where it can, by the
 *   engine's interrupt window, if that is exact.
 * - On the interpreter, which counts: where no exit came for longer than the patience, at an exact number of instructions.
 * - On KVM, where no exit came: at a landmark, a place that the whole state tells (machine-preemption.ts).
 *
 * Time is the host's on KVM (guest-time.ts), sampled at exits. On the interpreter an instruction takes a nanosecond; idle time is skipped.
 */
import { assert, unreachable } from '../base/assert.js';
import { VmtapeError } from '../base/errors.js';
import type { HostPort } from '../base/host.js';
import { HeldExit } from './cpu/held-exit.js';
import { ExitReason, isAccess, REGISTERS_SIZE, type Vcpu } from './cpu/vcpu.js';
import { DirtyLog } from './dirty-log.js';
import { EXIT_TIME, GuestTime } from './guest-time.js';
import { HOOK_PORT, isHookSize } from './hooks/table.js';
import type { Landmark } from './landmark.js';
import type { Board } from './machine-board.js';
import { engineErrorEnd, placeBetweenSlices, plainEnd, textEnd, watchedTexts } from './machine-ends.js';
import { connect, disconnect, makeBoard, openMachineVcpu } from './machine-engine.js';
import { IdleTime, takesInterrupts } from './machine-idle.js';
import { HostInput } from './machine-input.js';
import { landNmi } from './machine-nmi.js';
import { DEFAULT_PATIENCE, type MachineEnd, type MachineLimits, type MachineOptions } from './machine-options.js';
import { Preemption } from './machine-preemption.js';
import { deafTaps, Landing, type MachineTaps } from './machine-taps.js';
import type { GuestMemory } from './memory.js';

/** A slice lets the process handle signals and input in between. */
const SLICE_NANOSECONDS = 20_000_000;
const SLICE_INSTRUCTIONS = 2_000_000;
const SLICE_TURNS = 20_000;
/** The longest sleep of an idle machine, so that signals and input are seen. */
const SLEEP_MILLISECONDS = 10;

/** See the head of the file. */
export class Machine {
  readonly board: Board;
  readonly memory: GuestMemory;
  /** The pages that guest and host write. */
  readonly written: DirtyLog;
  /** How the run ended; undefined while it has not. */
  end: MachineEnd | undefined;
  /** Exits that the guest made so far: elements of the canonical exit stream. */
  exits = 0;
  /** Instructions retired at the tap under way; NaN where the engine does not count. */
  retired: number;
  /** Idle until this guest time, on KVM; undefined: not idle. */
  idleUntil: number | undefined;
  readonly #host: HostPort;
  readonly #taps: MachineTaps;
  readonly #limits: MachineLimits;
  readonly #counting: boolean;
  readonly #windowExact: boolean;
  readonly #preemption: Preemption | undefined;
  readonly #drawPatience: () => number;
  #patience: number;
  readonly #inputOpen: boolean;
  readonly #registers = new Uint8Array(REGISTERS_SIZE);
  readonly #input = new HostInput();
  readonly #held = new HeldExit();
  readonly #started: number;
  /** Where the guest's time comes from: on KVM; on the interpreter, what an exit takes, and idle time. */
  readonly #time: GuestTime;
  readonly #exitTime: number;
  readonly #idleTime: IdleTime;
  /** The host's time at the exit under way; -1: not sampled yet (KVM). */
  #sample = -1;
  /** The vCPU stands behind an exit that the guest made. */
  #atExit = false;
  #halted = false;
  #pendingSince = -1;
  #windowOn = false;
  #windowLanding: Landing = Landing.Window;
  #stopped = false;

  /** Use {@link Machine.open}. */
  private constructor(
    options: MachineOptions,
    readonly vcpu: Vcpu,
  ) {
    const { guest } = options;
    this.memory = guest.memory;
    this.written = new DirtyLog(vcpu);
    this.#host = options.host;
    this.#taps = options.taps ?? deafTaps;
    this.#limits = options.limits ?? {};
    this.#inputOpen = options.inputOpen ?? false;
    this.#counting = vcpu.engine === 'interp';
    this.#windowExact = options.landing?.windowExact ?? this.#counting;
    const patience = options.landing?.patience ?? DEFAULT_PATIENCE;
    this.#drawPatience = typeof patience === 'number' ? () => patience : patience;
    this.#patience = this.#drawPatience();
    this.board = makeBoard(options, vcpu);
    this.board.serial.watch(watchedTexts(this.#limits));
    this.retired = vcpu.retired;
    this.#started = this.#host.now();
    this.#time = new GuestTime(this.#host, options.timeScale);
    this.#exitTime = this.#counting ? (options.exitTime ?? EXIT_TIME) : 0;
    this.#idleTime = new IdleTime(this.#time, this.#inputOpen);
    if (this.#counting) return;
    vcpu.onAssist = (instruction, bits) => this.#taps.assist(instruction, bits);
    this.board.clock.sampleFrom(() => this.#logTime(this.#peek()));
    const landing = this.#patience < Number.POSITIVE_INFINITY ? (options.landing ?? {}) : undefined;
    this.#preemption = new Preemption(vcpu, this.memory, this.written.reader(), landing, this.#time);
  }

  /** Opens the engine, and gives it memory, CPUID and the guest's first state. Close the machine when it is done with. */
  static async open(options: MachineOptions): Promise<Machine> {
    const vcpu = await openMachineVcpu(options);
    try {
      vcpu.setCpuid(options.cpuid, options.hiddenFeatures);
      vcpu.setState(options.guest.cpu);
      connect(options.guest.memory, vcpu);
      return new Machine(options, vcpu);
    } catch (error) {
      vcpu.close();
      throw error;
    }
  }

  /** Runs to the end, letting the process do other work now and then. `onSlice` is called in between. */
  async run(onSlice?: () => void): Promise<MachineEnd> {
    for (;;) {
      const end = this.runSlice();
      onSlice?.();
      if (end) return end;
      await this.#host.sleep(this.#sleepTime());
    }
  }

  /** Runs for some milliseconds at most; the end, if the run ended. */
  runSlice(): MachineEnd | undefined {
    if (this.end) return this.end;
    const { timeout } = this.#limits;
    const isLate = timeout !== undefined && this.#host.now() - this.#started >= timeout * 1e9;
    const cut = this.#stopped ? 'interrupted' : isLate ? 'timeout' : undefined;
    if (cut) return this.#finish(plainEnd(cut, placeBetweenSlices(this.vcpu)));
    this.idleUntil = undefined;
    this.#preemption?.begin(SLICE_NANOSECONDS);
    this.vcpu.limitWork?.(SLICE_INSTRUCTIONS);
    try {
      this.#loop();
    } catch (error) {
      if (error instanceof VmtapeError && error.code === 'VMTAPE_UNCLAIMED') {
        this.#finish({ reason: 'error', exitCode: error.exitCode, message: error.message, position: 'anywhere' });
      }
      throw error;
    } finally {
      this.#preemption?.end();
    }
    return this.end;
  }

  /** Bytes from the host for the serial console; the guest sees them at its next exit. */
  receive(bytes: Uint8Array): void {
    this.#input.push(bytes);
  }

  /** Ends the run soon, with the reason `interrupted`. */
  stop(): void {
    this.#stopped = true;
  }

  /** Idempotent. */
  close(): void {
    disconnect(this.memory);
    this.vcpu.close();
  }

  #finish(end: MachineEnd): MachineEnd {
    this.end ??= end;
    return this.end;
  }

  #sleepTime(): number {
    if (this.idleUntil === undefined) return 0;
    return Math.min(SLEEP_MILLISECONDS, Math.max(0, (this.idleUntil - this.#time.now()) / 1e6));
  }

  #loop(): void {
    const { vcpu } = this;
    const sliceEnd = this.#counting ? vcpu.retired + SLICE_INSTRUCTIONS : Number.POSITIVE_INFINITY;
    const last = this.#limits.instructions ?? Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < SLICE_TURNS && !this.end; turn++) {
      if (this.#atExit) {
        this.#preemption?.atExit();
        if (!this.#counting && this.#taps.nextBoundary < Number.POSITIVE_INFINITY && vcpu.canInject)
          this.#taps.boundary();
        this.#land();
      }
      if (this.#halted) {
        if (!this.#idle()) return;
        continue;
      }
      const limit = this.#counting ? Math.min(sliceEnd, last, this.#landingLimit(), this.#taps.nextBoundary) : last;
      if (this.#preemption?.isOn) this.#preemption.kickAt(this.#kickTime());
      const reason = vcpu.run(limit);
      this.#handle(reason);
      if (reason === ExitReason.Kicked && (this.#preemption?.isOver ?? true)) return;
      if (vcpu.retired >= sliceEnd) return;
    }
  }

  #handle(reason: ExitReason): void {
    switch (reason) {
      case ExitReason.Io:
      case ExitReason.Mmio:
      case ExitReason.MsrRead:
      case ExitReason.MsrWrite:
        this.#access();
        return;
      case ExitReason.Halt:
        this.#begin();
        this.board.halt(this.vcpu.exit);
        this.#taps.exit(this.vcpu.exit, 0, false);
        this.#halted = true;
        this.#finishExit(false);
        return;
      case ExitReason.Shutdown:
        this.#begin();
        this.#taps.exit(this.vcpu.exit, 0, false);
        this.#finish(plainEnd('shutdown', 'exit'));
        return;
      case ExitReason.Window:
        this.#windowOpened();
        return;
      case ExitReason.Kicked:
        this.#kicked();
        return;
      case ExitReason.Limit:
        this.#limitReached();
        return;
      case ExitReason.EngineError:
        this.#finish(engineErrorEnd(this.vcpu));
        return;
      case ExitReason.Debug:
      case ExitReason.Arrived:
      case ExitReason.LeftUser:
        assert(false, 'nobody asked for it');
        return;
      default:
        unreachable(reason);
    }
  }

  /** An exit began: the host's bytes come in, time goes on, and what is due is done. A replay does it in this order. */
  #begin(): void {
    this.retired = this.vcpu.retired;
    const { board } = this;
    if (!this.#input.isEmpty) this.#input.feed(board, this.#taps);
    if (this.#counting) {
      board.clock.set(this.retired + this.#idleTime.skipped);
      if (board.deadline <= board.clock.last) board.advance();
    } else {
      this.#sample = -1;
      board.clock.expire();
      this.#advanceIfDue();
    }
  }

  /** An I/O, MMIO or MSR exit, with all further ones of the same instruction. */
  #access(): void {
    const { vcpu, board } = this;
    const { exit } = vcpu;
    if (exit.reason === ExitReason.Mmio) this.#preemption?.noteAccess();
    for (;;) {
      this.#begin();
      if (exit.isWrite && exit.reason === ExitReason.Io && exit.address === HOOK_PORT && this.#hook()) break;
      let fault = false;
      for (let element = 0; element < exit.count; element++) {
        fault = board.access(exit, element);
        this.#taps.exit(exit, element, fault);
        this.exits++;
      }
      if (fault) vcpu.failMsr();
      this.#idleTime.spend(exit.count * this.#exitTime, vcpu);
      const further = vcpu.complete();
      board.settle();
      if (further === undefined) break;
      if (!isAccess(further)) {
        this.#handle(further);
        return;
      }
    }
    this.#finishExit(true);
  }

  /** Performs a hooked instruction; false: it is the guest's own OUT. */
  #hook(): boolean {
    const { vcpu, board } = this;
    const { exit } = vcpu;
    if (!isHookSize(exit.size) || exit.count !== 1 || board.hooks.table.sites.length === 0) return false;
    const held = this.#held.hold(exit);
    const further = vcpu.complete();
    assert(further === undefined, 'an OUT has one exit');
    const site = board.hooks.find(vcpu);
    this.exits++;
    if (site < 0) {
      board.access(held, 0);
      this.#taps.exit(held, 0, false);
    } else {
      board.hooks.answer(site);
      board.hooks.apply(site, vcpu);
      this.#taps.hook(site, board.hooks);
    }
    this.#idleTime.spend(this.#exitTime, vcpu);
    return true;
  }

  /** The exit is done: the vCPU stands at a boundary. */
  #finishExit(afterAccess: boolean): void {
    this.#atExit = true;
    this.retired = this.vcpu.retired;
    if (!afterAccess) this.exits++;
    if (this.board.end) this.#finish(this.board.end);
    else if (this.board.serial.matched !== undefined) this.#finish(textEnd(this.board.serial.matched, this.#limits));
    else if (this.exits >= (this.#limits.exits ?? Number.POSITIVE_INFINITY)) this.#finish(plainEnd('limit', 'exit'));
  }

  /** At the boundary behind an exit: delivers an interrupt, or has it wait. */
  #land(): void {
    if (this.board.nmi && landNmi(this.board, this.vcpu, this.#taps, this.#registers)) {
      this.#wake();
      return;
    }
    if (!this.board.intr) {
      this.#pendingSince = -1;
      if (this.#windowOn) this.#window(false);
      return;
    }
    if (this.vcpu.canInject) {
      this.#inject(Landing.Exit);
      return;
    }
    const now = this.#counting ? this.vcpu.retired + this.#idleTime.skipped : this.#peek();
    if (this.#pendingSince < 0) this.#pendingSince = now;
    if (this.#windowExact && !this.#windowOn && now - this.#pendingSince >= this.#patience) {
      this.#windowLanding = Landing.Window;
      this.#window(true);
    }
  }

  #window(on: boolean): void {
    this.#windowOn = on;
    this.vcpu.requestWindow(on);
  }

  #windowOpened(): void {
    this.#atExit = false;
    this.retired = this.vcpu.retired;
    if (this.#windowLanding === Landing.Landmark) this.#preempt();
    else if (this.board.intr && this.vcpu.canInject) this.#inject(this.#windowLanding);
    else this.#window(false);
  }

  #inject(landing: Landing, landmark?: Landmark): void {
    if (this.#windowOn) this.#window(false);
    const vector = this.board.acknowledge();
    this.vcpu.readRegisters(this.#registers);
    this.#taps.inject(vector, landing, this.#registers, landmark);
    this.vcpu.injectInterrupt(vector);
    this.#pendingSince = -1;
    this.#wake();
    this.#patience = this.#drawPatience();
  }

  /** The guest runs, if it halted. */
  #wake(): void {
    this.#halted = false;
    this.#time.setIdle(false);
    this.#idleTime.end();
  }

  /** KVM: when the guest is to be kicked, if it makes no exit until then. */
  #kickTime(): number {
    if (this.board.intr && this.#pendingSince < 0) this.#pendingSince = this.#time.now();
    return (this.#pendingSince < 0 ? this.board.deadline : this.#pendingSince) + this.#patience;
  }

  /** KVM: the guest made no exit. If input came, or an interrupt has waited for long enough, they are brought to it here. */
  #kicked(): void {
    this.#atExit = false;
    this.#preemption?.kicked();
    if (!this.#preemption?.isOn || this.#stopped) return;
    const isFilling = this.#preemption.wantsWaypoint(this.exits);
    if (isFilling || this.#time.now() >= this.#kickTime() || !this.#input.isEmpty) this.#preempt(isFilling);
  }

  /** Lands an interrupt where the vCPU stands, or soon. Time goes on in any case: a replay is told how far it may be to here. */
  #preempt(isFilling = false): void {
    const { board } = this;
    this.#input.feed(board, this.#taps);
    this.#sample = -1;
    board.clock.expire();
    board.clock.now();
    if (board.deadline <= board.clock.last) board.advance();
    const landmark = board.intr && this.vcpu.canInject ? this.#preemption?.landmark() : undefined;
    if (landmark) this.#inject(Landing.Landmark, landmark);
    else {
      if (isFilling) this.#preemption?.waypoint(this.#taps, this.#registers);
      this.#retry(board.intr && !this.vcpu.canInject);
    }
  }

  /** There will be another kick soon, or a window. */
  #retry(wantsWindow: boolean): void {
    this.#preemption?.retry();
    if (wantsWindow === this.#windowOn) return;
    this.#windowLanding = Landing.Landmark;
    this.#window(wantsWindow);
  }

  /** How far the interpreter runs before an interrupt is landed at a count. */
  #landingLimit(): number {
    if (this.#windowOn) return Number.POSITIVE_INFINITY;
    const time = this.board.intr && this.#pendingSince >= 0 ? this.#pendingSince + this.#patience : this.board.deadline;
    return time + this.#patience - this.#idleTime.skipped;
  }

  #limitReached(): void {
    this.#atExit = false;
    const { board, vcpu } = this;
    const retired = vcpu.retired;
    this.retired = retired;
    if (retired === this.#taps.nextBoundary) this.#taps.boundary();
    if (retired >= (this.#limits.instructions ?? Number.POSITIVE_INFINITY)) {
      this.#finish(plainEnd('limit', 'count'));
      return;
    }
    if (retired < this.#landingLimit()) return;
    const now = retired + this.#idleTime.skipped;
    if (board.deadline <= now) {
      board.clock.set(this.#logTime(now));
      board.advance();
    }
    if (!board.intr) return;
    if (vcpu.canInject) {
      this.#inject(Landing.Count);
      return;
    }
    this.#windowLanding = Landing.Count;
    this.#window(true);
  }

  /** The guest halted and nothing woke it: time passes. False: the slice ends. */
  #idle(): boolean {
    const { board } = this;
    this.#time.setIdle(true);
    this.vcpu.readRegisters(this.#registers);
    const isDeaf = !takesInterrupts(this.#registers) && !board.canNmi;
    if (isDeaf || (board.isMasked && !this.#inputOpen)) {
      this.#finish(plainEnd('halted', 'exit'));
      return false;
    }
    if (!this.#input.isEmpty) {
      if (this.#counting) this.#idleTime.pass(this.vcpu, board, this.#logTime);
      this.#input.feed(board, this.#taps);
      if (board.intr) return true;
    }
    if (board.deadline === Number.POSITIVE_INFINITY) {
      if (this.#inputOpen) this.idleUntil = Number.POSITIVE_INFINITY;
      else this.#finish(plainEnd('halted', 'exit'));
      return false;
    }
    if (this.#counting) {
      this.idleUntil = this.#idleTime.skip(this.vcpu, board, this.#logTime);
      return this.idleUntil === undefined;
    }
    this.#sample = -1;
    board.clock.expire();
    if (this.#advanceIfDue()) return true;
    this.idleUntil = board.deadline;
    return false;
  }

  /** KVM: if a deadline has passed, takes a sample of time and lets the devices see it. */
  #advanceIfDue(): boolean {
    const { board } = this;
    if (board.deadline === Number.POSITIVE_INFINITY || this.#peek() < board.deadline) return false;
    board.clock.now();
    board.advance();
    return true;
  }

  readonly #logTime = (now: number): number => {
    if (now > this.board.clock.last) this.#taps.time(now);
    return now;
  };

  /** KVM: the one sample of the host's time of this exit. */
  #peek(): number {
    if (this.#sample < 0) this.#sample = this.#time.now();
    return this.#sample;
  }
}
