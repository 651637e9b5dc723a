/** LFENCE, MFENCE, SFENCE, CLFLUSH, CLFLUSHOPT, CLWB (SDM vol. 2): one processor without caches has nothing to wait for. */
import type { OpcodeRow } from './row.js';

/** SFENCE is apart from CLFLUSH, which shares the digit: they are of different features. */
const storeFences = [0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff].map((modrm): OpcodeRow => {
  const encoding = `0F AE ${modrm.toString(16).toUpperCase()}`;
  return { encoding, name: 'SFENCE', size: 'none', feature: 'sse', refuses: 'any', reg: 'nop(op)' };
});

/** A line of the cache: read as by a load. */
function line(encoding: string, name: string, feature: string): OpcodeRow {
  return { encoding, name, size: 'none', feature, reg: 'undefinedOpcode(op)', mem: 'touchMem(op)' };
}

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: '0F AE /5', name: 'LFENCE', size: 'none', feature: 'sse2', refuses: 'any', reg: 'nop(op)' },
  { encoding: '0F AE /6', name: 'MFENCE', size: 'none', feature: 'sse2', refuses: 'any', reg: 'nop(op)' },
  ...storeFences,
  { ...line('0F AE /7', 'CLFLUSH Mb', 'clflush'), refuses: 'any' },
  line('66 0F AE /6', 'CLWB Mb', 'clwb'),
  line('66 0F AE /7', 'CLFLUSHOPT Mb', 'clflushopt'),
];
