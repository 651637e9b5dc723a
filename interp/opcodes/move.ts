/** MOV, LEA, XLAT, CMOVcc, SETcc, NOP, prefetches, fences (SDM vol. 2). */
import { conditions } from './conditions.js';
import type { OpcodeRow } from './row.js';

const nopRow = { reg: 'nop(op)', mem: 'nop(op)' };

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: '88 /r', name: 'MOV Eb,Gb', size: 'b', reg: 'movRmReg<T>(op)', mem: 'movMemReg<T>(op)' },
  { encoding: '89 /r', name: 'MOV Ev,Gv', size: 'v', reg: 'movRmReg<T>(op)', mem: 'movMemReg<T>(op)' },
  { encoding: '8A /r', name: 'MOV Gb,Eb', size: 'b', reg: 'movRegRm<T>(op)', mem: 'movRegMem<T>(op)' },
  { encoding: '8B /r', name: 'MOV Gv,Ev', size: 'v', reg: 'movRegRm<T>(op)', mem: 'movRegMem<T>(op)' },
  { encoding: 'C6 /0 ib', name: 'MOV Eb,Ib', size: 'b', reg: 'movRmImm<T>(op)', mem: 'movMemImm<T>(op)' },
  { encoding: 'C7 /0 iz', name: 'MOV Ev,Iz', size: 'v', reg: 'movRmImm<T>(op)', mem: 'movMemImm<T>(op)' },
  { encoding: 'B0+r ib', name: 'MOV Zb,Ib', size: 'b', reg: 'movRegImm<T>(op)' },
  { encoding: 'B8+r iv', name: 'MOV Zv,Iv', size: 'v', reg: 'movRegImm<T>(op)' },
  { encoding: 'A0 moffs', name: 'MOV AL,Ob', size: 'b', reg: 'movAccOffset<T>(op)' },
  { encoding: 'A1 moffs', name: 'MOV rAX,Ov', size: 'v', reg: 'movAccOffset<T>(op)' },
  { encoding: 'A2 moffs', name: 'MOV Ob,AL', size: 'b', reg: 'movOffsetAcc<T>(op)' },
  { encoding: 'A3 moffs', name: 'MOV Ov,rAX', size: 'v', reg: 'movOffsetAcc<T>(op)' },
  { encoding: '8D /r', name: 'LEA Gv,M', size: 'v', mem: 'leaRegMem<T>(op)' },
  { encoding: 'D7', name: 'XLAT', size: 'none', reg: 'xlat(op)' },
  ...conditions.flatMap((name, cc): OpcodeRow[] => {
    const digit = cc.toString(16).toUpperCase();
    return [
      {
        encoding: `0F 4${digit} /r`,
        name: `CMOV${name} Gv,Ev`,
        size: 'v',
        feature: 'cmov',
        reg: `cmovRegRm<T>(op, ${cc})`,
        mem: `cmovRegMem<T>(op, ${cc})`,
      },
      {
        encoding: `0F 9${digit} /r`,
        name: `SET${name} Eb`,
        size: 'b',
        reg: `setccRm(op, ${cc})`,
        mem: `setccMem(op, ${cc})`,
      },
    ];
  }),
  { encoding: '0F 0D /r', name: 'PREFETCHW M', size: 'none', reg: 'prefetchRegister(op)', mem: 'nop(op)' },
  ...[0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f].map(
    (second): OpcodeRow => ({
      encoding: `0F ${second.toString(16).toUpperCase()} /r`,
      name: second === 0x18 ? 'PREFETCH M' : 'NOP Ev',
      size: 'none',
      ...nopRow,
    }),
  ),
];
