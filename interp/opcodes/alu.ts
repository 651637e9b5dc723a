/** ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT (SDM vol. 2; appendix A, tables ). */
import type { OpcodeRow } from './row.js';

const names = ['ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP'];
const logic = new Set(['OR', 'AND', 'XOR']);

/** SDM: AF of the logic instructions is undefined; Intel and AMD clear it. */
const logicFlags = { undefinedFlags: ['AF'] };

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, '0');
}

function family(name: string, number: number): OpcodeRow[] {
  const kind = `ALU_${name}`;
  const base = number * 8;
  const lock = name === 'CMP' ? {} : { lock: true as const };
  const flags = logic.has(name) ? logicFlags : {};
  const byMemory = { ...lock, ...flags };
  const regs = { reg: `aluRmReg<T>(op, ${kind})`, mem: `aluMemReg<T>(op, ${kind})` };
  const loads = { reg: `aluRegRm<T>(op, ${kind})`, mem: `aluRegMem<T>(op, ${kind})` };
  const imms = { reg: `aluRmImm<T>(op, ${kind})`, mem: `aluMemImm<T>(op, ${kind})` };
  return [
    { encoding: `${hex(base)} /r`, name: `${name} Eb,Gb`, size: 'b', ...byMemory, ...regs },
    { encoding: `${hex(base + 1)} /r`, name: `${name} Ev,Gv`, size: 'v', ...byMemory, ...regs },
    { encoding: `${hex(base + 2)} /r`, name: `${name} Gb,Eb`, size: 'b', ...flags, ...loads },
    { encoding: `${hex(base + 3)} /r`, name: `${name} Gv,Ev`, size: 'v', ...flags, ...loads },
    { encoding: `${hex(base + 4)} ib`, name: `${name} AL,Ib`, size: 'b', ...flags, reg: `aluAccImm<T>(op, ${kind})` },
    { encoding: `${hex(base + 5)} iz`, name: `${name} rAX,Iz`, size: 'v', ...flags, reg: `aluAccImm<T>(op, ${kind})` },
    { encoding: `80 /${number} ib`, name: `${name} Eb,Ib`, size: 'b', ...byMemory, ...imms },
    { encoding: `81 /${number} iz`, name: `${name} Ev,Iz`, size: 'v', ...byMemory, ...imms },
    { encoding: `82 /${number} ib`, name: `${name} Eb,Ib`, size: 'b', modes: 'no64', ...byMemory, ...imms },
    { encoding: `83 /${number} ib`, name: `${name} Ev,Ib`, size: 'v', ...byMemory, ...imms },
  ];
}

const test = { reg: 'testRmReg<T>(op)', mem: 'testMemReg<T>(op)', ...logicFlags };
const testImm = { reg: 'testRmImm<T>(op)', mem: 'testMemImm<T>(op)', ...logicFlags };
const inc = { reg: 'incRm<T>(op)', mem: 'incMem<T>(op)', lock: true as const };
const dec = { reg: 'decRm<T>(op)', mem: 'decMem<T>(op)', lock: true as const };
const not = { reg: 'notRm<T>(op)', mem: 'notMem<T>(op)', lock: true as const };
const neg = { reg: 'negRm<T>(op)', mem: 'negMem<T>(op)', lock: true as const };

/** See the file's head. */
export const rows: OpcodeRow[] = [
  ...names.flatMap(family),
  { encoding: '84 /r', name: 'TEST Eb,Gb', size: 'b', ...test },
  { encoding: '85 /r', name: 'TEST Ev,Gv', size: 'v', ...test },
  { encoding: 'A8 ib', name: 'TEST AL,Ib', size: 'b', reg: 'testAccImm<T>(op)', ...logicFlags },
  { encoding: 'A9 iz', name: 'TEST rAX,Iz', size: 'v', reg: 'testAccImm<T>(op)', ...logicFlags },
  { encoding: 'F6 /0 ib', name: 'TEST Eb,Ib', size: 'b', ...testImm },
  { encoding: 'F6 /1 ib', name: 'TEST Eb,Ib', size: 'b', ...testImm },
  { encoding: 'F7 /0 iz', name: 'TEST Ev,Iz', size: 'v', ...testImm },
  { encoding: 'F7 /1 iz', name: 'TEST Ev,Iz', size: 'v', ...testImm },
  { encoding: 'F6 /2', name: 'NOT Eb', size: 'b', ...not },
  { encoding: 'F7 /2', name: 'NOT Ev', size: 'v', ...not },
  { encoding: 'F6 /3', name: 'NEG Eb', size: 'b', ...neg },
  { encoding: 'F7 /3', name: 'NEG Ev', size: 'v', ...neg },
  { encoding: '40+r', name: 'INC Zv', size: 'v', modes: 'no64', reg: 'incReg<T>(op)' },
  { encoding: '48+r', name: 'DEC Zv', size: 'v', modes: 'no64', reg: 'decReg<T>(op)' },
  { encoding: 'FE /0', name: 'INC Eb', size: 'b', ...inc },
  { encoding: 'FF /0', name: 'INC Ev', size: 'v', ...inc },
  { encoding: 'FE /1', name: 'DEC Eb', size: 'b', ...dec },
  { encoding: 'FF /1', name: 'DEC Ev', size: 'v', ...dec },
];
