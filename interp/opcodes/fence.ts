/** LFENCE, MFENCE, SFENCE, CLFLUSH, CLFLUSHOPT, CLWB (SDM vol. 2): one processor without caches has nothing to wait for. */
import type { OpcodeRow } from './row.js';

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: '0F AE /5', name: 'LFENCE', size: 'none', refuses: 'any', reg: 'nop(op)' },
  { encoding: '0F AE /6', name: 'MFENCE', size: 'none', refuses: 'any', reg: 'nop(op)' },
  { encoding: '0F AE /7', name: 'SFENCE', size: 'none', refuses: 'any', reg: 'nop(op)', mem: 'touchMem(op)' },
  { encoding: '66 0F AE /6', name: 'CLWB Mb', size: 'none', reg: 'undefinedOpcode(op)', mem: 'touchMem(op)' },
  { encoding: '66 0F AE /7', name: 'CLFLUSHOPT Mb', size: 'none', reg: 'undefinedOpcode(op)', mem: 'touchMem(op)' },
];
