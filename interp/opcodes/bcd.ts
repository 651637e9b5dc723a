/** DAA, DAS, AAA, AAS, AAM, AAD (SDM vol. 2). */
import type { OpcodeRow } from './row.js';

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: '27', name: 'DAA', size: 'none', modes: 'no64', undefinedFlags: ['OF'], reg: 'decimalAdd(op)' },
  { encoding: '2F', name: 'DAS', size: 'none', modes: 'no64', undefinedFlags: ['OF'], reg: 'decimalSubtract(op)' },
  {
    encoding: '37',
    name: 'AAA',
    size: 'none',
    modes: 'no64',
    undefinedFlags: ['OF', 'SF', 'ZF', 'PF'],
    reg: 'asciiAdd(op)',
  },
  {
    encoding: '3F',
    name: 'AAS',
    size: 'none',
    modes: 'no64',
    undefinedFlags: ['OF', 'SF', 'ZF', 'PF'],
    reg: 'asciiSubtract(op)',
  },
  {
    encoding: 'D4 ib',
    name: 'AAM Ib',
    size: 'none',
    modes: 'no64',
    undefinedFlags: ['OF', 'AF', 'CF'],
    reg: 'asciiMultiply(op)',
  },
  {
    encoding: 'D5 ib',
    name: 'AAD Ib',
    size: 'none',
    modes: 'no64',
    undefinedFlags: ['OF', 'AF', 'CF'],
    reg: 'asciiDivide(op)',
  },
];
