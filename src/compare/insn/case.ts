/** One case: an instruction and the state before it. */
import type { OpcodeRow } from '../../../interp/opcodes/row.js';

/** 64-bit code, or 32- and 16-bit code in compatibility mode. */
export type CaseBits = 16 | 32 | 64;

/** See the file's head. */
export interface InsnCase {
  readonly number: number;
  readonly row: OpcodeRow;
  readonly bits: CaseBits;
  readonly code: Uint8Array;
  /** Where the instruction lies. */
  readonly address: number;
  /** A case record (layout.ts `Case`). */
  readonly record: Uint8Array;
}
