/** Opcodes of the two-byte map that no processor has (SDM vol. 2, table A-3). */
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
/** See the file's head. */
export const rows: OpcodeRow[] = [
  ...undefinedOpcodes.map((opcode): OpcodeRow => {
    return { encoding: `0F ${opcode}`, name: 'undefined', size: 'none', reg: 'undefinedOpcode(op)', ends: true };
  }),
];
