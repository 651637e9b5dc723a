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
export const EXPLAINED: readonly ExplainedDifference[] = [
  {
    opcode: /^(66 |F0 |F2 |F3 |REX.W )*0F FF /,
    kind: 'length',
    reason:
      "UD0 has a ModRM byte on Intel's processors (SDM vol. 2, UD) and none on AMD's, as iced then says; it is #UD with both",
  },
  {
    opcode: /^(66 |F0 |F2 |F3 |REX.W )*0F FF /,
    kind: 'only iced',
    reason: 'as above: with its ModRM byte and displacement, UD0 behind many prefixes is longer than 15 bytes',
  },
  {
    opcode: /^F0 .*0F 2[02] |^.*F0 0F 2[02] /,
    kind: 'only iced',
    reason:
      'LOCK MOV CR0 is MOV CR8 where CPUID Fn8000_0001_ECX bit 4 (AltMovCr8) is set (AMD APM vol. 3); the model clears it',
  },
  {
    opcode: /^F0 (66 |F2 |F3 |REX\.W )*0F 00 \/5 mem$/,
    kind: 'only ours',
    reason:
      'VERW with a memory operand takes LOCK on Zen 4, found by vmtape compare insn --oracle process; no manual says so',
  },
];
