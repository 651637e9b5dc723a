/** MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS (SDM vol. 2). They end their block: a repeated one may come back unfinished. */
import type { OpcodeRow } from './row.js';

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: 'A4', name: 'MOVS Yb,Xb', size: 'b', ends: true, reg: 'movs<T>(op)' },
  { encoding: 'A5', name: 'MOVS Yv,Xv', size: 'v', ends: true, reg: 'movs<T>(op)' },
  { encoding: 'A6', name: 'CMPS Xb,Yb', size: 'b', ends: true, reg: 'cmps<T>(op)' },
  { encoding: 'A7', name: 'CMPS Xv,Yv', size: 'v', ends: true, reg: 'cmps<T>(op)' },
  { encoding: 'AA', name: 'STOS Yb,AL', size: 'b', ends: true, reg: 'stos<T>(op)' },
  { encoding: 'AB', name: 'STOS Yv,rAX', size: 'v', ends: true, reg: 'stos<T>(op)' },
  { encoding: 'AC', name: 'LODS AL,Xb', size: 'b', ends: true, reg: 'lods<T>(op)' },
  { encoding: 'AD', name: 'LODS rAX,Xv', size: 'v', ends: true, reg: 'lods<T>(op)' },
  { encoding: 'AE', name: 'SCAS AL,Yb', size: 'b', ends: true, reg: 'scas<T>(op)' },
  { encoding: 'AF', name: 'SCAS rAX,Yv', size: 'v', ends: true, reg: 'scas<T>(op)' },
  { encoding: '6C', name: 'INS Yb,DX', size: 'b', ends: true, reg: 'ins<T>(op)' },
  { encoding: '6D', name: 'INS Yz,DX', size: 'z', ends: true, reg: 'ins<T>(op)' },
  { encoding: '6E', name: 'OUTS DX,Xb', size: 'b', ends: true, reg: 'outs<T>(op)' },
  { encoding: '6F', name: 'OUTS DX,Xz', size: 'z', ends: true, reg: 'outs<T>(op)' },
];
