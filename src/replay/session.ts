/**
 * Replaying: the guest of a trace runs again, each record is checked as it passes, and the first difference stops it.
 *
 * The records are taken one after the other. Incidental ones (time, input, interrupts) are done; an architectural one is
 * what the guest must do next.
 */
import { assert } from '../base/assert.js';
import { type FoundCheckpoint, TraceReader } from '../trace/reader.js';
import { describeRecord, RecordKind, recordNames, type TraceRecord } from '../trace/record.js';
import { ExitReason, REGISTERS_SIZE, type Vcpu } from '../vmm/cpu/vcpu.js';
import { DirtyLog } from '../vmm/dirty-log.js';
import { exitTimeOfTrace, timeScaleOfTrace } from '../vmm/guest-time.js';
import { HookPerformer } from '../vmm/hooks/perform.js';
import { HOOK_PORT, isHookSize } from '../vmm/hooks/table.js';
import type { Board } from '../vmm/machine-board.js';
import { ConsoleSink } from '../vmm/machine-console.js';
import { engineErrorEnd } from '../vmm/machine-ends.js';
import { disconnect, engineOfTrace, openVcpu } from '../vmm/machine-engine.js';
import type { LoadedGuest } from '../vmm/machine-options.js';
import { onlyInterpreted, restoreMachine, type SavedState, saveMachine } from './checkpoint.js';
import {
  checkHook,
  checkInject,
  checkPlain,
  compareAccess,
  deliver,
  digestAccess,
  type ExitAccess,
} from './compare.js';
import { DigestChecker, hasState } from './digests.js';
import { Ending, endOf, unknownEnd } from './end.js';
import { checkFeatures, featuresHint } from './features.js';
import { RecordFeed } from './feed.js';
import { boardOf, enterGuest, guestOf } from './guest.js';
import { LandingWalker } from './landing.js';
import type { LandmarkWalker } from './landmark.js';
import { noSources } from './no-sources.js';
import type { ReplayOptions, ReplayResult } from './options.js';
import { DivergenceFound, divergenceOf } from './report.js';
import { HoleWatch } from './unhooked.js';
import { WriteEffects } from './write-effects.js';

const SLICE_MICROSECONDS = 20_000;
const SLICE_INSTRUCTIONS = 2_000_000;
const SLICE_TURNS = 20_000;
/** How far behind the place of a record the interpreter runs before the exit is said not to come. */
const OVERRUN = 1_000_000;

/** Replays one trace. */
export class ReplaySession {
  readonly reader: TraceReader;
  readonly guest: LoadedGuest;
  readonly vcpu: Vcpu;
  /** Machine mode. */
  readonly board: Board | undefined;
  /** CPU mode. */
  readonly effects: WriteEffects | undefined;
  /** Open holes of the recording that the replay came to. */
  readonly holes: HoleWatch;
  readonly serial: ConsoleSink;
  readonly debugConsole: ConsoleSink;
  readonly #options: ReplayOptions;
  readonly #feed: RecordFeed;
  readonly #walker: LandingWalker;
  readonly #hooks: HookPerformer;
  /** Both the trace and the engine count instructions. */
  readonly #comparesCounts: boolean;
  readonly #registers = new Uint8Array(REGISTERS_SIZE);
  readonly digests: DigestChecker;
  #skipped = 0;
  readonly #ending = new Ending();
  readonly #exitTime: number;
  #stopped = false;
  /** The element under comparison; reused. */
  readonly #compared: ExitAccess;
  /** Instead, a halt or a shutdown. */
  #plainName: string | undefined;
  /** The trace ended within an instruction. */
  #endsWithin = false;
  #result: ReplayResult | undefined;

  private constructor(
    options: ReplayOptions,
    reader: TraceReader,
    guest: LoadedGuest,
    vcpu: Vcpu,
    /** What may be behind a divergence: see Divergence.hint. */
    readonly hint: string | undefined,
    from: FoundCheckpoint | undefined,
  ) {
    this.#options = options;
    this.reader = reader;
    this.guest = guest;
    this.vcpu = vcpu;
    const { header } = reader;
    if ((options.mode ?? 'machine') === 'machine') this.board = boardOf(options, reader, guest, vcpu);
    this.holes = new HoleWatch(header, vcpu);
    this.serial = this.board?.serial ?? new ConsoleSink(options.serial);
    this.debugConsole = this.board?.debugConsole ?? new ConsoleSink(options.debugConsole);
    if (!this.board) this.effects = new WriteEffects(vcpu, header, guest.memory, this.serial, this.debugConsole);
    this.#hooks = this.board?.hooks ?? new HookPerformer(guest.hooks, noSources);
    this.start = from?.checkpoint.record ?? 0;
    this.#feed = new RecordFeed(reader.cursor(this.start), options.until);
    this.#compared = { exit: vcpu.exit, offset: 0, fault: false, answered: false };
    this.#exitTime = header.counting ? exitTimeOfTrace(header.host) : 0;
    this.#comparesCounts = (header.counting || reader.isSealed) && vcpu.engine === 'interp';
    this.digests = new DigestChecker(vcpu, guest.memory, new DirtyLog(vcpu), this.#comparesCounts);
    this.#walker = new LandingWalker(vcpu, guest.memory, this.#comparesCounts, options.windowExact);
    this.#walker.landmarks.timeScale = timeScaleOfTrace(header.host);
    this.landmarks = this.#walker.landmarks;
    if (from) this.#resume(from);
    if (options.untilSerial !== undefined) this.serial.watch([options.untilSerial]);
    vcpu.stopAt = options.untilCount ?? Number.POSITIVE_INFINITY;
  }

  /** Opens the trace and an engine with its guest. Close the session when it is done with. */
  static async open(options: ReplayOptions): Promise<ReplaySession> {
    const reader = new TraceReader(options.path, { files: options.files });
    try {
      // A part of a trace has a checkpoint before its first record: that is its start.
      const from = reader.checkpointBefore(options.from ?? 0);
      if (from && options.engine === 'kvm') throw onlyInterpreted(options.path);
      const engine = options.engine ?? 'interp';
      if (!options.ignoresFeatures) await checkFeatures(options.path, reader.header, engine, options.effectiveCpuid);
      const guest = guestOf(reader, from);
      const vcpu = await openVcpu(engine, guest.memory, engineOfTrace(reader.header.host, options.kvmLacks));
      try {
        enterGuest(vcpu, guest, reader);
        const hint = engine === 'kvm' ? await featuresHint(reader.header) : undefined;
        return new ReplaySession(options, reader, guest, vcpu, hint, from);
      } catch (error) {
        vcpu.close();
        throw error;
      }
    } catch (error) {
      reader.close();
      throw error;
    }
  }

  /** Replays to the end, to the record of `until`, or to the first difference. `onSlice` is called now and then. */
  async run(onSlice?: () => void): Promise<ReplayResult> {
    for (;;) {
      const result = this.runSlice();
      onSlice?.();
      if (result) return result;
      await this.#options.host.sleep(0);
    }
  }

  /** Replays for some milliseconds at most; the result, if there is one. */
  runSlice(): ReplayResult | undefined {
    if (this.#result) return this.#result;
    if (this.#stopped) this.#result = { kind: 'interrupted', records: this.#feed.consumed };
    this.vcpu.armTimer?.(SLICE_MICROSECONDS);
    this.vcpu.limitWork?.(SLICE_INSTRUCTIONS);
    try {
      for (let turn = 0; turn < SLICE_TURNS && !this.#result; turn++) {
        if (!this.#step()) break;
        this.holes.look(this.#feed.consumed);
      }
    } catch (error) {
      if (!(error instanceof DivergenceFound)) throw error;
      this.holes.look(this.#feed.consumed);
      this.#result = { kind: 'divergence', divergence: divergenceOf(error, this, this.#feed) };
    } finally {
      this.vcpu.armTimer?.(0);
    }
    return this.#result;
  }

  /** Ends the replay soon. */
  stop(): void {
    this.#stopped = true;
  }

  /** How landmarks were found so far. */
  readonly landmarks: LandmarkWalker;

  /** The ordinal of the record before which the replay started: that of its checkpoint. */
  readonly start: number;

  /** The ordinal of the next record. */
  get records(): number {
    return this.#feed.consumed;
  }

  /** Idempotent. */
  close(): void {
    disconnect(this.guest.memory);
    this.vcpu.close();
    this.reader.close();
  }

  get #instructions(): number | undefined {
    return Number.isNaN(this.vcpu.retired) ? undefined : this.vcpu.retired;
  }

  #resume(from: FoundCheckpoint): void {
    const own = restoreMachine(this, from);
    this.#skipped = own.skipped;
    this.digests.run.resume(own.digest);
    this.landmarks.resume(own.timeBefore, own.time);
  }

  /** The vCPU stands at an instruction boundary between two records: the state can be saved. */
  get isAtBoundary(): boolean {
    return !this.#endsWithin && !this.#walker.isUnderWay;
  }

  /** Saves the state, at a boundary. `digest`: the rolling digest to go on with, if another. */
  save(digest = this.digests.run.bytes()): SavedState {
    const [timeBefore, time] = this.landmarks.times;
    return saveMachine(this, this.#feed.consumed, { skipped: this.#skipped, timeBefore, time, digest });
  }

  /** The next record, which has a place of its own, is done: the guest did it when so many instructions were retired. */
  #did(record: TraceRecord, retired = this.vcpu.retired): void {
    this.#walker.notePlace(record.retired);
    this.#consume(retired);
  }

  #consume(retired = this.vcpu.retired): void {
    this.#options.counts?.add(retired);
    this.#feed.consume();
  }

  /** Does the next thing. False: the slice is over. */
  #step(): boolean {
    const { checkpoints, untilCount = Number.POSITIVE_INFINITY } = this.#options;
    if (this.vcpu.retired >= untilCount || this.serial.matched !== undefined) return this.#stop();
    const isDue = checkpoints !== undefined && this.#feed.consumed >= checkpoints.next && this.isAtBoundary;
    if (isDue) checkpoints.take(this.save(), this.guest.memory);
    const record = this.#feed.peek();
    if (!record) return this.#noMoreRecords();
    if (hasState(record) && !this.digests.reach(record, SLICE_INSTRUCTIONS)) return false;
    if (this.#incidental(record)) return true;
    if (record.kind === RecordKind.Inject) {
      if (!this.#walker.reach(record)) return false;
      this.#inject(record);
      return true;
    }
    const reason = this.vcpu.run(this.#limit(record.retired));
    if (reason === ExitReason.Kicked) return false;
    if (reason === ExitReason.Limit) {
      if (this.#comparesCounts && this.vcpu.retired > record.retired) {
        const expected = `${describeRecord(record)} at instruction ${record.retired}`;
        throw new DivergenceFound('the exit does not come', expected, `none by instruction ${this.vcpu.retired}`);
      }
      return false;
    }
    this.#exit(reason);
    return true;
  }

  #limit(target: number): number {
    if (Number.isNaN(this.vcpu.retired)) return Number.POSITIVE_INFINITY;
    const slice = this.vcpu.retired + SLICE_INSTRUCTIONS;
    return this.#comparesCounts ? Math.min(slice, Math.max(target, this.vcpu.retired) + OVERRUN) : slice;
  }

  /** Time, input and DMA: done at once. False: the record is another. */
  #incidental(record: TraceRecord): boolean {
    const { board } = this;
    switch (record.kind) {
      case RecordKind.Time:
        if (this.reader.header.counting) this.#skipTo(record.time - record.retired);
        this.#setTime(record.time);
        this.#walker.landmarks.noteTime(record.time);
        break;
      case RecordKind.Input:
        if (board && !board.receive(record.bytes)) {
          throw new DivergenceFound(
            'the serial port has no room for a byte',
            describeRecord(record),
            'its queue is full',
          );
        }
        break;
      case RecordKind.Dma:
        if (board) throw new DivergenceFound('no device writes to memory', describeRecord(record), 'nothing');
        this.guest.memory.write(record.address, record.bytes);
        break;
      case RecordKind.Assist:
        break;
      case RecordKind.Digest:
        this.digests.checkRun(record);
        break;
      default:
        return false;
    }
    this.#consume();
    return true;
  }

  /** Idle time was skipped in the recording: the interpreter's own TSC follows. */
  #skipTo(skipped: number): void {
    if (skipped > this.#skipped) this.vcpu.skipTicks?.(skipped - this.#skipped);
    this.#skipped = Math.max(this.#skipped, skipped);
  }

  /** So many exits took their time. */
  #spend(exits: number): void {
    if (this.#exitTime > 0) this.#skipTo(this.#skipped + exits * this.#exitTime);
  }

  #setTime(time: number): void {
    const { board } = this;
    if (!board) return;
    if (time < board.clock.last) {
      throw new DivergenceFound('time goes back', `${time} ns`, `${board.clock.last} ns have passed`);
    }
    board.clock.set(time);
    if (board.deadline <= time) board.advance();
  }

  #exit(reason: ExitReason): void {
    let next: ExitReason | undefined = reason;
    let isFurther = false;
    while (next !== undefined) {
      switch (next) {
        case ExitReason.Io:
        case ExitReason.Mmio:
        case ExitReason.MsrRead:
        case ExitReason.MsrWrite:
          next = this.#access(isFurther);
          isFurther = true;
          break;
        case ExitReason.Halt:
        case ExitReason.Shutdown:
          this.#plain(next === ExitReason.Halt ? RecordKind.Halt : RecordKind.Shutdown);
          return;
        case ExitReason.EngineError: {
          const record = this.#feed.peek();
          const expected = record ? describeRecord(record) : 'nothing';
          throw new DivergenceFound('the engine cannot go on', expected, engineErrorEnd(this.vcpu).message);
        }
        default:
          assert(false, `the exit ${next} was asked for`);
      }
    }
  }

  /** The record of what the guest just did; what is incidental comes first. Undefined: the trace ends here. */
  #expected(isFurther: boolean): TraceRecord | undefined {
    for (;;) {
      const record = this.#feed.peek();
      if (!record) {
        // A recording, or what is to be replayed of it, may end within an instruction that makes several exits.
        this.#endsWithin = isFurther || this.#feed.isBeyond;
        if (this.#feed.isBeyond || this.#feed.damage || (isFurther && this.#feed.end)) return undefined;
        throw new DivergenceFound(
          'the guest makes an exit behind the last record',
          'the end of the trace',
          this.#actual(),
        );
      }
      if (record.kind === RecordKind.Inject || hasState(record)) {
        const what = record.kind === RecordKind.Inject ? 'an interrupt' : 'a digest of the state';
        throw new DivergenceFound(`the guest makes an exit where ${what} was`, describeRecord(record), this.#actual());
      }
      if (this.#incidental(record)) continue;
      if (this.#comparesCounts && record.retired !== this.vcpu.retired) {
        throw new DivergenceFound(
          'the exit comes at another instruction',
          `${describeRecord(record)} at instruction ${record.retired}`,
          `${this.#actual()} at instruction ${this.vcpu.retired}`,
        );
      }
      if (this.reader.header.counting) this.#setTime(record.retired + this.#skipped);
      return record;
    }
  }

  #plain(kind: RecordKind): void {
    this.#plainName = recordNames[kind];
    const record = this.#expected(false);
    if (record) {
      checkPlain(record, kind, this.#actual());
      this.digests.run.plain(kind);
      if (kind === RecordKind.Halt) this.board?.halt(this.vcpu.exit);
      this.#did(record);
    }
    this.#plainName = undefined;
  }

  /** Element `element` of the exit comes under comparison. */
  #begin(element: number): ExitAccess {
    const access = this.#compared;
    const { exit } = this.vcpu;
    access.exit = exit;
    access.offset = exit.dataOffset + element * exit.size;
    access.fault = false;
    access.answered = false;
    return access;
  }

  /** What the guest just did, in words. */
  #actual(): string {
    return this.#plainName ?? compareAccess.describe(this.#compared);
  }

  /** An I/O, MMIO or MSR exit; what the same instruction does further. */
  #access(isFurther: boolean): ExitReason | undefined {
    const { vcpu, board } = this;
    const { exit } = vcpu;
    if (exit.isWrite && exit.reason === ExitReason.Io && exit.address === HOOK_PORT && this.#hook()) return undefined;
    let fault = false;
    for (let element = 0; element < exit.count; element++) {
      const access = this.#begin(element);
      const record = this.#expected(isFurther || element > 0);
      if (!record) return undefined;
      compareAccess.question(record, access);
      if (board) {
        access.fault = board.access(exit, element);
        access.answered = true;
        compareAccess.answer(record, access);
      } else {
        compareAccess.give(record, access);
        if (exit.isWrite) this.effects?.written(exit, access.offset);
      }
      fault = record.fault;
      digestAccess(this.digests.run, access);
      this.#did(record);
    }
    if (fault) vcpu.failMsr();
    this.#spend(exit.count);
    const further = vcpu.complete();
    (board ?? this.effects)?.settle();
    return further;
  }

  /** A hooked instruction; false: it is the guest's own OUT. */
  #hook(): boolean {
    const { vcpu, board } = this;
    const { exit } = vcpu;
    const hooks = this.#hooks;
    if (!isHookSize(exit.size) || exit.count !== 1 || hooks.table.sites.length === 0) return false;
    const access = this.#begin(0);
    // The time of a hook is that of its exit, before it is finished; so is its count.
    const record = this.#expected(false);
    if (!record) return true;
    const { retired } = vcpu;
    compareAccess.hold(access);
    vcpu.complete();
    const site = hooks.find(vcpu);
    if (site < 0) {
      compareAccess.question(record, access);
      board?.access(access.exit, 0);
      digestAccess(this.digests.run, access);
    } else {
      if (board) hooks.answer(site);
      else if (record.kind === RecordKind.Hook) {
        hooks.low = record.low;
        hooks.high = record.high;
        hooks.aux = record.aux;
        hooks.ebx = record.ebx;
      }
      checkHook(record, site, hooks);
      hooks.apply(site, vcpu);
      this.digests.run.hook(site, record.hookKind, hooks.low, hooks.high, hooks.aux, hooks.ebx);
    }
    this.#did(record, retired);
    this.#spend(1);
    return true;
  }

  #inject(record: TraceRecord): void {
    checkInject(record, this.vcpu, this.#registers, this.#comparesCounts);
    deliver(record, this.vcpu, this.board);
    this.#did(record);
  }

  /** The place is reached at which the replay is to stop. */
  #stop(): false {
    this.#result = { kind: 'stopped', records: this.#feed.consumed, instructions: this.#instructions };
    return false;
  }

  /** The records are used up: the end is compared. False: the slice is over. */
  #noMoreRecords(): boolean {
    if (this.#feed.isBeyond) return this.#stop();
    const { end, damage, consumed: records } = this.#feed;
    const { notes } = this.holes;
    if (end) {
      if (end.position === 'count' && this.#comparesCounts && this.vcpu.retired < end.retired) {
        const reason = this.vcpu.run(Math.min(end.retired, this.vcpu.retired + SLICE_INSTRUCTIONS));
        if (reason !== ExitReason.Limit && reason !== ExitReason.Kicked) this.#exit(reason);
        return reason === ExitReason.Limit;
      }
      if (!this.#ending.compare(this, end, !this.#endsWithin, notes)) return false;
    }
    const [digests, instructions] = [this.digests.result, this.#instructions];
    this.#result = { kind: 'complete', records, end: endOf(end ?? unknownEnd), instructions, digests, notes, damage };
    return false;
  }
}
