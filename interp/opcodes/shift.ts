/** ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD (SDM vol. 2; appendix A, table A-6, group 2). */
import type { OpcodeRow } from './row.js';

/** By ModRM.reg. 6 is SHL again, as silicon has it. */
const names = ['ROL', 'ROR', 'RCL', 'RCR', 'SHL', 'SHR', 'SHL', 'SAR'];

function family(name: string, number: number): OpcodeRow[] {
  const kind = `SHIFT_${name}`;
  const rotation = number < 4;
  const one = rotation ? {} : { undefinedFlags: ['AF'] };
  // OF above a count of 1; CF of SHL and SHR above the operand's width; AF of shifts.
  const any = { undefinedFlags: rotation ? ['OF'] : name === 'SAR' ? ['OF', 'AF'] : ['OF', 'AF', 'CF'] };
  const byOne = { ...one, reg: `shiftRmOne<T>(op, ${kind})`, mem: `shiftMemOne<T>(op, ${kind})` };
  const byImm = { ...any, reg: `shiftRmImm<T>(op, ${kind})`, mem: `shiftMemImm<T>(op, ${kind})` };
  const byCl = { ...any, reg: `shiftRmCl<T>(op, ${kind})`, mem: `shiftMemCl<T>(op, ${kind})` };
  return [
    { encoding: `C0 /${number} ib`, name: `${name} Eb,Ib`, size: 'b', ...byImm },
    { encoding: `C1 /${number} ib`, name: `${name} Ev,Ib`, size: 'v', ...byImm },
    { encoding: `D0 /${number}`, name: `${name} Eb,1`, size: 'b', ...byOne },
    { encoding: `D1 /${number}`, name: `${name} Ev,1`, size: 'v', ...byOne },
    { encoding: `D2 /${number}`, name: `${name} Eb,CL`, size: 'b', ...byCl },
    { encoding: `D3 /${number}`, name: `${name} Ev,CL`, size: 'v', ...byCl },
  ];
}

function double(name: string, opcode: number, left: boolean): OpcodeRow[] {
  const hex = (value: number): string => value.toString(16).toUpperCase();
  const flags = { undefinedFlags: ['OF', 'AF', 'CF', 'SF', 'ZF', 'PF'] };
  return [
    {
      encoding: `0F ${hex(opcode)} /r ib`,
      name: `${name} Ev,Gv,Ib`,
      size: 'v',
      ...flags,
      reg: `doubleRmImm<T>(op, ${left})`,
      mem: `doubleMemImm<T>(op, ${left})`,
    },
    {
      encoding: `0F ${hex(opcode + 1)} /r`,
      name: `${name} Ev,Gv,CL`,
      size: 'v',
      ...flags,
      reg: `doubleRmCl<T>(op, ${left})`,
      mem: `doubleMemCl<T>(op, ${left})`,
    },
  ];
}

/** See the file's head. */
export const rows: OpcodeRow[] = [
  ...names.flatMap(family),
  ...double('SHLD', 0xa4, true),
  ...double('SHRD', 0xac, false),
];
