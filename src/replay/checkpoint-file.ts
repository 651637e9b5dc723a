/**
 * Checkpoints into a trace. They are appended to a copy beside it, which takes its place when all of them are there: a trace has the
 * checkpoints of a whole replay, or is as it was.
 */
import { closeSync, constants, copyFileSync, fsyncSync, openSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { VmtapeError } from '../base/errors.js';
import { TraceAppender } from '../trace/append.js';
import { traceFileError } from '../trace/errors.js';
import { type GuestMemory, memoryRuns } from '../vmm/memory.js';
import type { SavedState } from './checkpoint.js';
import type { CheckpointTaker } from './options.js';

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
  readonly #output: string;
  readonly #temporary: string;
  readonly #appender: TraceAppender;
  /** Checkpoints that the trace has already are not written again. */
  readonly #known: ReadonlySet<number>;

  /** Throws what a trace that is damaged, or was not closed, is. */
  constructor(path: string, { every, output = path }: CheckpointPlan) {
    this.#every = every;
    this.next = every;
    this.#output = output === path ? realPath(path) : output;
    this.#temporary = `${this.#output}.${process.pid}.part`;
    try {
      // Where the file system can, the copy shares its blocks with the trace.
      copyFileSync(path, this.#temporary, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      this.#appender = new TraceAppender(this.#temporary);
      this.#known = this.#appender.checkpoints;
    } catch (error) {
      rmSync(this.#temporary, { force: true });
      throw this.#named(error);
    }
  }

  take(state: SavedState, memory: GuestMemory): void {
    this.next = (Math.floor(state.record / this.#every) + 1) * this.#every;
    if (this.#known.has(state.record)) return;
    try {
      this.#appender.checkpoint(state, memoryRuns(memory));
    } catch (error) {
      throw this.#named(error);
    }
    this.count++;
  }

  /** Puts the trace with its checkpoints in its place. */
  finish(): void {
    try {
      this.#appender.finish();
      const file = openSync(this.#temporary, 'r+');
      try {
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(this.#temporary, this.#output);
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** Leaves nothing behind, unless it was finished. Idempotent. */
  discard(): void {
    this.#appender.close();
    rmSync(this.#temporary, { force: true });
  }

  /** The error of the file that the user knows. */
  #named(error: unknown): Error {
    if (!(error instanceof VmtapeError)) return traceFileError(this.#output, error);
    const { code, message, exitCode, hint } = error;
    return new VmtapeError(code, message.replaceAll(this.#temporary, this.#output), exitCode, hint);
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw traceFileError(path, error);
  }
}
