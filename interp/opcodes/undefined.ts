/** The two-byte map where no row of another file stands (SDM vol. 2, table A-3): undefined opcodes, MMX, SSE. */
import type { OpcodeRow } from './row.js';

/** '0A 10-12' is 0A, 10, 11 and 12. */
function opcodes(ranges: string): string[] {
  return ranges.split(' ').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map((text) => Number.parseInt(text, 16));
    return Array.from({ length: last - first + 1 }, (_, i) => (first + i).toString(16).toUpperCase().padStart(2, '0'));
  });
}

/** 0E and 0F (3DNow!) are gone from AMD's processors and never were in Intel's; 24 to 27 were the 80386's test registers. */
const undefinedOpcodes = opcodes('04 0A 0C 0E-0F 24-27 36 39 3B-3F 7A-7B A6-A7');
/** With 66, F3 or F2 in front they are SSE's. */
const mmxOpcodes = opcodes('60-6B 6E-6F 71-76 7E-7F D1-D5 D8-E5 E8-EF F1-F6 F8-FE');
const sseOpcodes = opcodes('10-17 28-2F 50-5F 6C-6D 70 7C-7D C2 C4-C6 D0 D6-D7 E6-E7 F0 F7');

const sse = { name: 'SSE Vx,Wx', size: 'none', reg: 'escapeSse(op)', mem: 'escapeSse(op)', ends: true } as const;
const mmx = { name: 'MMX Pq,Qq', size: 'none', reg: 'escapeMmx(op)', mem: 'escapeMmx(op)', ends: true } as const;

/** See the file's head. */
export const rows: OpcodeRow[] = [
  ...undefinedOpcodes.map((opcode): OpcodeRow => {
    return { encoding: `0F ${opcode}`, name: 'undefined', size: 'none', reg: 'undefinedOpcode(op)', ends: true };
  }),
  ...mmxOpcodes.flatMap((opcode): OpcodeRow[] => [
    { encoding: `0F ${opcode} /r`, ...mmx },
    ...['66', 'F3', 'F2'].map((prefix): OpcodeRow => ({ encoding: `${prefix} 0F ${opcode} /r`, ...sse })),
  ]),
  ...sseOpcodes.map((opcode): OpcodeRow => ({ encoding: `0F ${opcode} /r`, ...sse })),
];
