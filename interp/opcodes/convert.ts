/** MOVZX, MOVSX, MOVSXD, CBW/CWDE/CDQE, CWD/CDQ/CQO (SDM vol. 2). */
import type { OpcodeRow } from './row.js';

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: '0F B6 /r', name: 'MOVZX Gv,Eb', size: 'v', reg: 'movzxByteRm<T>(op)', mem: 'movzxByteMem<T>(op)' },
  { encoding: '0F B7 /r', name: 'MOVZX Gv,Ew', size: 'v', reg: 'movzxWordRm<T>(op)', mem: 'movzxWordMem<T>(op)' },
  { encoding: '0F BE /r', name: 'MOVSX Gv,Eb', size: 'v', reg: 'movsxByteRm<T>(op)', mem: 'movsxByteMem<T>(op)' },
  { encoding: '0F BF /r', name: 'MOVSX Gv,Ew', size: 'v', reg: 'movsxWordRm<T>(op)', mem: 'movsxWordMem<T>(op)' },
  {
    encoding: '63 /r',
    name: 'MOVSXD Gv,Ez',
    size: 'v',
    modes: 'only64',
    reg: 'movsxdRm<T>(op)',
    mem: 'movsxdMem<T>(op)',
  },
  { encoding: '98', name: 'CBW/CWDE/CDQE', size: 'v', reg: 'extendAcc<T>(op)' },
  { encoding: '99', name: 'CWD/CDQ/CQO', size: 'v', reg: 'signToRdx<T>(op)' },
];
