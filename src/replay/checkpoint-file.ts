/** Checkpoints into a trace: it has the checkpoints of a whole replay, or is as it was. */
import { ExitCode, VmtapeError } from '../base/errors.js';
import { AmendedFile } from '../trace/amended-file.js';
import { type GuestMemory, memoryRuns } from '../vmm/memory.js';
import type { SavedState } from './checkpoint.js';
import type { CheckpointTaker } from './options.js';

/** More checkpoints the root of a trace, a frame of at most 1 MiB, does not list. */
const CHECKPOINTS_MAX = 0x1_0000;

/** Which states are saved. */
export interface CheckpointPlan {
  /** A checkpoint before each record whose ordinal is a multiple of this; or as soon as possible behind it. */
  readonly every: number;
  /** The trace with checkpoints; default: the trace itself. */
  readonly output?: string | undefined;
}

/** See the head of the file. */
export class CheckpointFile implements CheckpointTaker {
  next: number;
  /** Checkpoints written. */
  count = 0;
  readonly #every: number;
  readonly #file: AmendedFile;
  /** Checkpoints that the trace has already are not written again. */
  readonly #known: ReadonlySet<number>;

  /** Throws what a trace that is damaged, or was not closed, is, and VMTAPE_CHECKPOINT if there would be too many. */
  constructor(path: string, { every, output }: CheckpointPlan) {
    this.#every = every;
    this.next = every;
    this.#file = new AmendedFile(path, output);
    const { checkpoints, records } = this.#file.append((appender) => appender);
    this.#known = checkpoints;
    const most = checkpoints.size + Math.floor(records / every);
    if (most <= CHECKPOINTS_MAX) return;
    this.#file.discard();
    throw new VmtapeError(
      'VMTAPE_CHECKPOINT',
      `${path} would have ${most.toLocaleString('en-US')} checkpoints, one each ${every} of its records: at most 65,536 find room`,
      ExitCode.Usage,
    );
  }

  take(state: SavedState, memory: GuestMemory): void {
    this.next = (Math.floor(state.record / this.#every) + 1) * this.#every;
    if (this.#known.has(state.record)) return;
    this.#file.append((appender) => appender.checkpoint(state, memoryRuns(memory)));
    this.count++;
  }

  /** Puts the trace with its checkpoints in its place. */
  finish(): void {
    this.#file.finish();
  }

  /** Leaves nothing behind, unless it was finished. Idempotent. */
  discard(): void {
    this.#file.discard();
  }
}
