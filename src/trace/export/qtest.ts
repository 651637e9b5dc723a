/**
 * The accesses of a trace as a script for QEMU's qtest (qemu.org, "QTest Device Emulation Testing Framework"; the protocol is
 * described at the head of softmmu/qtest.c): a command a line, which QEMU answers with a line. The answers that the
 * recorded machine would give are an export of their own, so that line n of both belongs to command n.
 *
 * Ports, MMIO and DMA are commands. The protocol has none for what the rest of the records say: MSRs, injected interrupts, host input.
 */
import { hex, hexBytes } from '../../base/hex.js';
import { hexNumber, RecordKind, recordNames, type TraceRecord } from '../record.js';
import type { Exporter } from './exporter.js';
import { GuestTime } from './guest-time.js';

/** What is written: the commands, or what the recorded machine answers to each. */
export type QtestSide = 'commands' | 'answers';

/** What was written, and what was not. */
export interface QtestSummary {
  readonly commands: number;
  /** Records by kind that are no command. */
  readonly leftOut: Readonly<Record<string, number>>;
}

/** The suffixes of commands by the bytes of an access. */
const PORT_SIZES: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'l' };
const MEMORY_SIZES: Readonly<Record<number, string>> = { ...PORT_SIZES, 8: 'q' };
/** QEMU prints what a port reads with at least this many digits, and what memory reads with these. */
const PORT_DIGITS = 4;
const MEMORY_DIGITS = 16;

/** See the head of the file. */
export class QtestExporter implements Exporter {
  readonly encoding = 'latin1';
  readonly #side: QtestSide;
  readonly #isTimed: boolean;
  readonly #time: GuestTime;
  readonly #leftOut: Record<string, number> = {};
  /** Guest nanoseconds where the clock of QEMU is 0, and where it is now. */
  readonly #start: number;
  #clock: number;
  #commands = 0;

  /** `isTimed`: `clock_step` before an access where time has passed, which QEMU knows with its accelerator `qtest` only; `time`: where it begins, and how it goes. */
  constructor(side: QtestSide, isTimed = false, time = new GuestTime()) {
    this.#time = time;
    this.#start = time.now;
    this.#clock = time.now;
    this.#side = side;
    this.#isTimed = isTimed;
  }

  /** So far. */
  get summary(): QtestSummary {
    return { commands: this.#commands, leftOut: this.#leftOut };
  }

  begin(): string {
    return '';
  }

  record(record: TraceRecord): string {
    this.#time.see(record);
    const exchange = exchangeOf(record);
    if (exchange === undefined) {
      const name = recordNames[record.kind] as string;
      this.#leftOut[name] = (this.#leftOut[name] ?? 0) + 1;
      return '';
    }
    return this.#step() + this.#line(exchange[0], exchange[1]);
  }

  finish(): string {
    return '';
  }

  #step(): string {
    const { now } = this.#time;
    if (!this.#isTimed || now <= this.#clock) return '';
    const passed = now - this.#clock;
    this.#clock = now;
    return this.#line(`clock_step ${passed}`, `OK ${now - this.#start}`);
  }

  #line(command: string, answer: string): string {
    this.#commands++;
    return `${this.#side === 'commands' ? command : answer}\n`;
  }
}

/** The command of a record, and its answer; undefined: it has none. */
function exchangeOf(record: TraceRecord): readonly [command: string, answer: string] | undefined {
  const { address, size, bytes } = record;
  const data = record.data.subarray(0, size);
  const at = hex(address);
  switch (record.kind) {
    case RecordKind.IoRead:
      return [`in${PORT_SIZES[size]} ${at}`, `OK ${widened(data, PORT_DIGITS)}`];
    case RecordKind.IoWrite:
      return [`out${PORT_SIZES[size]} ${at} ${hexNumber(data, 0, size)}`, 'OK'];
    case RecordKind.MmioRead: {
      const suffix = MEMORY_SIZES[size];
      if (suffix === undefined) return [`read ${at} ${hex(size)}`, `OK 0x${hexBytes(data)}`];
      return [`read${suffix} ${at}`, `OK ${widened(data, MEMORY_DIGITS)}`];
    }
    case RecordKind.MmioWrite: {
      const suffix = MEMORY_SIZES[size];
      if (suffix === undefined) return [memoryWrite(address, data), 'OK'];
      return [`write${suffix} ${at} ${hexNumber(data, 0, size)}`, 'OK'];
    }
    case RecordKind.Dma:
      return bytes.length === 0 ? undefined : [memoryWrite(address, bytes), 'OK'];
    default:
      return undefined;
  }
}

function memoryWrite(address: number, bytes: Uint8Array): string {
  return `write ${hex(address)} ${hex(bytes.length)} 0x${hexBytes(bytes)}`;
}

/** Little-endian bytes as a number of so many hexadecimal digits, or more if it has more. */
function widened(bytes: Uint8Array, digits: number): string {
  return `0x${hexNumber(bytes, 0, bytes.length).slice(2).padStart(digits, '0')}`;
}
