/** Puts a batch of cases into the memory of the comparing guest. */
import type { InsnCase } from './case.js';
import { selectorsOf } from './image.js';
import * as at from './layout.js';
import { Case, Result } from './layout.js';
import type { LongLevel } from './levels.js';

/** Instructions with their ways back to the harness at `back`, records, and the harness's counters. */
export function placeCases(ram: Uint8Array, cases: readonly InsnCase[], back: number, level: LongLevel): void {
  const view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
  ram.fill(level === 'kernel' ? at.KERNEL_FILLER : at.FILLER, at.CODE, at.CODE + at.CODE_BYTES);
  ram.fill(0x5a, at.WINDOW_PAGES, at.WINDOW_PAGES + at.OUTSIDE_BYTES);
  for (const [i, one] of cases.entries()) {
    ram.set(one.code, one.address);
    placeExit(view, one, back, selectorsOf(level).code);
    ram.set(one.record, at.CASES + i * Case.size);
  }
  ram.fill(0, at.RESULTS, at.RESULTS + cases.length * Result.size);
  view.setUint32(at.NEXT_CASE, at.CASES, true);
  view.setUint32(at.NEXT_RESULT, at.RESULTS, true);
  view.setUint32(at.CASES_LEFT, cases.length, true);
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
