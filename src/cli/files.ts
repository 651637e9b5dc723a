/** Reading the files that are named on the command line, and checking where something shall be written. */
import { accessSync, constants, readFileSync, statSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { BootFile } from '../vmm/boot/request.js';
import { usageError } from './values.js';

/** No image for a machine of at most 3 GiB is larger. */
const LARGEST = 3 * 1024 ** 3;
/** Node writes less than 2 GiB at once. */
const PIECE = 0x1000_0000;

const sentences: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be opened: no permission',
  EPERM: 'may not be opened: no permission',
  EISDIR: 'is a directory',
  ENOTDIR: 'does not exist: a part of its path is not a directory',
  ENOSPC: 'cannot be written: no space is left on the device',
  EROFS: 'cannot be written: the file system is read-only',
  ELOOP: 'is a link that leads in a circle',
  ENAMETOOLONG: 'has too long a name',
};

/** What the operating system's refusal means, as the predicate of a sentence. */
export function describeFileError(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return sentences[code ?? ''] ?? `cannot be used: ${code ?? message ?? String(error)}`;
}

/** Writes all of `bytes` to an open file. Throws what the operating system refuses. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at, Math.min(PIECE, bytes.length - at));
}

/** Reads an input file. `option` is what named it. */
export function readInput(option: string, path: string): BootFile {
  checkInput(option, path);
  try {
    return { name: path, bytes: readFileSync(path) };
  } catch (error) {
    throw usageError(`${option}: ${path} ${describeFileError(error)}`);
  }
}

/** Checks that an input file can be read. `option` is what named it; empty for a command's argument. */
export function checkInput(option: string, path: string): void {
  const subject = option === '' ? path : `${option}: ${path}`;
  if (path === '') throw usageError(`${option || 'the argument'} names no file`);
  let size: number;
  try {
    const status = statSync(path);
    if (status.isDirectory()) throw Object.assign(new Error('directory'), { code: 'EISDIR' });
    accessSync(path, constants.R_OK);
    size = status.size;
  } catch (error) {
    throw usageError(`${subject} ${describeFileError(error)}`);
  }
  if (size > LARGEST) throw usageError(`${subject} is larger than any machine`);
}

/** Checks that a file can be written, so that a long run does not fail at its end. Creates nothing. */
export function checkOutput(option: string, path: string): void {
  if (path === '') throw usageError(`${option} names no file`);
  const folder = dirname(resolve(path));
  try {
    if (!statSync(folder).isDirectory()) throw usageError(`${option}: ${folder} is not a directory`);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') {
      throw usageError(`${option}: the directory ${folder} does not exist`, `make it with: mkdir -p ${folder}`);
    }
    throw fileError(option, folder, error);
  }
  try {
    if (statSync(path).isDirectory()) throw usageError(`${option}: ${path} is a directory`);
    accessSync(path, constants.W_OK);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw fileError(option, path, error);
    try {
      accessSync(folder, constants.W_OK);
    } catch {
      throw usageError(`${option}: nothing can be written into ${folder}: no permission`);
    }
  }
}

function fileError(option: string, path: string, error: unknown): Error {
  if (error instanceof Error && error.name === 'VmtapeError') return error;
  return usageError(`${option}: ${path} ${describeFileError(error)}`);
}

/** Whether two paths name one file. */
export function isSameFile(a: string, b: string): boolean {
  if (resolve(a) === resolve(b)) return true;
  try {
    const [first, second] = [statSync(a), statSync(b)];
    return first.ino === second.ino && first.dev === second.dev && first.isFile();
  } catch {
    return false;
  }
}
