/** Where an opcode of MMX or SSE has no instruction for a mandatory prefix: #UD (SDM vol. 2, tables ). */
import { rows as mmx } from './mmx.js';
import type { OpcodeRow } from './row.js';
import { rows as crypto } from './sse-crypto.js';
import { rows as float } from './sse-float.js';
import { rows as integer } from './sse-integer.js';
import { rows as move } from './sse-move.js';

const taken = new Set<string>();
const opcodes = new Set<string>();
for (const { encoding } of [...mmx, ...integer, ...move, ...float, ...crypto]) {
  const [, prefix = '', opcode = ''] = /^((?:66|F2|F3) )?(0F(?: 38| 3A)? [0-9A-F]{2})/.exec(encoding) ?? [];
  taken.add(prefix + opcode);
  opcodes.add(opcode);
}

/** See the file's head. */
export const rows: OpcodeRow[] = [...opcodes].flatMap((opcode) =>
  ['', '66 ', 'F3 ', 'F2 ']
    .filter((prefix) => !taken.has(prefix + opcode))
    .map((prefix): OpcodeRow => {
      return {
        encoding: `${prefix}${opcode} /r`,
        name: 'undefined',
        size: 'none',
        reg: 'undefinedOpcode(op)',
        mem: 'undefinedOpcode(op)',
        ends: true,
      };
    }),
);
