/** --image: the files of a guest that are not in its trace. */
import { createHash } from 'node:crypto';
import type { GuestFiles } from '../trace/memory-reader.js';
import { readInput } from './files.js';

/** Collects the values of an option that may be given several times. */
export function collect(path: string, before: readonly string[]): string[] {
  return [...before, path];
}

/** The files by their SHA-256. */
export function guestFiles(paths: readonly string[]): GuestFiles {
  const files = new Map<string, Uint8Array>();
  for (const path of paths) {
    const { bytes } = readInput('--image', path);
    files.set(createHash('sha256').update(bytes).digest('hex'), bytes);
  }
  return (sha256) => files.get(sha256);
}
