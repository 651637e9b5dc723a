/** Recording: a machine whose taps write a trace. */
import { LANDMARK_PAGES_SMALL } from '../trace/format.js';
import { RecordKind } from '../trace/record.js';
import type { RecordFrameWriter } from '../trace/record-writer.js';
import { MARK_DISTANCE, RunDigest } from '../trace/run-digest.js';
import { TraceWriter } from '../trace/writer.js';
import { ExitReason, type ExitRecord, REGISTERS_SIZE } from '../vmm/cpu/vcpu.js';
import type { HookPerformer } from '../vmm/hooks/perform.js';
import type { Landmark } from '../vmm/landmark.js';
import { Machine } from '../vmm/machine.js';
import type { MachineEnd } from '../vmm/machine-options.js';
import type { Landing, MachineTaps } from '../vmm/machine-taps.js';
import { isWithinString } from '../vmm/machine-walk.js';
import { memoryDigest } from '../vmm/memory-digest.js';
import { DigestForm, StateDigest } from '../vmm/state-digest.js';
import type { RecordOptions, RecordSummary } from './options.js';
import { RecordPace } from './pace.js';
import { headerOf, imageOf } from './trace-start.js';

/** Instructions from one digest of the whole state to the next, on the interpreter. */
const DIGEST_DISTANCE = 10_000_000;
/** A digest of the run alone. */
const NO_STATE = new Uint8Array(0);

/** Records one run of a machine into a file. */
export class RecordSession {
  readonly machine: Machine;
  readonly #writer: TraceWriter;
  readonly #options: RecordOptions;
  #summary: RecordSummary | undefined;

  private constructor(machine: Machine, writer: TraceWriter, options: RecordOptions) {
    this.machine = machine;
    this.#writer = writer;
    this.#options = options;
  }

  /** Opens the machine, then makes the file: what is wrong with the options leaves no file behind. */
  static async open(options: RecordOptions): Promise<RecordSession> {
    const taps = new RecordTaps();
    const { host } = options.machine;
    const sleep = async (milliseconds: number): Promise<void> => {
      await host.sleep(milliseconds);
      await taps.betweenSlices();
    };
    const machine = await Machine.open({ ...options.machine, taps, host: { now: () => host.now(), sleep } });
    try {
      const writer = await TraceWriter.create(options.path, headerOf(options), imageOf(options));
      taps.attach(machine, writer, new RecordPace(machine, writer, host));
      return new RecordSession(machine, writer, options);
    } catch (error) {
      machine.close();
      throw error;
    }
  }

  /** Runs the machine to its end and closes the trace. If the machine throws, the trace stays readable to that point. */
  async run(): Promise<RecordSummary> {
    try {
      const end = await this.machine.run();
      await this.#writer.drained();
      return this.#finish(end);
    } catch (error) {
      if (this.machine.end) this.#finish(this.machine.end);
      else this.#abandon();
      throw error;
    }
  }

  /** Ends the recording soon and cleanly: Ctrl-C. */
  stop(): void {
    this.machine.stop();
  }

  /** Closes machine and file. Idempotent. */
  close(): void {
    this.#writer.close();
    this.machine.close();
  }

  #abandon(): void {
    try {
      this.#writer.flush();
    } catch {
      // The error that ended the run is the one to tell; a full disk is one.
    }
    this.#writer.close();
  }

  #finish(end: MachineEnd): RecordSummary {
    if (this.#summary) return this.#summary;
    const { machine } = this;
    const { board, vcpu } = machine;
    const { memory } = machine;
    const isExact = end.position !== 'anywhere' && (end.position === 'count' || !isWithinString(vcpu, memory));
    const registers = new Uint8Array(isExact ? REGISTERS_SIZE : 0);
    if (isExact) vcpu.readRegisters(registers);
    const inexact = this.#options.inexact?.(vcpu) ?? [];
    this.#writer.finish({
      ...end,
      position: isExact ? end.position : 'anywhere',
      retired: Number.isNaN(vcpu.retired) ? -1 : vcpu.retired,
      consoleBytes: board.serial.count,
      consoleDigest: board.serial.digest(),
      debugBytes: board.debugConsole.count,
      debugDigest: board.debugConsole.digest(),
      registers,
      memoryDigest: isExact ? memoryDigest(this.#options.machine.guest) : '',
      inexact,
      assists: vcpu.assists ?? 0,
    });
    this.#summary = {
      end,
      records: this.#writer.records.total,
      bytes: this.#writer.bytes,
      instructions: Number.isNaN(vcpu.retired) ? undefined : vcpu.retired,
      inexact,
      assists: vcpu.assists ?? 0,
    };
    return this.#summary;
  }
}

/** Writes what it hears. Nothing is allocated but when a frame is full. */
class RecordTaps implements MachineTaps {
  #machine!: Machine;
  #writer!: TraceWriter;
  #records!: RecordFrameWriter;
  #pace!: RecordPace;
  #state!: StateDigest;
  readonly #digest = new RunDigest();
  nextBoundary = Number.POSITIVE_INFINITY;

  attach(machine: Machine, writer: TraceWriter, pace: RecordPace): void {
    this.#machine = machine;
    this.#writer = writer;
    this.#records = writer.records;
    this.#pace = pace;
    const { counting } = writer.records;
    const form = counting ? DigestForm.Exact : DigestForm.Portable;
    this.#state = new StateDigest(machine.vcpu, machine.memory, machine.written.reader(), form);
    if (counting) this.nextBoundary = machine.vcpu.retired + DIGEST_DISTANCE;
  }

  betweenSlices(): Promise<void> {
    if (this.#pace.isDigestDue) this.nextBoundary = 0;
    return this.#pace.betweenSlices();
  }

  boundary(): void {
    const retired = this.#begin();
    this.#records.digest(retired, this.#digest.bytes(), this.#state.take());
    this.nextBoundary = this.#records.counting ? retired + DIGEST_DISTANCE : Number.POSITIVE_INFINITY;
    this.#pace.digested();
    this.#written();
  }

  /** The instructions retired at the record that is about to be written. */
  #begin(): number {
    const { retired } = this.#machine;
    this.#pace.before(retired);
    return retired;
  }

  time(now: number): void {
    this.#records.time(this.#begin(), now);
    this.#written();
  }

  exit(exit: ExitRecord, element: number, fault: boolean): void {
    const { reason, address, size, isWrite, bytes } = exit;
    const records = this.#records;
    const retired = this.#begin();
    const offset = exit.dataOffset + element * size;
    let kind: RecordKind;
    switch (reason) {
      case ExitReason.Io:
      case ExitReason.Mmio:
        if (reason === ExitReason.Io) kind = isWrite ? RecordKind.IoWrite : RecordKind.IoRead;
        else kind = isWrite ? RecordKind.MmioWrite : RecordKind.MmioRead;
        records.access(kind, retired, address, size, bytes, offset);
        this.#digest.access(kind, address, size, bytes, offset);
        break;
      case ExitReason.MsrRead:
      case ExitReason.MsrWrite:
        kind = reason === ExitReason.MsrRead ? RecordKind.MsrRead : RecordKind.MsrWrite;
        records.msr(kind, retired, address, fault, bytes, offset);
        this.#digest.msr(kind, address, fault, bytes, offset);
        break;
      default:
        kind = reason === ExitReason.Halt ? RecordKind.Halt : RecordKind.Shutdown;
        records.plain(kind, retired);
        this.#digest.plain(kind);
    }
    this.#digested(retired);
    this.#written();
  }

  /** An architectural record was written. */
  #digested(retired: number): void {
    const records = this.#records;
    if (records.architectural % MARK_DISTANCE === 0) records.digest(retired, this.#digest.bytes(), NO_STATE);
  }

  hook(site: number, performer: HookPerformer): void {
    const { low, high, aux, ebx } = performer;
    const { kind } = performer.table.site(site);
    const retired = this.#begin();
    this.#records.hook(retired, site, kind, low, high, aux, ebx);
    this.#digest.hook(site, kind, low, high, aux, ebx);
    this.#digested(retired);
    this.#written();
  }

  inject(vector: number, landing: Landing, registers: Uint8Array, landmark: Landmark | undefined): void {
    if ((landmark?.pages.length ?? 0) > LANDMARK_PAGES_SMALL) this.#writer.flush();
    this.#records.inject(this.#begin(), vector, landing, registers, landmark);
    this.#written();
  }

  input(byte: number): void {
    this.#records.input(this.#begin(), byte);
    this.#written();
  }

  assist(instruction: Uint8Array, bits: 16 | 32 | 64): void {
    this.#records.assist(this.#begin(), instruction, bits);
    this.#written();
  }

  dma(address: number, bytes: Uint8Array): void {
    this.#writer.dma(this.#begin(), address, bytes);
    this.#written();
  }

  #written(): void {
    if (this.#records.full) this.#writer.flush();
  }
}
