/** A file of results that is there whole, or not at all: written beside its place, and then renamed. */
import { closeSync, lstatSync, openSync, realpathSync, renameSync, statSync } from 'node:fs';
import { beginPart, endPart, removePart } from '../base/part-files.js';
import { checkOutput, describeFileError, writeAll } from './files.js';
import { usageError } from './values.js';

/** See the head of the file. */
export class ResultFile {
  readonly #option: string;
  readonly #path: string;
  readonly #temporary: string;
  #descriptor: number | undefined;

  /** Begins the file. `option` is what named it. */
  constructor(option: string, path: string) {
    checkOutput(option, path);
    this.#option = option;
    // Behind a link lies the file that is meant.
    this.#path = isThere(path) ? realpathSync(path) : path;
    if (isThere(path) && !statSync(path).isFile()) {
      throw usageError(`${option}: ${path} is no regular file`, `leave ${option} out and redirect standard output`);
    }
    this.#temporary = `${this.#path}.${process.pid}.part`;
    // Before it is there: from then on, a signal removes it.
    beginPart(this.#temporary);
    try {
      this.#descriptor = this.#do(() => openSync(this.#temporary, 'wx'));
    } catch (error) {
      endPart(this.#temporary);
      throw error;
    }
  }

  /** Where the file is until {@link finish}: for a writer that opens it itself. */
  get temporary(): string {
    return this.#temporary;
  }

  write(bytes: Uint8Array): void {
    const descriptor = this.#descriptor as number;
    this.#do(() => writeAll(descriptor, bytes));
  }

  /** Puts the file in its place. */
  finish(): void {
    this.#close();
    this.#do(() => renameSync(this.#temporary, this.#path));
    endPart(this.#temporary);
  }

  /** Leaves nothing behind, unless it was finished. Idempotent. */
  discard(): void {
    this.#close();
    removePart(this.#temporary);
  }

  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) this.#do(() => closeSync(descriptor));
  }

  #do<T>(work: () => T): T {
    return naming(this.#option, this.#path, work);
  }
}

/** The operating system's refusals are those of the file that `option` names. */
function naming<T>(option: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw usageError(`${option}: ${path} ${describeFileError(error)}`);
  }
}

/** Writes a result whole: to a file, or to what is none, such as a pipe. */
export function writeResult(option: string, path: string, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  if (isThere(path) && !statSync(path).isFile()) {
    writeThrough(option, path, bytes);
    return;
  }
  const file = new ResultFile(option, path);
  try {
    file.write(bytes);
    file.finish();
  } finally {
    file.discard();
  }
}

function writeThrough(option: string, path: string, bytes: Uint8Array): void {
  naming(option, path, () => {
    const descriptor = openSync(path, 'w');
    try {
      writeAll(descriptor, bytes);
    } finally {
      closeSync(descriptor);
    }
  });
}

/** A link to nothing is not there: it would be replaced. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink() ? statSync(path) !== undefined : true;
  } catch {
    return false;
  }
}
