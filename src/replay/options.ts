/** What a replay is made of, and what came of it. */

import type { VmtapeError } from '../base/errors.js';
import type { HostPort } from '../base/host.js';
import type { GuestFiles } from '../trace/memory-reader.js';
import type { ByteSink } from '../vmm/device.js';
import type { KvmLacks } from '../vmm/machine-engine.js';
import type { EngineName, MachineEnd } from '../vmm/machine-options.js';
import type { GuestMemory } from '../vmm/memory.js';
import type { SavedState } from './checkpoint.js';
import type { Divergence } from './divergence.js';
import type { EffectiveTable } from './features.js';

/** `machine`: devices run and their answers are compared. `cpu`: no devices; reads are answered from the trace. */
export type ReplayMode = 'machine' | 'cpu';

/** Saves states of a replay. */
export interface CheckpointTaker {
  /** The ordinal of the record before which, or as soon as possible behind which, it is to be called next. */
  readonly next: number;
  take(state: SavedState, memory: GuestMemory): void;
}

/** Options of ReplaySession. */
export interface ReplayOptions {
  /** The trace. */
  readonly path: string;
  /** The files of a trace that was recorded without its guest. */
  readonly files?: GuestFiles | undefined;
  /** Default `interp`. */
  readonly engine?: EngineName;
  /** Go on where the engine lacks features of the header's CPU: it diverges if the guest uses one. Default false: VMTAPE_CPU. */
  readonly ignoresFeatures?: boolean;
  /** What this host's KVM cannot do, and the interpreter does in its place: found by probes. Default: nothing but what the trace says. */
  readonly kvmLacks?: KvmLacks;
  /** What KVM shows a guest whose CPUID is not hooked. Default: what it supports. */
  readonly effectiveCpuid?: EffectiveTable;
  /** Default `machine`. */
  readonly mode?: ReplayMode;
  /** Stop before the record with this ordinal. */
  readonly until?: number;
  /** Stop at the first boundary at which so many instructions are retired. Interpreter only. */
  readonly untilCount?: number;
  /** Stop behind the exit with which the guest has sent this text (Latin-1) to the serial port. */
  readonly untilSerial?: string;
  /** Is given the instructions retired at each record, in their order. */
  readonly counts?: { add(retired: number): void };
  /** Start from the last checkpoint at or before the record with this ordinal; from the start, if there is none. Interpreter only. */
  readonly from?: number;
  /** Called between two records, on the interpreter and in machine mode only. */
  readonly checkpoints?: CheckpointTaker;
  readonly serial?: ByteSink;
  readonly debugConsole?: ByteSink;
  readonly host: HostPort;
  /** The engine's interrupt window is exact on this host (doctor knows); on the interpreter it always is. */
  readonly windowExact?: boolean;
}

/** The digests of a replay that came to its end. */
export interface ComparedDigests {
  /** The rolling digest of all that guest and devices did, in hex: equal for all replays of a trace. */
  readonly run: string;
  /** Digests of the whole state that were equal, and those whose place this engine does not find. */
  readonly states: number;
  readonly passedOver: number;
}

/** How a replay ended. */
export type ReplayResult =
  | {
      readonly kind: 'complete';
      readonly records: number;
      readonly end: MachineEnd;
      /** Instructions retired; undefined where the engine does not count. */
      readonly instructions: number | undefined;
      readonly digests: ComparedDigests;
      /** What limits the word "exact": open ledger rows that were hit, a trace that was not closed. */
      readonly notes: readonly string[];
      /** The trace could not be read to a clean end: all that could be was replayed. Throw it: exit code 5. */
      readonly damage?: VmtapeError | undefined;
    }
  | { readonly kind: 'stopped'; readonly records: number; readonly instructions: number | undefined }
  | { readonly kind: 'interrupted'; readonly records: number }
  | { readonly kind: 'divergence'; readonly divergence: Divergence };
