/** What the scripts that fetch guests have in common: lists, a folder to work in, and files that are whole or not there. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PrivateApt } from './packages.js';

/** A line for whoever waits. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Fetches the package lists; some that cannot be had are said, as the others may do. */
export function fetchLists(apt: PrivateApt, ofWhat = ''): void {
  say(`Fetching the package lists${ofWhat}.`);
  const trouble = apt.update();
  if (trouble !== undefined) say(`Some lists could not be fetched (${trouble}); going on with the others.`);
}

/** Does `work` with a folder in `cache` whose name begins with `prefix`, and removes it. */
export function inWorkFolder(cache: string, prefix: string, work: (folder: string) => void): void {
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, prefix));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Under another name first: a run that is cut off leaves no half file. */
export function writeWhole(path: string, content: Uint8Array): void {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}

/** Runs a script; what it throws is one line, and exit code 1. */
export function runScript(name: string, main: () => void): void {
  try {
    main();
  } catch (error) {
    process.stderr.write(`${name}: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
