/** JMP, CALL, RET (near), Jcc, LOOPcc, JrCXZ, BOUND (SDM vol. 2). */
import { conditions } from './conditions.js';
import type { OpcodeRow } from './row.js';

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: 'EB cb', name: 'JMP Jb', size: 'f64', ends: true, reg: 'jumpRelative<T>(op)', goesOn: true },
  { encoding: 'E9 cz', name: 'JMP Jz', size: 'f64', ends: true, reg: 'jumpRelative<T>(op)', goesOn: true },
  { encoding: 'E8 cz', name: 'CALL Jz', size: 'f64', ends: true, reg: 'callRelative<T>(op)', goesOn: true },
  {
    encoding: 'FF /2',
    name: 'CALL Ev',
    size: 'f64',
    ends: true,
    reg: 'callRm<T>(op)',
    mem: 'callMem<T>(op)',
    goesOn: true,
  },
  {
    encoding: 'FF /4',
    name: 'JMP Ev',
    size: 'f64',
    ends: true,
    reg: 'jumpRm<T>(op)',
    mem: 'jumpMem<T>(op)',
    goesOn: true,
  },
  { encoding: 'C3', name: 'RET', size: 'f64', ends: true, reg: 'returnNear<T>(op)', goesOn: true },
  { encoding: 'C2 iw', name: 'RET Iw', size: 'f64', ends: true, reg: 'returnNearRelease<T>(op)', goesOn: true },
  ...conditions.flatMap((name, cc): OpcodeRow[] => {
    const digit = cc.toString(16).toUpperCase();
    const reg = `jumpConditional<T>(op, ${cc})`;
    return [
      { encoding: `7${digit} cb`, name: `J${name} Jb`, size: 'f64', reg, goesOn: true },
      { encoding: `0F 8${digit} cz`, name: `J${name} Jz`, size: 'f64', reg, goesOn: true },
    ];
  }),
  {
    encoding: 'E0 cb',
    name: 'LOOPNE Jb',
    size: 'f64',
    ends: true,
    reg: 'loopRelative<T>(op, LOOP_NOT_ZERO)',
    goesOn: true,
  },
  { encoding: 'E1 cb', name: 'LOOPE Jb', size: 'f64', ends: true, reg: 'loopRelative<T>(op, LOOP_ZERO)', goesOn: true },
  {
    encoding: 'E2 cb',
    name: 'LOOP Jb',
    size: 'f64',
    ends: true,
    reg: 'loopRelative<T>(op, LOOP_ALWAYS)',
    goesOn: true,
  },
  { encoding: 'E3 cb', name: 'JrCXZ Jb', size: 'f64', ends: true, reg: 'jumpCountZero<T>(op)', goesOn: true },
  { encoding: '62 /r', name: 'BOUND Gv,Ma', size: 'v', modes: 'no64', mem: 'bound<T>(op)' },
];
