/** Puts a batch of cases into the memory of the comparing guest. */
import type { CaseBits, InsnCase } from './case.js';
import { layoutOf } from './guest-layout.js';
import { selectorsOf } from './image.js';
import { Case, Result } from './layout.js';
import type { Level } from './levels.js';

/** Instructions with their ways back to the harness at `back`, records, and the harness's counters. */
export function placeCases(ram: Uint8Array, cases: readonly InsnCase[], back: number, level: Level): void {
  const view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
  const layout = layoutOf(level);
  for (const [address, length, value] of layout.fills) ram.fill(value, address, address + length);
  for (const [i, one] of cases.entries()) {
    ram.set(one.code, one.address);
    placeExit(view, one, back, selectorsOf(level).code);
    ram.set(one.record, layout.cases + i * Case.size);
  }
  ram.fill(0, layout.results, layout.results + cases.length * Result.size);
  view.setUint32(layout.nextCase, layout.cases / layout.recordUnit, true);
  view.setUint32(layout.nextResult, layout.results / layout.recordUnit, true);
  view.setUint32(layout.casesLeft, cases.length, true);
}

/** Behind the instruction: JMP rel32 in 64-bit code, else a far JMP with a 32-bit offset. */
function placeExit(view: DataView, { address, code, bits }: InsnCase, back: number, selector: number): void {
  let end = address + code.length;
  if (bits === 64) {
    view.setUint8(end, 0xe9);
    view.setInt32(end + 1, back - (end + 5), true);
    return;
  }
  if (bits === 16) view.setUint8(end++, 0x66);
  view.setUint8(end, 0xea);
  view.setUint32(end + 1, back, true);
  view.setUint16(end + 5, selector, true);
}

/** Bytes of that. */
export function exitLength(bits: CaseBits): number {
  return bits === 64 ? 5 : bits === 32 ? 7 : 8;
}
