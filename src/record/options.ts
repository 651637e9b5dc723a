/** What a recording is made of, and what came of it. */
import type { Vcpu } from '../vmm/cpu/vcpu.js';
import type { MachineEnd, MachineOptions } from '../vmm/machine-options.js';

/** Options of RecordSession. */
export interface RecordOptions {
  /** The machine to record; its taps are the session's. */
  readonly machine: Omit<MachineOptions, 'taps'>;
  /** The file to write. It is made when the machine stands, so that no option error leaves a file behind. */
  readonly path: string;
  /** 16 bytes that tell this recording from every other; random, or chosen to compare recordings. */
  readonly id: Uint8Array;
  /** When the recording began, milliseconds since 1970. */
  readonly date: number;
  /** What the command line was asked for, for people and for showing it again; JSON. */
  readonly options: Readonly<Record<string, unknown>>;
  /** How time-stamp reads were closed. */
  readonly tsc: 'hook' | 'hide' | 'pass';
  /** The ledger of this host and machine (src/record/ledger.ts), JSON; empty for the interpreter. */
  readonly ledger: unknown;
  /** Asked at the end, once: the open rows of the ledger that were hit, which make the recording inexact. */
  readonly inexact?: (vcpu: Vcpu) => readonly string[];
  /** What the guest was loaded from. */
  readonly files?: readonly RecordedFile[];
  /** False: parts of memory that are parts of {@link files} are left out, and a replay must be given the files. */
  readonly embed?: boolean;
  /** What the host is: operating system, kernel, processor; JSON. */
  readonly host: Readonly<Record<string, unknown>>;
}

/** A file that the guest was loaded from. */
export interface RecordedFile {
  /** `kernel`, `initrd`, `flat` or `rom`. */
  readonly role: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a finished recording holds. */
export interface RecordSummary {
  readonly end: MachineEnd;
  readonly records: number;
  readonly bytes: number;
  /** Instructions retired; undefined where the engine does not count. */
  readonly instructions: number | undefined;
  /** Ledger rows that were open and were hit: the recording is not exact. */
  readonly inexact: readonly string[];
  /** Instructions that the interpreter executed for KVM. */
  readonly assists: number;
}
