/** Files without the frames of the index, as another writer may leave them: what repair makes of them every reader reads. */
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TraceAppender } from '../../src/trace/append.js';
import { encodeFrame } from '../../src/trace/frame.js';
import { FrameFile } from '../../src/trace/frame-file.js';
import { IndexBuilder } from '../../src/trace/frame-index.js';
import { packMessage } from '../../src/trace/msgpack.js';
import { TraceReader } from '../../src/trace/reader.js';
import { repairTrace } from '../../src/trace/repair.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { workFolder } from '../helpers/cli.js';
import { readByThePage } from '../helpers/page-reader.js';
import { linesOf, ramOf, smallEnd, smallHeader } from '../helpers/trace.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);
const [INDEX, ROOT, TRAILER, END] = [8, 9, 10, 6];
/** Of root and trailer, and of a trailer alone. */
const TRAILER_BYTES = 48;

/** A trace with so many frames of records, of one record each, and now and then one of blobs. */
function writeTrace(path: string, frames: number): void {
  const ram = new Uint8Array(0x10_0000).fill(7, 0x3000, 0x5000);
  const writer = new TraceWriter(path, smallHeader, { ram: [{ gpa: 0, bytes: ram }] });
  const view = new DataView(new ArrayBuffer(8));
  for (let index = 0; index < frames; index++) {
    view.setUint16(0, index);
    if (index % 100 === 50) writer.dma(index, 0x2000, new Uint8Array(700).fill(index % 251));
    else writer.records.access(2, index, 0x80, 2, view, 0);
    writer.flush();
  }
  writer.finish({ ...smallEnd, retired: frames });
}

/** The trace again, its frames numbered anew: without those of the kinds, and with others before the frames of some numbers. */
function without(
  from: string,
  to: string,
  kinds: readonly number[],
  more: ReadonlyMap<number, Uint8Array> = new Map(),
): void {
  const pieces: Uint8Array[] = [readFileSync(from).subarray(0, 48)];
  const add = (kind: number, count: number, payload: Uint8Array) =>
    pieces.push(encodeFrame(kind, pieces.length - 1, count, payload, payload));
  const file = new FrameFile(from);
  for (const { kind, count, payload, number } of file.frames()) {
    const index = more.get(number);
    if (index) add(INDEX, 0, index);
    if (!kinds.includes(kind)) add(kind, count, Uint8Array.from(payload));
  }
  file.close();
  writeFileSync(to, Buffer.concat(pieces));
}

/** What is wrong, and how many lists there are besides the one in the root. */
async function verdict(path: string): Promise<{ problems: string[]; lists: number }> {
  const reader = new TraceReader(path);
  reader.close();
  const { problems } = await verifyTrace(path);
  return { problems: problems.map(({ message }) => message), lists: reader.index.root.lists.length };
}

/** Records, found one by one too, and memory are those of the other trace. */
function expectSame(path: string, whole: string): void {
  const lines = linesOf(whole);
  expect(linesOf(path)).toEqual(lines);
  const [reader, other] = [new TraceReader(path), new TraceReader(whole)];
  for (let ordinal = 0; ordinal < lines.length; ordinal += 97) {
    const cursor = reader.cursor(ordinal);
    expect(cursor.next() && cursor.record.ordinal).toBe(ordinal);
  }
  expect(Buffer.compare(ramOf(reader), ramOf(other))).toBe(0);
  reader.close();
  other.close();
}

describe.each([
  // Frames in all; with these, how many indexes repair writes.
  [1500, 1],
  [2060, 2],
  [5300, 5],
])('a trace of %d frames of records without an index', (frames, lists) => {
  const whole = at(`whole-${frames}`);
  writeTrace(whole, frames);

  it.each([
    ['with its end', 'closed', [INDEX, ROOT, TRAILER]],
    ['without its end', 'ended', [INDEX, ROOT, TRAILER, END]],
  ] as const)('%s is read as it is, and repaired is a trace as others', async (_name, kind, kinds) => {
    const path = at(`${frames}-${kind}`);
    without(whole, path, kinds);
    expect(linesOf(path).slice(0, -1)).toEqual(linesOf(whole));
    expect(repairTrace(path)).toMatchObject({ kind, records: frames, lost: 0 });
    expect(await verdict(path)).toEqual({ problems: [], lists });
    expectSame(path, whole);
    expect(readByThePage(path).records).toHaveLength(frames);
  });

  it('repaired, and cut off again, is repaired to the same bytes', () => {
    const [path, output] = [at('again'), at('output')];
    without(whole, path, [INDEX, ROOT, TRAILER]);
    repairTrace(path);
    const bytes = readFileSync(path);
    truncateSync(path, bytes.length - TRAILER_BYTES);
    repairTrace(path, output);
    expect(readFileSync(output).equals(bytes)).toBe(true);
    expect(linesOf(path).slice(0, -1)).toEqual(linesOf(whole));
  });
});

it('an index that lists something else is passed over by repair, and named by verify', async () => {
  const [whole, path] = [at('whole'), at('foreign')];
  writeTrace(whole, 2500);
  const wrong = packMessage([0, 48, 0, 0, Uint8Array.of(1), Uint8Array.of(30), Uint8Array.of(0)]);
  without(whole, path, [INDEX, ROOT, TRAILER], new Map([[1100, wrong]]));
  expect(repairTrace(path)).toMatchObject({ kind: 'closed', records: 2500 });
  expectSame(path, whole);
  const { problems } = await verdict(path);
  expect(problems[0]).toMatch(/frame 1099 .* has an index that is not that of the file/);
});

it('a root that leaves out frames for which there is no index is refused', async () => {
  const [whole, path] = [at('whole'), at('lying')];
  writeTrace(whole, 2500);
  without(whole, path, [INDEX, ROOT, TRAILER]);
  const index = new IndexBuilder();
  const file = new FrameFile(path);
  for (const { kind, stored, count } of file.frames()) index.add(kind, 24 + stored, count);
  file.close();
  const root = index.root(true);
  writeFileSync(path, encodeFrame(ROOT, index.frames, 0, root, root), { flag: 'a' });
  const { problems } = await verifyTrace(path);
  expect(problems.map(({ message }) => message).join()).toMatch(/is a root, and .* there is no index/);
});

it('a trace that is amended again and again with nothing stays a trace', async () => {
  const [whole, path] = [at('whole'), at('amended')];
  writeTrace(whole, 1000);
  copyFileSync(whole, path);
  for (let times = 0; times < 540; times++) new TraceAppender(path).finish();
  expect(await verdict(path)).toEqual({ problems: [], lists: 2 });
  expectSame(path, whole);
});
