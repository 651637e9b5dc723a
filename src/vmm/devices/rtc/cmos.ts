/** What the firmware of a PC has left in the CMOS memory: the sizes of memory and the equipment. */
import * as bits from './registers.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

function put(cells: Uint8Array, at: number, size: number, value: number): void {
  const capped = Math.min(value, 256 ** size - 1);
  for (let index = 0; index < size; index++) cells[at + index] = Math.floor(capped / 256 ** index) & 0xff;
}

/** Fills in the fields for a machine with `memorySize` bytes of RAM. */
export function describeMemory(cells: Uint8Array, memorySize: number): void {
  const extended = Math.floor(Math.max(0, memorySize - MIB) / KIB);
  cells[bits.EQUIPMENT] = 0b0010_0010;
  put(cells, bits.BASE_MEMORY, 2, 640);
  put(cells, bits.EXTENDED_MEMORY, 2, extended);
  put(cells, bits.EXTENDED_MEMORY_2, 2, extended);
  put(cells, bits.MEMORY_ABOVE_16M, 2, Math.floor(Math.max(0, Math.min(memorySize, 4 * GIB) - 16 * MIB) / (64 * KIB)));
  put(cells, bits.MEMORY_ABOVE_4G, 3, Math.floor(Math.max(0, memorySize - 4 * GIB) / (64 * KIB)));
  let sum = 0;
  for (let at = 0x10; at < bits.CHECKSUM; at++) sum += cells[at] as number;
  cells[bits.CHECKSUM] = (sum >> 8) & 0xff;
  cells[bits.CHECKSUM + 1] = sum & 0xff;
}
