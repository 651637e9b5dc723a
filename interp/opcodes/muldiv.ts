/** MUL, IMUL, DIV, IDIV (SDM vol. 2). */
import type { OpcodeRow } from './row.js';

const product = { undefinedFlags: ['SF', 'ZF', 'AF', 'PF'] };
const quotient = { undefinedFlags: ['CF', 'OF', 'SF', 'ZF', 'AF', 'PF'] };
const mul = { reg: 'mulRm<T>(op)', mem: 'mulMem<T>(op)', ...product };
const imul = { reg: 'imulRm<T>(op)', mem: 'imulMem<T>(op)', ...product };
const div = { reg: 'divRm<T>(op)', mem: 'divMem<T>(op)', ...quotient };
const idiv = { reg: 'idivRm<T>(op)', mem: 'idivMem<T>(op)', ...quotient };
const imulImm = { reg: 'imulRegRmImm<T>(op)', mem: 'imulRegMemImm<T>(op)', ...product };

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: 'F6 /4', name: 'MUL Eb', size: 'b', ...mul },
  { encoding: 'F7 /4', name: 'MUL Ev', size: 'v', ...mul },
  { encoding: 'F6 /5', name: 'IMUL Eb', size: 'b', ...imul },
  { encoding: 'F7 /5', name: 'IMUL Ev', size: 'v', ...imul },
  { encoding: 'F6 /6', name: 'DIV Eb', size: 'b', ...div },
  { encoding: 'F7 /6', name: 'DIV Ev', size: 'v', ...div },
  { encoding: 'F6 /7', name: 'IDIV Eb', size: 'b', ...idiv },
  { encoding: 'F7 /7', name: 'IDIV Ev', size: 'v', ...idiv },
  {
    encoding: '0F AF /r',
    name: 'IMUL Gv,Ev',
    size: 'v',
    reg: 'imulRegRm<T>(op)',
    mem: 'imulRegMem<T>(op)',
    ...product,
  },
  { encoding: '69 /r iz', name: 'IMUL Gv,Ev,Iz', size: 'v', ...imulImm },
  { encoding: '6B /r ib', name: 'IMUL Gv,Ev,Ib', size: 'v', ...imulImm },
];
