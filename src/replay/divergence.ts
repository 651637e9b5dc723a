/** The first difference between a trace and its replay (docs/reading-a-divergence.md). */

import type { OpenHole } from './unhooked.js';

/** What was found. Everything is plain data: the command prints it, `--json` shows it. */
export interface Divergence {
  /** The ordinal of the record at which the replay differs. */
  readonly record: number;
  /** What differs, in one sentence. */
  readonly what: string;
  /** The record of the trace, in words and hex. */
  readonly expected: string;
  /** What the replay did instead. */
  readonly actual: string;
  /** Instructions retired in the replay; undefined where the engine does not count. */
  readonly instructions: number | undefined;
  /** Instructions retired in the recording; undefined where its engine did not count. */
  readonly recordedInstructions: number | undefined;
  /** RIP, 16 hexadecimal digits. */
  readonly rip: string;
  /** The instruction at RIP, or why it cannot be shown. */
  readonly disassembly: string;
  /** The registers of the replay at the place. */
  readonly registers: Readonly<Record<string, string>>;
  /** The last records before it, the oldest first. */
  readonly before: readonly string[];
  /** What may be behind it, beside the guest and the devices; undefined: nothing is known. */
  readonly hint?: string;
  /** An open hole that was met before: what differs is then not held against the engines. */
  readonly hole?: OpenHole;
  /** Shows it again. */
  readonly command: string;
}
