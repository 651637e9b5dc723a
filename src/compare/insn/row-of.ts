/** Which row an instruction is of: a prefix that was added to one row may make it another (SDM vol. 2, 2.1.2), as interp/decode.ts finds it. */
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import type { CaseBits } from './case.js';
import { type Encoded, parse } from './encode.js';

/** Rows by their opcode bytes. */
export type RowIndex = ReadonlyMap<string, readonly OpcodeRow[]>;

/** Sorts the table by opcode, without those of VEX, which no prefix changes; rows with a register in the opcode are there eight times. */
export function indexRows(table: readonly OpcodeRow[]): RowIndex {
  const index = new Map<string, OpcodeRow[]>();
  for (const row of table) {
    const { opcode, plusRegister, vex } = parse(row);
    if (vex) continue;
    for (let i = 0; i < (plusRegister ? 8 : 1); i++) {
      const key = [...opcode.slice(0, -1), (opcode.at(-1) as number) + i].join(' ');
      index.set(key, [...(index.get(key) ?? []), row]);
    }
  }
  for (const rows of index.values()) rows.sort((a, b) => generality(a) - generality(b));
  return index;
}

/** The more special row is tried first. */
function generality(row: OpcodeRow): number {
  const { mandatory, rexW, fixed } = parse(row);
  const isPlain = mandatory === undefined && row.refuses === undefined && !rexW;
  return (isPlain ? 2 : 0) + (fixed === undefined ? 1 : 0);
}

/** The row; undefined: none, which is #UD. */
export function rowOf(
  index: RowIndex,
  { prefixes, rex, opcode, modrm }: Encoded,
  bits: CaseBits,
): OpcodeRow | undefined {
  const repeat = prefixes.findLast((byte) => byte === 0xf2 || byte === 0xf3);
  const has66 = prefixes.includes(0x66);
  return index.get(opcode.join(' '))?.find((row) => {
    const { mandatory, rexW, fixed, digit } = parse(row);
    if (rexW && (rex & 8) === 0) return false;
    if (mandatory === 0x66 && (!has66 || repeat !== undefined)) return false;
    if ((mandatory === 0xf2 || mandatory === 0xf3) && mandatory !== repeat) return false;
    if (row.refuses !== undefined && (repeat !== undefined || (row.refuses === 'any' && has66))) return false;
    if (row.modes !== undefined && (bits === 64) !== (row.modes === 'only64')) return false;
    if (fixed !== undefined) return fixed === modrm;
    return digit === undefined || digit === 8 || digit === (((modrm ?? 0) >> 3) & 7);
  });
}
