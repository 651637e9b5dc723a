/** Recording: a machine whose taps write a trace. */

import { packageVersion } from '../base/version.js';
import type { TraceHeader } from '../trace/header.js';
import { RecordKind } from '../trace/record.js';
import type { RecordFrameWriter } from '../trace/record-frame.js';
import { type TraceImage, TraceWriter } from '../trace/writer.js';
import { cpuStateTable } from '../vmm/cpu/state.js';
import { ExitReason, type ExitRecord, REGISTERS_SIZE } from '../vmm/cpu/vcpu.js';
import type { HookPerformer } from '../vmm/hooks/perform.js';
import { Machine } from '../vmm/machine.js';
import { cpuModel } from '../vmm/machine-cpuid.js';
import { DEFAULT_RTC_TIME, type LoadedGuest, type MachineEnd, type MachineOptions } from '../vmm/machine-options.js';
import type { Landing, MachineTaps } from '../vmm/machine-taps.js';
import { isWithinString } from '../vmm/machine-walk.js';
import { memoryDigest } from '../vmm/memory-digest.js';
import { encodeState } from '../vmm/state/codec.js';
import type { RecordOptions, RecordSummary } from './options.js';

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
    const machine = await Machine.open({ ...options.machine, taps });
    try {
      const writer = new TraceWriter(options.path, headerOf(options), imageOf(options.machine.guest));
      taps.attach(machine, writer);
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
    const inexact = this.#options.inexact?.() ?? [];
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
      assists: machine.assists,
    });
    this.#summary = {
      end,
      records: this.#writer.records.total,
      bytes: this.#writer.bytes,
      instructions: Number.isNaN(vcpu.retired) ? undefined : vcpu.retired,
      inexact,
      assists: machine.assists,
    };
    return this.#summary;
  }
}

/** Writes what it hears. Nothing is allocated but when a frame is full. */
class RecordTaps implements MachineTaps {
  #machine!: Machine;
  #writer!: TraceWriter;
  #records!: RecordFrameWriter;

  attach(machine: Machine, writer: TraceWriter): void {
    this.#machine = machine;
    this.#writer = writer;
    this.#records = writer.records;
  }

  time(now: number): void {
    this.#records.time(this.#machine.retired, now);
    this.#written();
  }

  exit(exit: ExitRecord, element: number, fault: boolean): void {
    const { reason, address, size, isWrite, bytes } = exit;
    const records = this.#records;
    const retired = this.#machine.retired;
    const offset = exit.dataOffset + element * size;
    switch (reason) {
      case ExitReason.Io:
        records.access(isWrite ? RecordKind.IoWrite : RecordKind.IoRead, retired, address, size, bytes, offset);
        break;
      case ExitReason.Mmio:
        records.access(isWrite ? RecordKind.MmioWrite : RecordKind.MmioRead, retired, address, size, bytes, offset);
        break;
      case ExitReason.MsrRead:
        records.msr(RecordKind.MsrRead, retired, address, fault, bytes, offset);
        break;
      case ExitReason.MsrWrite:
        records.msr(RecordKind.MsrWrite, retired, address, fault, bytes, offset);
        break;
      default:
        records.plain(reason === ExitReason.Halt ? RecordKind.Halt : RecordKind.Shutdown, retired);
    }
    this.#written();
  }

  hook(site: number, performer: HookPerformer): void {
    const { low, high, aux, ebx } = performer;
    this.#records.hook(this.#machine.retired, site, performer.table.site(site).kind, low, high, aux, ebx);
    this.#written();
  }

  inject(vector: number, landing: Landing, registers: Uint8Array): void {
    this.#records.inject(this.#machine.retired, vector, landing, registers);
    this.#written();
  }

  input(byte: number): void {
    this.#records.input(this.#machine.retired, byte);
    this.#written();
  }

  dma(address: number, bytes: Uint8Array): void {
    this.#records.dma(this.#machine.retired, address, bytes);
    this.#written();
  }

  #written(): void {
    if (this.#records.full) this.#writer.flush();
  }
}

function headerOf(options: RecordOptions): TraceHeader {
  const { machine } = options;
  const { guest, hiddenFeatures } = machine;
  return {
    id: options.id,
    date: options.date,
    vmtape: packageVersion(),
    engine: machine.engine,
    counting: machine.engine === 'interp',
    cpuModel: cpuModel(machine.cpuid),
    cpuid: machine.cpuid,
    memorySize: guest.memory.ramSize,
    romSize: romOf(guest)?.length ?? 0,
    cpuState: encodeState(cpuStateTable, guest.cpu),
    hooks: guest.hooks.sites,
    rtcTime: machine.rtcTime ?? DEFAULT_RTC_TIME,
    seed: machine.seed ?? 1,
    strictBus: machine.strictBus ?? false,
    tsc: options.tsc,
    options: options.options,
    host: hiddenFeatures === undefined ? options.host : { ...options.host, hidden: hiddenFeatures },
    ledger: options.ledger,
  };
}

/** The ROM's bytes: the region that ends at 4 GiB. */
function romOf(guest: Pick<MachineOptions['guest'], 'memory'>): Uint8Array | undefined {
  const region = guest.memory.regions.find(({ gpa, length }) => gpa + length === 2 ** 32);
  return region && guest.memory.bytes(region.gpa, region.length);
}

function imageOf(guest: LoadedGuest): TraceImage {
  const ram = guest.memory.regions
    .filter(({ readonly }) => !readonly)
    .map(({ gpa, length }) => ({ gpa, bytes: guest.memory.bytes(gpa, length) }));
  return { ram, rom: romOf(guest) };
}
