/** What the host must know of the comparing guest of a level. */
import * as long from './layout.js';
import { Case, Result } from './layout.js';
import * as real from './layout-real.js';
import type { Level } from './levels.js';

/** Linear addresses, which are physical ones, and sizes in bytes. */
export interface GuestLayout {
  readonly ramSize: number;
  /** Cases of a batch. */
  readonly slots: number;
  /** Where the slots begin. */
  readonly code: number;
  readonly cases: number;
  readonly results: number;
  /** The 512 bytes that each case begins with. */
  readonly window: number;
  /** What is compared after a batch: address, length. */
  readonly outside: readonly [number, number];
  /** Runs that are filled before a batch: address, length, with what. */
  readonly fills: readonly (readonly [number, number, number])[];
  /** What the guest itself can overwrite and is written anew before a batch: address, length. */
  readonly restored: readonly (readonly [number, number])[];
  /** Cells of the harness: next case record, next result record (in units of `recordUnit`), cases left. */
  readonly nextCase: number;
  readonly nextResult: number;
  readonly casesLeft: number;
  readonly recordUnit: 1 | 16;
  /** The result of the case in hand. */
  readonly output: number;
}

function longLayout(filler: number, restored: GuestLayout['restored']): GuestLayout {
  return {
    ramSize: long.RAM_SIZE,
    slots: long.SLOTS,
    code: long.CODE,
    cases: long.CASES,
    results: long.RESULTS,
    window: long.WINDOW,
    outside: [long.WINDOW_PAGES, long.OUTSIDE_BYTES],
    fills: [
      [long.CODE, long.CODE_BYTES, filler],
      [long.WINDOW_PAGES, long.OUTSIDE_BYTES, 0x5a],
    ],
    restored,
    nextCase: long.NEXT_CASE,
    nextResult: long.NEXT_RESULT,
    casesLeft: long.CASES_LEFT,
    recordUnit: 1,
    output: long.OUTPUT,
  };
}

const HARNESS_BASE = real.HARNESS_SEGMENT * 16;

const REAL: GuestLayout = {
  ramSize: real.RAM_SIZE,
  slots: real.SLOTS,
  code: real.CODE_SEGMENT * 16,
  cases: real.CASES,
  results: real.RESULTS,
  window: real.WINDOW,
  outside: [real.ARENA, real.ARENA_BYTES],
  fills: [
    [real.CODE_SEGMENT * 16, 0x1_0000, real.FILLER],
    [real.ARENA, real.ARENA_BYTES, real.FILLER],
    [real.HIGH, real.HIGH_BYTES, real.FILLER],
    [real.RESULTS, real.SLOTS * Result.size, real.FILLER],
    [real.CASES, real.SLOTS * Case.size, real.FILLER],
  ],
  restored: [
    [0, 0x400],
    [HARNESS_BASE, real.HARNESS_STACK],
  ],
  nextCase: HARNESS_BASE + real.NEXT_CASE,
  nextResult: HARNESS_BASE + real.NEXT_RESULT,
  casesLeft: HARNESS_BASE + real.CASES_LEFT,
  recordUnit: 16,
  output: HARNESS_BASE + real.OUTPUT,
};

const USER = longLayout(long.FILLER, []);
const KERNEL = longLayout(long.KERNEL_FILLER, [
  [long.TABLES, long.HARNESS - long.TABLES],
  [long.HARNESS, long.CONTROL - long.HARNESS],
]);

/** The layout of a level. */
export function layoutOf(level: Level): GuestLayout {
  return level === 'real' ? REAL : level === 'kernel' ? KERNEL : USER;
}
