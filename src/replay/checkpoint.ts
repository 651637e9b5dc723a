/**
 * Checkpoints: the whole state of a replay between two records, and going on from one. Each part is encoded by the table of its owner;
 * of a checkpoint that a file brings nothing is believed before it was checked against that.
 */
import { ExitCode, VmtapeError } from '../base/errors.js';
import type { TraceCheckpoint } from '../trace/checkpoint.js';
import { damagedTrace } from '../trace/errors.js';
import type { FoundCheckpoint } from '../trace/reader.js';
import { RUN_DIGEST_SIZE } from '../trace/run-digest.js';
import { type CpuState, cpuStateTable } from '../vmm/cpu/state.js';
import type { Vcpu } from '../vmm/cpu/vcpu.js';
import type { Board } from '../vmm/machine-board.js';
import { type ConsoleSink, consoleState } from '../vmm/machine-console.js';
import { stateError } from '../vmm/state/check.js';
import { decodeState, encodeState } from '../vmm/state/codec.js';
import { bytes, type StateOf, stateTable, time } from '../vmm/state/fields.js';
import type { WriteEffects } from './write-effects.js';

/** What the replay itself remembers. */
export const replayState = stateTable('replay', 1, {
  /** Idle nanoseconds skipped in the recording. */
  skipped: time(),
  /** The last two times of the trace. */
  time: time(),
  timeBefore: time(),
  /** The rolling digest of the records so far. */
  digest: bytes(RUN_DIGEST_SIZE),
});

/** The state before a record, without its memory. */
export type SavedState = Omit<TraceCheckpoint, 'set'>;

/** What is saved and restored: a replay of which no part is under way. */
export interface ReplayedMachine {
  readonly vcpu: Vcpu;
  /** Machine mode. A state is saved in machine mode, and restored in either. */
  readonly board: Board | undefined;
  /** CPU mode. */
  readonly effects: WriteEffects | undefined;
  readonly serial: ConsoleSink;
  readonly debugConsole: ConsoleSink;
}

/** Saves the state before the record of this ordinal. The engine is the interpreter, and there is a board. */
export function saveMachine(machine: ReplayedMachine, record: number, own: StateOf<typeof replayState>): SavedState {
  const { vcpu, board, serial, debugConsole } = machine;
  const parts = {
    cpu: encodeState(cpuStateTable, vcpu.getState()),
    interp: vcpu.saveResumption?.() ?? new Uint8Array(0),
    replay: encodeState(replayState, own),
    'console-serial': encodeState(consoleState, serial.saveState()),
    'console-debug': encodeState(consoleState, debugConsole.saveState()),
    ...Object.fromEntries(board?.saveState() ?? []),
  };
  return { record, retired: vcpu.retired, time: board?.clock.last ?? 0, parts };
}

/** The processor's state of a checkpoint. */
export function cpuOf(found: FoundCheckpoint): CpuState {
  return checked(found, (part) => decodeState(cpuStateTable, part('cpu')));
}

/** Restores all but CPU and memory, which the machine was made with; gives what the replay remembers. Throws VMTAPE_TRACE_DAMAGED. */
export function restoreMachine(machine: ReplayedMachine, found: FoundCheckpoint): StateOf<typeof replayState> {
  const { vcpu, board, effects, serial, debugConsole } = machine;
  return checked(found, (part) => {
    serial.loadState(decodeState(consoleState, part('console-serial')));
    debugConsole.loadState(decodeState(consoleState, part('console-debug')));
    board?.loadState(part);
    effects?.resume(part);
    vcpu.loadResumption?.(part('interp'));
    const { retired } = found.checkpoint;
    if (vcpu.retired !== retired)
      throw stateError('interp.retired', `is ${vcpu.retired}, and the checkpoint says ${retired}`);
    return decodeState(replayState, part('replay'));
  });
}

/** KVM was asked to start from a checkpoint. */
export function onlyInterpreted(path: string): VmtapeError {
  const message = `${path}: the replay begins with a checkpoint, and only the interpreter goes on from one`;
  return new VmtapeError('VMTAPE_CHECKPOINT', message, ExitCode.HostCannot, '--engine interp');
}

/** With the place of the file in the error. */
function checked<T>({ checkpoint, place }: FoundCheckpoint, read: (part: (name: string) => Uint8Array) => T): T {
  try {
    return read((name) => {
      if (!Object.hasOwn(checkpoint.parts, name)) throw stateError(name, 'is missing');
      return checkpoint.parts[name] as Uint8Array;
    });
  } catch (error) {
    if (!(error instanceof VmtapeError) || error.code !== 'VMTAPE_STATE') throw error;
    throw damagedTrace(place, `is a checkpoint that cannot be restored: ${error.message}`);
  }
}
