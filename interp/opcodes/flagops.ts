/** CLC, STC, CMC, CLD, STD, LAHF, SAHF, PUSHF, POPF (SDM vol. 2). */
import type { OpcodeRow } from './row.js';

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: 'F8', name: 'CLC', size: 'none', reg: 'putCarry(op, 0)' },
  { encoding: 'F9', name: 'STC', size: 'none', reg: 'putCarry(op, 1)' },
  { encoding: 'F5', name: 'CMC', size: 'none', reg: 'complementCarry(op)' },
  { encoding: 'FC', name: 'CLD', size: 'none', reg: 'clearDirection(op)' },
  { encoding: 'FD', name: 'STD', size: 'none', reg: 'setDirection(op)' },
  { encoding: '9F', name: 'LAHF', size: 'none', modes: 'no64', reg: 'flagsToAh(op)' },
  { encoding: '9E', name: 'SAHF', size: 'none', modes: 'no64', reg: 'ahToFlags(op)' },
  { encoding: '9F', name: 'LAHF', size: 'none', modes: 'only64', feature: 'lahf_lm', reg: 'flagsToAh(op)' },
  { encoding: '9E', name: 'SAHF', size: 'none', modes: 'only64', feature: 'lahf_lm', reg: 'ahToFlags(op)' },
  { encoding: 'D6', name: 'SALC', size: 'none', modes: 'no64', reg: 'carryToAl(op)' },
  { encoding: '9C', name: 'PUSHF', size: 'd64', reg: 'pushFlags<T>(op)' },
  { encoding: '9D', name: 'POPF', size: 'd64', ends: true, reg: 'popFlags<T>(op)' },
];
