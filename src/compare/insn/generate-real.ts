/** What cases in real mode have of their own: data segments, and offsets that reach the window, wrap, or lie beyond the limit. */
import { Case, WINDOW_BYTES } from './layout.js';
import { CODE_SEGMENT, WINDOW } from './layout-real.js';
import type { CaseRandom } from './random.js';

/** Bases of data segments: the window in the middle, its first half at the end, its second half at the beginning. */
const BASES = [WINDOW - 0x7f00, WINDOW + 0x100 - 0x1_0000, WINDOW + 0x100] as const;
/** DS, ES, FS, GS, SS. */
const SEGMENTS = 5;

/** Picks DS, ES, FS, GS and SS, and writes them to the record. Returns the base of DS. */
export function pickSegments(view: DataView, random: CaseRandom): number {
  const base = random.pick(BASES);
  for (let i = 0; i < SEGMENTS; i++) {
    const other = random.chance(10) ? random.pick(BASES) : base;
    // The high memory area; not for the stack, on which the handlers live.
    const segment = i < SEGMENTS - 1 && random.chance(2) ? 0xffff : other >> 4;
    view.setUint16(Case.segments + i * 2, segment, true);
  }
  return base;
}

/** An offset in a segment that begins at `base`. */
export function pickOffset(random: CaseRandom, base: number): bigint {
  const window = WINDOW - base;
  const kind = random.below(100);
  if (kind < 60) return BigInt((window + random.below(WINDOW_BYTES - 32)) & 0xffff);
  if (kind < 72) return BigInt((window + 0x100 - 1 - random.below(18)) & 0xffff);
  if (kind < 80) return BigInt(0xfff0 + random.below(16));
  if (kind < 86) return BigInt(random.below(16));
  if (kind < 96) return BigInt(random.below(0x1_0000));
  return BigInt(0x1_0000 + random.below(0x1_0000));
}

/** SP: in the window, or where pushes and pops wrap; above it what does not count. */
export function pickStackPointer(random: CaseRandom, base: number): bigint {
  const high = random.chance(20) ? BigInt(random.below(0x1_0000)) << 16n : 0n;
  const inside = (WINDOW - base + 0x80 + 2 * random.below(0xa0)) & 0xffff;
  if (random.chance(85)) return high | BigInt(inside);
  return high | (random.chance(60) ? BigInt((random.below(24) - 12) & 0xffff) : pickOffset(random, base) & 0xffffn);
}

/** Selectors for far transfers: the segment of the code, now and then moved, so that filler lies there. */
export function pickCodeSelector(random: CaseRandom): number {
  return random.chance(85) ? CODE_SEGMENT : CODE_SEGMENT + 1 + random.below(4);
}

/** Where in its slot a jump may land: filler, and a number whose bytes lead as a selector to filler, too, however it is aligned. */
export const REAL_LAND = 32;
/** Of these bytes, any two are a selector of the code, or of the arena. */
const SELECTOR_BYTES = [0x10, 0x11, 0x20, 0x21, 0x28, 0x30] as const;

/** Fills the window with what far transfers may find there: else they would execute the records. */
export function fillSelectors(record: Uint8Array, random: CaseRandom): void {
  for (let i = 0; i < WINDOW_BYTES; i++) record[Case.memory + i] = random.pick(SELECTOR_BYTES);
}
