/**
 * Adding frames to a trace that is whole: they are appended to a copy beside it, which takes its place when all of them are there. The trace
 * has all of them, or is as it was.
 */
import { closeSync, constants, copyFileSync, fsyncSync, openSync, realpathSync, renameSync } from 'node:fs';
import { VmtapeError } from '../base/errors.js';
import { beginPart, endPart, removePart } from '../base/part-files.js';
import { TraceAppender } from './append.js';
import { traceFileError } from './errors.js';

/** See the head of the file. */
export class AmendedFile {
  readonly #output: string;
  readonly #temporary: string;
  readonly #appender: TraceAppender;

  /** `output`: where the amended trace goes; default: the trace itself. Throws what a trace that is damaged, or was not closed, is. */
  constructor(path: string, output = path) {
    this.#output = output === path ? realPath(path) : output;
    this.#temporary = `${this.#output}.${process.pid}.part`;
    beginPart(this.#temporary);
    try {
      // Where the file system can, the copy shares its blocks with the trace.
      copyFileSync(path, this.#temporary, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      this.#appender = new TraceAppender(this.#temporary);
    } catch (error) {
      removePart(this.#temporary);
      throw this.#named(error);
    }
  }

  /** Does something with the appender. */
  append<T>(work: (appender: TraceAppender) => T): T {
    try {
      return work(this.#appender);
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** Puts the amended trace in its place. */
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
      endPart(this.#temporary);
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** Leaves nothing behind, unless it was finished. Idempotent. */
  discard(): void {
    this.#appender.close();
    removePart(this.#temporary);
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
