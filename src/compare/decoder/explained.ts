/**
 * Where the two decoders differ and ours is right, or both are: the one table, row by row with the reason. A row holds for its opcode
 * only. Nothing else is left out of the comparison.
 */
import type { Bitness } from './engine.js';

/** How the two differ. */
export type DifferenceKind = 'length' | 'only iced' | 'only ours';

/** A documented difference. */
export interface ExplainedDifference {
  /** As suite.ts names it: prefixes that choose the instruction left out. */
  readonly opcode: RegExp;
  readonly kind: DifferenceKind;
  readonly bitness?: readonly Bitness[];
  /** The row holds only for strings that are so; absent: for all of the opcode. */
  readonly when?: (bytes: Uint8Array) => boolean;
  /** With its source. */
  readonly reason: string;
}

/** See the file's head. */
export const EXPLAINED: readonly ExplainedDifference[] = [];
