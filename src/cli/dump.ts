/** --dump-state and --dump-mem: what a run leaves behind. */
import { hexBytes } from '../base/hex.js';
import type { CpuState } from '../vmm/cpu/state.js';
import type { GuestMemory } from '../vmm/memory.js';
import { writeResult } from './result-file.js';
import { type MemoryDump, usageError } from './values.js';

/** The CPU state as JSON: 64-bit fields and bytes as hexadecimal text, all others as they are. */
export function stateToJson(state: CpuState): string {
  const convert = (_key: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
    if (value instanceof Uint8Array) return hexBytes(value);
    return value;
  };
  return `${JSON.stringify(state, convert, 2)}\n`;
}

/** Checks before the run that what shall be dumped exists. */
export function checkDumps(dumps: readonly MemoryDump[], memory: GuestMemory): void {
  for (const { address, length } of dumps) {
    if (!memory.contains(address, length)) {
      throw usageError(`--dump-mem: the machine has no ${length} bytes of memory at 0x${address.toString(16)}`);
    }
  }
}

/** Writes the dumps of memory. */
export function writeDumps(dumps: readonly MemoryDump[], memory: GuestMemory): void {
  for (const { address, length, path } of dumps) writeResult('--dump-mem', path, memory.bytes(address, length));
}
