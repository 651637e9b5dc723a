/** Where two traces begin differently: in their machines, and in the memory before the first instruction. */
import { hex } from '../base/hex.js';
import { BlobFrame } from './blobs.js';
import { BLOB_HASH_SIZE, FrameKind, PAGE_SIZE } from './format.js';
import { headerMessage } from './header.js';
import { type PageTable, ZERO_PAGE } from './image.js';
import { packMessage } from './msgpack.js';
import type { TraceReader } from './reader.js';
import { parsed } from './trace-index.js';

/** What of the header a run depends on, in words. */
const FIELDS: readonly (readonly [field: string, name: string])[] = [
  ['cpuid', 'CPUID'],
  ['memorySize', 'the size of memory'],
  ['romSize', 'the size of the ROM'],
  ['cpuState', 'the state of the CPU'],
  ['hooks', 'the hooks'],
  ['rtcTime', 'the time of the real-time clock'],
  ['seed', 'the seed of random numbers'],
  ['strictBus', '--strict-bus'],
  ['chipset', 'the chipset'],
  ['tsc', '--tsc'],
];

/** What differs, in words; empty: nothing. Contents of memory are read only if their checksums differ. */
export function startDifferences(a: TraceReader, b: TraceReader): string[] {
  const [first, second] = [headerMessage(a.header), headerMessage(b.header)];
  const found = FIELDS.filter(([field]) => !sameBytes(packMessage(first[field]), packMessage(second[field]))).map(
    ([, name]) => name,
  );
  if (a.header.memorySize !== b.header.memorySize || a.header.romSize !== b.header.romSize) return found;
  const memory = memoryDifference(a, b);
  return memory === undefined ? found : [...found, memory];
}

function memoryDifference(a: TraceReader, b: TraceReader): string | undefined {
  if (a.header.embedded !== b.header.embedded) return 'memory, which cannot be compared: only one trace has its guest';
  if (!a.header.embedded && placedBytes(a) !== placedBytes(b)) return 'memory: the parts of files in it';
  const [first, second] = [a.memoryTable(0), b.memoryTable(0)];
  const highest = Math.max(ZERO_PAGE, ...maximum(first.blobs));
  if (sameBytes(bytesOf(first.blobs), bytesOf(second.blobs)) && sameFrames(a, b, highest)) return undefined;
  return pagesDifference(pageHashes(a, first), pageHashes(b, second), first);
}

/** Files and placements, as text. */
function placedBytes(reader: TraceReader): string {
  const frames = [...reader.index.framesOf(FrameKind.Placements)].map((place) =>
    Buffer.from(reader.read(place).payload).toString('latin1'),
  );
  return JSON.stringify([reader.header.files.map(({ sha256 }) => sha256), frames]);
}

function maximum(blobs: Int32Array): number[] {
  return blobs.length === 0 ? [] : [blobs.reduce((most, one) => Math.max(most, one))];
}

/** The frames with the contents up to that of number `highest` have equal checksums. */
function sameFrames(a: TraceReader, b: TraceReader, highest: number): boolean {
  const second = b.index.framesOf(FrameKind.Blobs);
  let blobs = 0;
  for (const place of a.index.framesOf(FrameKind.Blobs)) {
    if (blobs > highest) break;
    const other = second.next().value;
    if (!other) return false;
    const [head, otherHead] = [a.head(place), b.head(other)];
    const isSame =
      head.number === otherHead.number && head.checksum === otherHead.checksum && head.stored === otherHead.stored;
    if (!isSame) return false;
    blobs += head.count;
  }
  return true;
}

/** The hash of each page's content, by its slot; empty: all zeros. */
function pageHashes(reader: TraceReader, { blobs }: PageTable): string[] {
  const hashes: string[] = [];
  const wanted = new Set(blobs);
  for (const place of reader.index.framesOf(FrameKind.Blobs)) {
    const frame = parsed(reader.read(place), (payload) => new BlobFrame(payload));
    for (let number = frame.first; number < frame.first + frame.count; number++) {
      if (wanted.has(number)) {
        hashes[number] = Buffer.from(frame.hash(number).subarray(0, BLOB_HASH_SIZE)).toString('latin1');
      }
    }
  }
  return Array.from(blobs, (blob) => (blob === ZERO_PAGE ? '' : (hashes[blob] ?? '')));
}

function pagesDifference(a: readonly string[], b: readonly string[], table: PageTable): string | undefined {
  const slots = a.flatMap((hash, slot) => (hash === b[slot] ? [] : [slot]));
  if (slots.length === 0) return undefined;
  const address = hex(table.page(slots[0] as number) * PAGE_SIZE);
  return slots.length === 1
    ? `memory: the page at ${address}`
    : `memory: ${slots.length} pages, the first at ${address}`;
}

function bytesOf(array: Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
