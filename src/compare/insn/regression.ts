/** Cases that differed once, as JSON: corpora/regressions/insn. A test runs each on the interpreter against what KVM made of it. */
import { existsSync, readFileSync } from 'node:fs';
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import { hexBytes } from '../../base/hex.js';
import type { CaseBits, InsnCase } from './case.js';
import type { FieldDifference } from './difference.js';
import { Case, Result } from './layout.js';
import type { Level } from './levels.js';

/** A file's contents. Records are given by their non-zero runs of 8 bytes: offset → bytes, both hexadecimal. */
export interface Regression {
  readonly opcode: string;
  readonly name: string;
  readonly level: Level;
  readonly bits: CaseBits;
  readonly code: string;
  readonly address: string;
  /** What differed when it was found. */
  readonly found: readonly FieldDifference[];
  /** /proc/cpuinfo's `model name` and `vendor_id`. */
  readonly processor: string;
  readonly command: string;
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
}

function sparse(bytes: Uint8Array): Record<string, string> {
  const runs: Record<string, string> = {};
  for (let at = 0; at < bytes.length; at += 8) {
    const run = bytes.subarray(at, at + 8);
    if (run.some((byte) => byte !== 0)) runs[at.toString(16)] = hexBytes(run);
  }
  return runs;
}

function dense(runs: Readonly<Record<string, string>>, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const [at, run] of Object.entries(runs)) bytes.set(Buffer.from(run, 'hex'), Number.parseInt(at, 16));
  return bytes;
}

/** The file of a case. */
export function encodeRegression(
  one: InsnCase,
  level: Level,
  found: readonly FieldDifference[],
  expected: Uint8Array,
  origin: { readonly processor: string; readonly command: string },
): Regression {
  return {
    opcode: one.row.encoding,
    name: one.row.name,
    level,
    bits: one.bits,
    code: hexBytes(one.code),
    address: one.address.toString(16),
    found,
    ...origin,
    before: sparse(one.record),
    after: sparse(expected),
  };
}

/** The case of a file, and its result on KVM. */
export function decodeRegression(file: Regression): { readonly one: InsnCase; readonly expected: Uint8Array } {
  const row: OpcodeRow = { encoding: file.opcode, name: file.name, size: 'none' };
  const record = dense(file.before, Case.size);
  const code = Uint8Array.from(Buffer.from(file.code, 'hex'));
  const address = Number.parseInt(file.address, 16);
  return { one: { number: 0, row, bits: file.bits, code, address, record }, expected: dense(file.after, Result.size) };
}

/** A name for the file: one for each opcode and kind. */
export function regressionName(file: Regression): string {
  const kinds = [...new Set(file.found.map(({ kind }) => kind))].slice(0, 3).join('-');
  return `${`${file.level}-${file.opcode}-${file.name}-${kinds}`
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/-+$/, '')
    .toLowerCase()}.json`;
}

/** The processor of this host, as a file names it. */
export function processorName(): string {
  if (!existsSync('/proc/cpuinfo')) return 'unknown';
  const text = readFileSync('/proc/cpuinfo', 'utf8');
  const value = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1] ?? 'unknown';
  return `${value('vendor_id')} ${value('model name')} family ${value('cpu family')} model ${value('model')}`;
}
