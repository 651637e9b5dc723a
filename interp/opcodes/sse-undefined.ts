/** Where an opcode of MMX or SSE has no instruction for a mandatory prefix: #UD (SDM vol. 2, tables ). */
import { rows as mmx } from './mmx.js';
import type { OpcodeRow } from './row.js';
import { rows as crypto } from './sse-crypto.js';
import { rows as float } from './sse-float.js';
import { rows as integer } from './sse-integer.js';
import { rows as move } from './sse-move.js';

const taken = new Set<string>();
const opcodes = new Set<string>();
/** The opcodes of groups, which are told apart by ModRM.reg: such rows come before those without. */
const groups = new Set<string>();
for (const { encoding } of [...mmx, ...integer, ...move, ...float, ...crypto]) {
  const [, prefix = '', opcode = ''] = /^((?:66|F2|F3) )?(0F(?: 38| 3A)? [0-9A-F]{2})/.exec(encoding) ?? [];
  taken.add(prefix + opcode);
  opcodes.add(opcode);
  if (/ \/[0-7]/.test(encoding)) groups.add(opcode);
}

/** `/r`, or for a group each of its eight. */
function forms(opcode: string): string[] {
  return groups.has(opcode) ? [0, 1, 2, 3, 4, 5, 6, 7].map((digit) => `/${digit}`) : ['/r'];
}

/** See the file's head. */
export const rows: OpcodeRow[] = [...opcodes].flatMap((opcode) =>
  ['', '66 ', 'F3 ', 'F2 ']
    .filter((prefix) => !taken.has(prefix + opcode))
    .flatMap((prefix) => forms(opcode).map((form) => `${prefix}${opcode} ${form}`))
    .map((encoding): OpcodeRow => {
      return {
        encoding,
        name: 'undefined',
        size: 'none',
        reg: 'undefinedOpcode(op)',
        mem: 'undefinedOpcode(op)',
        ends: true,
      };
    }),
);
