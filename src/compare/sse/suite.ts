/**
 * Every row of MMX and SSE against the processor of this host: registers, flags, the FXSAVE image, memory, exceptions with the flags that they
 * leave in MXCSR. RCPPS and RSQRTPS differ by processor: but for Zen 5, whose bits the interpreter has, they are held to the manual's
 * bound of the relative error, 1.5 * 2^-12 (here against the processor's own answer, so twice that).
 */
import { existsSync, readFileSync } from 'node:fs';
import { rows as mmx } from '../../../interp/opcodes/mmx.js';
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import { rows as crypto } from '../../../interp/opcodes/sse-crypto.js';
import { rows as float } from '../../../interp/opcodes/sse-float.js';
import { rows as integer } from '../../../interp/opcodes/sse-integer.js';
import { rows as move } from '../../../interp/opcodes/sse-move.js';
import { hexBytes } from '../../base/hex.js';
import { Prng } from '../../base/prng.js';
import { makeSseCase } from './cases.js';
import type { SseGuest, SseGuestResult } from './guest.js';
import type { SseCase, SseOracle, SseResult } from './oracle.js';

/** The families, one file of the opcode table each. */
export const SSE_FAMILIES: Readonly<Record<string, readonly OpcodeRow[]>> = { mmx, integer, move, float, crypto };

const STATUS = 0x8d5n;
/** SIGFPE, SIGILL, SIGSEGV. */
const SIGNAL_OF_VECTOR: Readonly<Record<number, number>> = { 6: 4, 13: 11, 14: 11, 16: 8, 19: 8 };
/** AMD's family 1Ah. */
function isZen5(): boolean {
  const path = '/proc/cpuinfo';
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return text.includes('AuthenticAMD') && /^cpu family\s*: 26$/m.test(text);
}

const APPROXIMATE = isZen5() ? /^$/ : /^(RCP|RSQRT)/;
const MOST_ERROR = 3 * 2 ** -12;
/** Cases that go to the oracle at once. */
const BATCH = 20_000;

/** One difference, as text. */
export interface SseDifference {
  readonly name: string;
  readonly text: string;
}

/** Of a run. */
export interface SseReport {
  readonly cases: number;
  readonly differences: SseDifference[];
}

/** Is `have` as near to `want` as two good approximations are? */
function near(want: DataView, have: DataView, at: number): boolean {
  const left = want.getFloat32(at, true);
  const right = have.getFloat32(at, true);
  if (want.getUint32(at, true) === have.getUint32(at, true)) return true;
  return left !== 0 && Number.isFinite(left) && Math.abs(left - right) <= Math.abs(left) * MOST_ERROR;
}

function differentImage(want: Uint8Array, have: Uint8Array, approximate: boolean): string[] {
  const left = new DataView(want.buffer, want.byteOffset, 416);
  const right = new DataView(have.buffer, have.byteOffset, 416);
  const wrong: string[] = [];
  const compare = (name: string, from: number, length: number): void => {
    for (let i = from; i < from + length; i++) {
      if (want[i] === have[i]) continue;
      wrong.push(
        `${name} ${hexBytes(want.subarray(from, from + length), '')}, got ${hexBytes(have.subarray(from, from + length), '')}`,
      );
      return;
    }
  };
  compare('FSW', 2, 2);
  compare('FTW', 4, 1);
  compare('MXCSR', 24, 4);
  for (let i = 0; i < 8; i++) compare(`ST${i}`, 32 + i * 16, 10);
  for (let i = 0; i < 16; i++) {
    const at = 160 + i * 16;
    if (!approximate || ![0, 4, 8, 12].every((lane) => near(left, right, at + lane))) compare(`XMM${i}`, at, 16);
  }
  return wrong;
}

function differences(name: string, want: SseResult, have: SseGuestResult): string[] {
  const signal = have.vector === undefined ? 0 : (SIGNAL_OF_VECTOR[have.vector] ?? -1);
  if (signal !== want.signal) return [`signal ${want.signal}, got vector ${have.vector}`];
  const wrong: string[] = [];
  const memory = hexBytes(have.memory, '');
  if (memory !== hexBytes(want.memory, '')) wrong.push(`memory ${hexBytes(want.memory, '')}, got ${memory}`);
  if (signal !== 0) {
    const mxcsr = new DataView(have.image.buffer, have.image.byteOffset).getUint32(24, true);
    if (mxcsr !== want.mxcsr) wrong.push(`MXCSR ${want.mxcsr.toString(16)}, got ${mxcsr.toString(16)}`);
    return wrong;
  }
  want.registers.forEach((value, i) => {
    const other = have.registers[i] as bigint;
    if (value !== other) wrong.push(`r${i} ${value.toString(16)}, got ${other.toString(16)}`);
  });
  if (((want.flags ^ have.flags) & STATUS) !== 0n) {
    wrong.push(`flags ${(want.flags & STATUS).toString(16)}, got ${(have.flags & STATUS).toString(16)}`);
  }
  wrong.push(...differentImage(want.image, have.image, APPROXIMATE.test(name)));
  return wrong;
}

function describe(row: OpcodeRow, item: SseCase, wrong: readonly string[]): string {
  const image = (from: number, length: number): string => hexBytes(item.image.subarray(from, from + length), '');
  const code = item.code;
  const modrm = code.length > 0 ? hexBytes(code, '') : '';
  const operands = Array.from({ length: 16 }, (_, i) => `x${i}=${image(160 + i * 16, 16)}`).join(' ');
  return `${row.name} [${modrm}] MXCSR ${image(24, 4)}: ${wrong.join('; ')} | ${operands} | memory ${hexBytes(item.memory.subarray(0, 64), '')}`;
}

/** Runs `perRow` cases of each row. */
export function runSseRows(
  rows: readonly OpcodeRow[],
  perRow: number,
  seed: number,
  oracle: Exclude<SseOracle, { missing: string }>,
  guest: SseGuest,
): SseReport {
  const random = new Prng(seed);
  const report: SseReport = { cases: 0, differences: [] };
  let batch: [OpcodeRow, SseCase][] = [];
  let cases = 0;
  const flush = (): void => {
    const native = oracle.run(batch.map(([, item]) => item));
    batch.forEach(([row, item], number) => {
      const wrong = differences(row.name, native[number] as SseResult, guest.run(item));
      if (wrong.length > 0) report.differences.push({ name: row.name, text: describe(row, item, wrong) });
    });
    cases += batch.length;
    batch = [];
  };
  for (const row of rows) {
    for (let i = 0; i < perRow; i++) {
      batch.push([row, makeSseCase(row, random)]);
      if (batch.length === BATCH) flush();
    }
  }
  flush();
  return { ...report, cases };
}
