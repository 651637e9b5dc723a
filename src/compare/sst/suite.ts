/** Runs files of SST tests and gathers the totals. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ExitCode, VmtapeError } from '../../base/errors.js';
import { type MooTest, readMoo } from './moo.js';
import type { Mismatch, SstRunner } from './runner.js';

const SUFFIX = /\.MOO(\.gz)?$/i;

/** A test that did not pass. */
export interface SstFailure {
  readonly file: string;
  /** Position in the file. */
  readonly number: number;
  readonly test: MooTest;
  readonly mismatches: readonly Mismatch[];
}

/** What a run brought. */
export interface SstTotals {
  tests: number;
  failed: number;
  /** Failed tests by opcode, in the order of the files. */
  readonly byOpcode: Map<string, number>;
}

/** The test files of a directory, by name. Throws VMTAPE_SST if there are none. */
export function listFiles(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    throw new VmtapeError('VMTAPE_SST', `cannot read ${directory}: ${(error as Error).message}`, ExitCode.Usage);
  }
  const files = names.filter((name) => SUFFIX.test(name)).sort();
  if (files.length === 0) {
    throw new VmtapeError('VMTAPE_SST', `${directory} holds no .MOO or .MOO.gz files`, ExitCode.Usage);
  }
  return files;
}

/** The tests of a file. Throws VMTAPE_SST or VMTAPE_MOO. */
export function loadFile(directory: string, file: string): MooTest[] {
  let bytes: Uint8Array;
  try {
    const raw = readFileSync(join(directory, file));
    bytes = /\.gz$/i.test(file) ? gunzipSync(raw) : raw;
  } catch (error) {
    throw new VmtapeError(
      'VMTAPE_SST',
      `cannot read ${join(directory, file)}: ${(error as Error).message}`,
      ExitCode.BadFile,
    );
  }
  return readMoo(bytes, file);
}

/** `C0.4` of `C0.4.MOO.gz`. */
export function opcodeOf(file: string): string {
  return file.replace(SUFFIX, '').toUpperCase();
}

/** Runs the tests of one file, or its test `only`. */
export function runFile(
  runner: SstRunner,
  tests: readonly MooTest[],
  file: string,
  totals: SstTotals,
  onFailure: (failure: SstFailure) => void,
  only?: number,
): void {
  const opcode = opcodeOf(file);
  tests.forEach((test, number) => {
    if (only !== undefined && number !== only) return;
    const mismatches = runner.run(opcode, test);
    totals.tests++;
    if (mismatches.length === 0) return;
    totals.failed++;
    totals.byOpcode.set(opcode, (totals.byOpcode.get(opcode) ?? 0) + 1);
    onFailure({ file, number, test, mismatches });
  });
}
