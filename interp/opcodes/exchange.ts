/** XCHG, XADD, CMPXCHG, CMPXCHG8B/16B, BSWAP, MOVBE (SDM vol. 2). */
import type { OpcodeRow } from './row.js';

const xchg = { reg: 'xchgRmReg<T>(op)', mem: 'xchgMemReg<T>(op)', lock: true as const };
const xadd = { reg: 'xaddRmReg<T>(op)', mem: 'xaddMemReg<T>(op)', lock: true as const };
const cmpxchg = { reg: 'cmpxchgRmReg<T>(op)', mem: 'cmpxchgMemReg<T>(op)', lock: true as const };

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: '86 /r', name: 'XCHG Eb,Gb', size: 'b', ...xchg },
  { encoding: '87 /r', name: 'XCHG Ev,Gv', size: 'v', ...xchg },
  { encoding: '90+r', name: 'XCHG Zv,rAX', size: 'v', reg: 'xchgAccReg<T>(op)' },
  { encoding: '0F C0 /r', name: 'XADD Eb,Gb', size: 'b', ...xadd },
  { encoding: '0F C1 /r', name: 'XADD Ev,Gv', size: 'v', ...xadd },
  { encoding: '0F B0 /r', name: 'CMPXCHG Eb,Gb', size: 'b', ...cmpxchg },
  { encoding: '0F B1 /r', name: 'CMPXCHG Ev,Gv', size: 'v', ...cmpxchg },
  {
    encoding: '0F C7 /1',
    name: 'CMPXCHG8B Mq',
    size: 'none',
    feature: 'cx8',
    reg: 'undefinedOpcode(op)',
    mem: 'cmpxchgPairMem(op)',
    lock: true,
  },
  {
    encoding: 'REX.W 0F C7 /1',
    name: 'CMPXCHG16B Mdq',
    size: 'none',
    modes: 'only64',
    feature: 'cx16',
    reg: 'undefinedOpcode(op)',
    mem: 'cmpxchgWideMem(op)',
    lock: true,
  },
  { encoding: '0F C8+r', name: 'BSWAP Zv', size: 'v', reg: 'bswapReg<T>(op)' },
  {
    encoding: '0F 38 F0 /r',
    name: 'MOVBE Gv,Mv',
    size: 'v',
    feature: 'movbe',
    refuses: 'repeat',
    mem: 'movbeRegMem<T>(op)',
  },
  {
    encoding: '0F 38 F1 /r',
    name: 'MOVBE Mv,Gv',
    size: 'v',
    feature: 'movbe',
    refuses: 'repeat',
    mem: 'movbeMemReg<T>(op)',
  },
];
