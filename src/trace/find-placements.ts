/** Finding where parts of files stand in memory, when nobody tells: by their contents. */
import { PAGE_SIZE } from './format.js';
import type { Placement } from './placements.js';
import type { StartPages } from './start-pages.js';

/** A piece of a page that is searched for, and the least number of different bytes that it must have. */
const NEEDLE = 64;
const NEEDLE_BYTES = 12;
/** Occurrences of a piece that are tried. */
const TRIES = 8;
/** After so many pages that are not part of a file no other ones are searched for in it. */
const MISSES_MAX = 256;
/** A page is part of a file if so much of it is: hooks and relocations may have changed some, and other things begin in its middle. */
const ALIKE = 0.25;

/** Placements of `bytes`, which is file number `file`, whole pages but at the ends of the file. `taken`: pages of other placements; grows. */
export function findPlacements(pages: StartPages, file: number, bytes: Uint8Array, taken: Set<number>): Placement[] {
  const placements: Placement[] = [];
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let misses = 0;
  for (const page of pages.numbers()) {
    if (taken.has(page) || misses >= MISSES_MAX) continue;
    const content = pages.page(page);
    const needle = bestPiece(content);
    if (needle < 0) continue;
    const start = startOf(haystack, content, needle);
    if (start === undefined) {
      misses++;
      continue;
    }
    // The file's byte `start` would be the first of the page; it may be negative.
    const isPart = (other: number): boolean =>
      pages.has(other) &&
      !taken.has(other) &&
      isAlike(haystack, start + (other - page) * PAGE_SIZE, () => pages.page(other));
    let [first, last] = [page, page];
    while (isPart(first - 1)) first--;
    while (isPart(last + 1)) last++;
    for (let one = first; one <= last; one++) taken.add(one);
    const from = Math.max(0, start + (first - page) * PAGE_SIZE);
    const to = Math.min(bytes.length, start + (last + 1 - page) * PAGE_SIZE);
    placements.push({ file, offset: from, length: to - from, gpa: page * PAGE_SIZE + from - start });
  }
  return placements;
}

/** Where the piece of the page with the most different bytes begins; -1: the page has too few. */
function bestPiece(content: Uint8Array): number {
  let best = -1;
  let most = NEEDLE_BYTES - 1;
  for (let at = 0; at < PAGE_SIZE; at += NEEDLE) {
    const different = new Set(content.subarray(at, at + NEEDLE)).size;
    if (different <= most) continue;
    most = different;
    best = at;
  }
  return best;
}

/** The offset in the file that the page's first byte has; undefined: the page is no part of it. */
function startOf(haystack: Buffer, content: Uint8Array, needle: number): number | undefined {
  const piece = content.subarray(needle, needle + NEEDLE);
  let at = haystack.indexOf(piece);
  for (let tries = 0; at >= 0 && tries < TRIES; tries++) {
    if (isAlike(haystack, at - needle, () => content)) return at - needle;
    at = haystack.indexOf(piece, at + 1);
  }
  return undefined;
}

/** The file from `start` on is like the page, as far as it goes. */
function isAlike(haystack: Buffer, start: number, content: () => Uint8Array): boolean {
  const from = Math.max(0, start);
  const to = Math.min(haystack.length, start + PAGE_SIZE);
  if (to - from < NEEDLE) return false;
  const page = content();
  if (haystack.compare(page, from - start, to - start, from, to) === 0) return true;
  let same = 0;
  for (let at = from; at < to; at++) if (haystack[at] === page[at - start]) same++;
  return same >= ALIKE * (to - from);
}
