/** D8 to DF: the x87 (SDM vol. 2, appendix A.5), where no row of another file says more. */
import type { OpcodeRow } from './row.js';

const opcodes = ['D8', 'D9', 'DA', 'DB', 'DC', 'DD', 'DE', 'DF'];

/** See the file's head. */
export const rows: OpcodeRow[] = opcodes.map((opcode) => ({
  encoding: `${opcode} /r`,
  name: 'ESC M',
  size: 'none',
  reg: 'escapeX87(op)',
  mem: 'escapeX87(op)',
}));
