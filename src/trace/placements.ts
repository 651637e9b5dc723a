/**
 * Placements: where memory is part of a file that the guest was loaded from, and the trace does not have the file. A frame
 * is the msgpack array [placements, patches]: of each placement the number of the file in the header, offset, length and
 * guest-physical address; of each patch, where memory is not what the files say, the address and the bytes.
 */
import { ColumnError, ColumnReader, ColumnWriter, listOf, plainBytes } from './columns.js';
import { PAGE_SIZE } from './format.js';
import { PAGES_MAX, type RamRun } from './image.js';
import { packMessage, unpackMessage } from './msgpack.js';

/** `length` bytes from `offset` of the header's file `file` stand at `gpa`. */
export interface Placement {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
  readonly gpa: number;
}

/** Bytes of memory. */
export interface Patch {
  readonly gpa: number;
  readonly bytes: Uint8Array;
}

/** The payload of a frame. */
export function placementsMessage(placements: readonly Placement[], patches: readonly Patch[]): Uint8Array {
  const places = new ColumnWriter();
  for (const { file, offset, length, gpa } of placements) {
    for (const value of [file, offset, length, gpa]) places.varint(value);
  }
  const bytes = new ColumnWriter();
  for (const patch of patches) {
    bytes.varint(patch.gpa);
    bytes.varint(patch.bytes.length);
    bytes.bytes(patch.bytes);
  }
  return packMessage([places.peek(), bytes.peek()]);
}

/** Reads a frame. Throws {@link ColumnError}. */
export function parsePlacements(payload: Uint8Array): { placements: Placement[]; patches: Patch[] } {
  const message = listOf(unpackMessage(payload), 2);
  const places = new ColumnReader(plainBytes(message[0], 'placements'), 'placements');
  const bytes = new ColumnReader(plainBytes(message[1], 'patches'), 'patches');
  const placements: Placement[] = [];
  while (places.left > 0) {
    const [file, offset, length] = [places.varint(), places.varint(), places.varint()];
    placements.push({ file, offset, length, gpa: inMemory(places.varint(), length) });
  }
  const patches: Patch[] = [];
  while (bytes.left > 0) {
    const gpa = bytes.varint();
    const length = bytes.varint();
    patches.push({ gpa: inMemory(gpa, length), bytes: bytes.bytes(length) });
  }
  return { placements, patches };
}

function inMemory(gpa: number, length: number): number {
  if (gpa + length > PAGES_MAX * PAGE_SIZE) throw new ColumnError('places a file beyond the memory');
  return gpa;
}

/** The pages that placements touch. */
export function placedPages(placements: readonly Placement[]): Set<number> {
  const pages = new Set<number>();
  for (const { gpa, length } of placements) {
    if (length === 0) continue;
    const last = Math.floor((gpa + length - 1) / PAGE_SIZE);
    for (let page = Math.floor(gpa / PAGE_SIZE); page <= last; page++) pages.add(page);
  }
  return pages;
}

/** Where the memory of the pages is not what zeros and the placed files, in their order, make of it. */
export function patchesOf(
  runs: Iterable<RamRun>,
  placements: readonly Placement[],
  files: readonly Uint8Array[],
): Patch[] {
  const patches: Patch[] = [];
  const pages = placedPages(placements);
  for (const { gpa, bytes } of runs) {
    for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
      if (!pages.delete((gpa + at) / PAGE_SIZE)) continue;
      patchPage(bytes.subarray(at, at + PAGE_SIZE), gpa + at, placedPage(gpa + at, placements, files), patches);
    }
  }
  // What no run has is all zeros.
  for (const page of pages) {
    const gpa = page * PAGE_SIZE;
    patchPage(new Uint8Array(PAGE_SIZE), gpa, placedPage(gpa, placements, files), patches);
  }
  return patches;
}

function placedPage(gpa: number, placements: readonly Placement[], files: readonly Uint8Array[]): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  for (const placement of placements) {
    const from = Math.max(gpa, placement.gpa);
    const to = Math.min(gpa + PAGE_SIZE, placement.gpa + placement.length);
    if (from >= to) continue;
    const start = placement.offset + from - placement.gpa;
    page.set((files[placement.file] as Uint8Array).subarray(start, start + to - from), from - gpa);
  }
  return page;
}

/** Differences nearer to each other than this make one patch. */
const GAP = 8;

function patchPage(actual: Uint8Array, gpa: number, expected: Uint8Array, patches: Patch[]): void {
  if (Buffer.compare(actual, expected) === 0) return;
  let start = -1;
  let end = 0;
  const close = (): void => {
    if (start >= 0) patches.push({ gpa: gpa + start, bytes: actual.slice(start, end) });
  };
  for (let at = 0; at < PAGE_SIZE; at++) {
    if (actual[at] === expected[at]) continue;
    if (start < 0 || at - end > GAP) {
      close();
      start = at;
    }
    end = at + 1;
  }
  close();
}
