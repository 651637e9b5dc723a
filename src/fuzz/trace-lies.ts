/**
 * Lies that a trace can be built to tell: each is an attack of its own on a reader, made by design; chance (traces.ts) only picks the
 * numbers. Each changes the parts of a trace; what is around them is made right again.
 */
import { brotliCompressSync } from 'node:zlib';
import type { Prng } from '../base/prng.js';
import { ColumnWriter } from '../trace/columns.js';
import { FrameKind, PAGE_SIZE } from '../trace/format.js';
import { packMessage, unpackMessage } from '../trace/msgpack.js';

/** A payload as it stands in the file, and the size that it claims to have when it is decompressed. */
export interface StoredPayload {
  readonly bytes: Uint8Array;
  readonly raw: number;
}

/** A frame of a trace under construction. */
export interface Part {
  kind: number;
  count: number;
  number: number;
  payload: Uint8Array;
  /** Instead of the payload. */
  stored?: StoredPayload;
}

/** Changes parts of a trace. */
export type Lie = (parts: Part[], random: Prng) => void;

const MIB = 0x10_0000;

function pick<T>(list: readonly T[], random: Prng): T {
  return list[random.below(list.length)] as T;
}

function place(parts: readonly Part[], random: Prng): number {
  return random.below(parts.length + 1);
}

function part(kind: number, message: unknown, count = 0): Part {
  return { kind, count, number: 0, payload: packMessage(message) };
}

/** The first part of a kind, its message changed. */
function edit(parts: Part[], kind: number, change: (message: unknown) => unknown): void {
  const found = parts.find((one) => one.kind === kind);
  if (!found) return;
  try {
    found.payload = packMessage(change(unpackMessage(found.payload)));
  } catch {
    // Another change has made it no message.
  }
}

function varints(...values: readonly number[]): Uint8Array {
  const column = new ColumnWriter();
  for (const value of values) column.varint(value);
  return column.peek().slice();
}

function pageMap(set: number, base: number, runs: Uint8Array, isLast = true): Part {
  return part(FrameKind.PageMap, [base, isLast, runs], set);
}

/** Before the end, so that the recording goes on behind it. */
function insert(parts: Part[], random: Prng, ...more: readonly Part[]): void {
  parts.splice(Math.min(parts.length, 1 + random.below(Math.max(1, parts.length))), 0, ...more);
}

/** Memories that are based on themselves, on each other, on later ones, and on too many. */
function cyclicMemories(parts: Part[], random: Prng): void {
  const none = new Uint8Array(0);
  const maps = parts.filter(({ kind }) => kind === FrameKind.PageMap);
  const first = maps.length === 0 ? 0 : Math.max(...maps.map(({ count }) => count)) + 1;
  const checkpoint = (set: number): Part =>
    part(FrameKind.Checkpoint, { record: 1, retired: 1, time: 1, set, parts: [] });
  switch (random.below(5)) {
    case 0:
      insert(parts, random, pageMap(first, first, none), checkpoint(first));
      return;
    case 1:
      insert(parts, random, pageMap(first, first + 1, none), pageMap(first + 1, first, none), checkpoint(first));
      return;
    case 2: {
      const chain = Array.from({ length: 200 }, (_, index) => pageMap(first + index, first + index - 1, none));
      insert(parts, random, ...chain, checkpoint(first + 199));
      return;
    }
    case 3:
      // The same memory again and again, and never its last frame.
      insert(parts, random, ...Array.from({ length: 300 }, () => pageMap(0, -1, varints(0, 2, 0), false)));
      return;
    default:
      for (const map of maps) map.count = random.below(3);
  }
}

/** Blobs with numbers that are not theirs, in pages and in DMA. */
function wrongBlobs(parts: Part[], random: Prng): void {
  const blob = pick([0, 1, 2, 255, 0x7fff_ffff, 2 ** 40], random);
  if (random.below(2) === 0) edit(parts, FrameKind.PageMap, () => [-1, true, varints(0, 2, blob * 2, 5, 2 * 3, 1)]);
  else
    edit(parts, FrameKind.Blobs, (message) => [
      blob,
      ...(Array.isArray(message) ? (message as unknown[]).slice(1) : []),
    ]);
}

/** Much out of little: zeros that decompress to more, or less, than the head says. */
function decompressionBomb(parts: Part[], random: Prng): void {
  const size = pick([1, 100, PAGE_SIZE, MIB - 1, MIB, MIB + 1, 8 * MIB], random);
  const bytes = bombOf(size);
  const raw = pick([0, 1, size - 1, size, size + 1, MIB, MIB + 1, 0xffff_ffff], random);
  const victim = parts[random.below(parts.length)];
  if (victim) victim.stored = { bytes, raw };
}

const bombs = new Map<number, Uint8Array>();
/** So many zeros, compressed. */
function bombOf(size: number): Uint8Array {
  const bomb = bombs.get(size) ?? Uint8Array.from(brotliCompressSync(new Uint8Array(size)));
  bombs.set(size, bomb);
  return bomb;
}

/** A frame of blobs, of a mebibyte when it is decompressed: the payload as it is stored, and its size. */
let largeBlobs: StoredPayload | undefined;

/** Many frames that are small in the file and a mebibyte each. */
function manyBombs(parts: Part[], random: Prng): void {
  if (!largeBlobs) {
    const payload = packMessage([0, new Uint8Array(0), new Uint8Array(0), new Uint8Array(MIB - 100)]);
    largeBlobs = { bytes: Uint8Array.from(brotliCompressSync(payload)), raw: payload.length };
  }
  const kind = pick([FrameKind.Blobs, FrameKind.Index, FrameKind.Records, 77], random);
  for (let count = 1 + random.below(8); count > 0; count--) {
    parts.splice(place(parts, random), 0, {
      kind,
      count: 0,
      number: 0,
      payload: new Uint8Array(0),
      stored: largeBlobs,
    });
  }
}

/** Values in values, as deep as allowed, one deeper, and far too deep; and in the fields of a message. */
function deepMessage(parts: Part[], random: Prng): void {
  const depth = pick([31, 32, 33, 34, 1000, 0xf_0000], random);
  const victim = parts[random.below(parts.length)];
  if (!victim) return;
  const open = pick([0x91, 0x81], random);
  const bytes = new Uint8Array(open === 0x81 ? depth * 2 + 1 : depth + 1).fill(open);
  // In a map, each value has a key before it.
  if (open === 0x81) for (let at = 1; at < bytes.length; at += 2) bytes[at] = 0xa0;
  bytes[bytes.length - 1] = 0xc0;
  victim.payload = bytes.subarray(0, MIB);
}

/** A type, and a length of it that is not there. */
function lyingLength(parts: Part[], random: Prng): void {
  const victim = parts[random.below(parts.length)];
  if (!victim) return;
  const type = pick([0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf], random);
  const head = Uint8Array.of(
    type,
    ...pick(
      [
        [0xff, 0xff, 0xff, 0xff],
        [0x7f, 0xff, 0xff, 0xff],
        [0, 0x10, 0, 0],
      ],
      random,
    ),
  );
  victim.payload = Uint8Array.from(Buffer.concat([head, victim.payload.subarray(random.below(4))])).subarray(0, MIB);
}

/** Counts of frames, records and ends that are not those of what is there. */
function lyingCounts(parts: Part[], random: Prng): void {
  const number = pick([0, 1, 65_535, 65_536, 65_537, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, 0.5], random);
  const field = random.below(4);
  switch (random.below(4)) {
    case 0:
      edit(parts, FrameKind.Records, (message) =>
        Array.isArray(message)
          ? (message as unknown[]).map((value, index) => (index === field ? number : value))
          : message,
      );
      return;
    case 1:
      edit(parts, FrameKind.End, (message) => ({
        ...(message as object),
        [pick(['records', 'retired'], random)]: number,
      }));
      return;
    case 2: {
      const name = pick(['record', 'retired', 'time', 'set'], random);
      edit(parts, FrameKind.Checkpoint, (message) => ({ ...(message as object), [name]: number }));
      return;
    }
    default: {
      const name = pick(['memorySize', 'romSize', 'rtcTime', 'seed'], random);
      edit(parts, FrameKind.Header, (message) => ({ ...(message as object), [name]: number }));
    }
  }
}

/** An index that lists a frame again and again, lists that are too long, and frames that are not there. */
function lyingIndex(parts: Part[], random: Prng): void {
  const rows = pick([1, 3, 1000, 100_000], random);
  const step = random.below(3);
  const column = new ColumnWriter();
  const width = pick([2, 3, 6], random);
  for (let row = 0; row < rows; row++) for (let at = 0; at < width; at++) column.signed(row === 0 ? 1 + at : step);
  const name = pick(['maps', 'checkpoints', 'lists', 'end'], random);
  edit(parts, FrameKind.Root, (message) => ({ ...(message as object), [name]: column.peek().slice(0, 0xf_0000) }));
  if (random.below(2) === 0) return;
  const frames = pick([0, 1, 5000, 300_000], random);
  const ones = (value: number): Uint8Array => new Uint8Array(frames).fill(value);
  const list = [0, 48, 0, 0, ones(FrameKind.Checkpoint), ones(24), ones(0)];
  edit(parts, FrameKind.Root, (message) => ({ ...(message as object), tail: list }));
}

const NAMES = [
  '../../../../../../tmp/vmtape-was-here',
  '/dev/stdin',
  '/dev/zero',
  '\u0000/etc/passwd',
  'C:\\CON',
  '\u001b]0;title\u0007\u001b[2J',
  '__proto__',
  'constructor',
  'toString',
  '\ud800',
  'a'.repeat(70_000),
] as const;

/** Names that could be taken for paths, for what steers a terminal, or for what every object has. */
function strangeNames(parts: Part[], random: Prng): void {
  const name = pick(NAMES, random);
  switch (random.below(4)) {
    case 0:
      edit(parts, FrameKind.Header, (message) => ({
        ...(message as object),
        files: [[name, name, 5, name]],
        options: JSON.stringify({ [name]: name }),
        host: JSON.stringify({ [name]: { [name]: 1 } }),
        ledger: JSON.stringify([{ id: name, source: name, status: name, how: name, hits: name }, null, 7]),
      }));
      return;
    case 1:
      edit(parts, FrameKind.Header, (message) => ({ ...(message as object), cpuModel: name, vmtape: name }));
      return;
    case 2:
      edit(parts, FrameKind.Checkpoint, (message) => ({ ...(message as object), parts: [[name, new Uint8Array(3)]] }));
      return;
    default:
      edit(parts, FrameKind.End, (message) => ({
        ...(message as object),
        message: name,
        reason: name,
        inexact: [name],
      }));
  }
}

/** Frames in another order: all of them the other way round, the end first, twice the same, a file behind a file. */
function otherOrder(parts: Part[], random: Prng): void {
  const copies = (): Part[] => parts.map((one) => ({ ...one, payload: one.payload.slice() }));
  const first = (kind: number): number => parts.findIndex((one) => one.kind === kind);
  switch (random.below(7)) {
    case 0:
      parts.reverse();
      return;
    case 1:
      parts.push(...copies());
      return;
    case 2:
      for (const kind of [FrameKind.End, FrameKind.Checkpoint, FrameKind.Records]) {
        const at = first(kind);
        if (at > 1) parts.splice(1, 0, ...parts.splice(at, 1));
      }
      return;
    case 3: {
      const again = pick(
        [FrameKind.Header, FrameKind.End, FrameKind.Root, FrameKind.Trailer, FrameKind.PageMap],
        random,
      );
      const found = parts[first(again)];
      if (found) parts.splice(place(parts, random), 0, { ...found, payload: found.payload.slice() });
      return;
    }
    case 4: {
      // What others refer to comes last.
      const blobs = parts.filter(({ kind }) => kind === FrameKind.Blobs);
      parts.splice(0, parts.length, ...parts.filter(({ kind }) => kind !== FrameKind.Blobs), ...blobs);
      return;
    }
    case 5:
      parts.splice(random.below(parts.length), 0, ...Array.from({ length: 2000 }, () => part(random.below(20), 0)));
      return;
    default:
      parts.splice(0, 1 + random.below(2));
  }
}

/** A frame with as many records as there can be, each of them as much as it can be: zeros, or a landmark of many pages. */
function muchOfRecords(parts: Part[], random: Prng): void {
  const count = pick([100, 5000, 65_536], random);
  const dma = random.below(2) === 0;
  const shapes = new ColumnWriter();
  const data = dma ? varints(0, 65_536) : Uint8Array.of(1);
  for (const byte of dma ? [13, 2] : [12, 0]) shapes.u8(byte);
  shapes.varint(0);
  shapes.varint(data.length * count);
  const many = new Uint8Array(data.length * count);
  for (let at = 0; at < many.length; at += data.length) many.set(data, at);
  const none = new Uint8Array(0);
  const zeroCounts = new Uint8Array(count);
  edit(parts, FrameKind.Records, () => [
    0,
    count,
    0,
    0,
    shapes.peek().slice(),
    new Uint8Array(count),
    zeroCounts,
    many,
    none,
    none,
  ]);
  const found = parts.find(({ kind }) => kind === FrameKind.Records);
  if (found) found.count = count;
}

/** All lies by name. */
export const lies: Readonly<Record<string, Lie>> = {
  cyclicMemories,
  wrongBlobs,
  decompressionBomb,
  manyBombs,
  deepMessage,
  lyingLength,
  lyingCounts,
  lyingIndex,
  strangeNames,
  otherOrder,
  muchOfRecords,
};
const all = Object.values(lies);

/** Tells one of them. */
export function lie(parts: Part[], random: Prng): void {
  if (parts.length > 0) pick(all, random)(parts, random);
}
