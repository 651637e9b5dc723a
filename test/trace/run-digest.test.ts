/** The rolling digest of the architectural records: in recordings, in the index, in replays. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { editTrace } from '../../src/trace/edit.js';
import { FrameFile } from '../../src/trace/frame-file.js';
import { TraceReader } from '../../src/trace/reader.js';
import { RecordKind, TraceRecord } from '../../src/trace/record.js';
import { repairTrace } from '../../src/trace/repair.js';
import { lastCommonMark, RunDigest, type RunMark } from '../../src/trace/run-digest.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { imageOf, machineOf, record, replay } from '../helpers/tape.js';
import { rewrite } from '../helpers/trace.js';

let directory = '';
let path = '';
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmtape-digest-'));
  path = join(directory, 'a.vmtape');
  // The guest polls, and polls most often where that takes no time.
  await record({ ...machineOf('interp', imageOf('prot32-ticks'), 'prot32', 0x10_0000), exitTime: 0 }, path);
});
afterAll(() => rmSync(directory, { recursive: true }));

function marksOf(file: string): RunMark[] {
  const reader = new TraceReader(file);
  try {
    return reader.marks();
  } finally {
    reader.close();
  }
}

async function problems(file: string): Promise<string[]> {
  return (await verifyTrace(file)).problems.map(({ message }) => message.replace(/^.*byte \d+ /, ''));
}

/** The digest of one record as it is read. */
function digestOf(change: (record: TraceRecord) => void): string {
  const one = new TraceRecord();
  Object.assign(one, { kind: RecordKind.IoRead, address: 0x3fd, size: 2 });
  one.data.set([1, 2, 3, 4, 5, 6, 7, 8]);
  change(one);
  const digest = new RunDigest();
  digest.add(one);
  return Buffer.from(digest.bytes()).toString('hex');
}

describe('the digest of a record', () => {
  it('tells apart all that is in it, and nothing else', () => {
    const plain = digestOf(() => {});
    const changes: ((record: TraceRecord) => void)[] = [
      (one) => Object.assign(one, { kind: RecordKind.IoWrite }),
      (one) => Object.assign(one, { address: 0x3fc }),
      (one) => Object.assign(one, { address: 0x3fd + 2 ** 32 }),
      (one) => Object.assign(one, { size: 4 }),
      (one) => one.data.fill(0, 1, 2),
    ];
    for (const change of changes) expect(digestOf(change)).not.toBe(plain);
    expect(new Set(changes.map(digestOf)).size).toBe(changes.length);
    expect(digestOf((one) => one.data.fill(0, 2, 3))).toBe(plain);
    expect(digestOf((one) => Object.assign(one, { retired: 5, ordinal: 7 }))).toBe(plain);
  });

  it('does not have what a refused read would have answered', () => {
    const refused = (data: number) =>
      digestOf((one) => {
        Object.assign(one, { kind: RecordKind.MsrRead, size: 8, fault: true });
        one.data.fill(data);
      });
    expect(refused(1)).toBe(refused(2));
  });

  it('is the whole state: one can go on from it', () => {
    const [first, second] = [new RunDigest(), new RunDigest()];
    first.plain(RecordKind.Halt);
    second.resume(first.bytes());
    first.plain(RecordKind.Shutdown);
    second.plain(RecordKind.Shutdown);
    expect(second.is(first.bytes())).toBe(true);
  });
});

describe('a recording', () => {
  it('has a mark after each 4,096 architectural records, and lists them at its end', async () => {
    const marks = marksOf(path);
    expect(marks.map(({ architectural }) => architectural)).toEqual([4096, 8192, 12_288, 16_384]);
    const reader = new TraceReader(path);
    const cursor = reader.cursor();
    const digest = new RunDigest();
    const found: RunMark[] = [];
    let architectural = 0;
    while (cursor.next()) {
      const one = cursor.record;
      if (one.architectural) architectural++;
      digest.add(one);
      if (one.kind !== RecordKind.Digest || one.stateDigest.length > 0) continue;
      expect(digest.is(one.bytes)).toBe(true);
      found.push({ architectural, record: one.ordinal, digest: Uint8Array.from(one.bytes) });
    }
    reader.close();
    expect(marks).toEqual(found);
    expect(await problems(path)).toEqual([]);
  });

  it('that was not closed gets its list by repair', () => {
    const copy = join(directory, 'cut');
    const marks = [...new FrameFile(path).frames()].find(({ kind }) => kind === 11);
    writeFileSync(copy, readFileSync(path).subarray(0, marks?.place.byte));
    expect(marksOf(copy)).toEqual([]);
    repairTrace(copy);
    expect(marksOf(copy)).toEqual(marksOf(path));
  });

  it('of which a digest was changed does not verify, and diverges at it', async () => {
    const copy = join(directory, 'changed');
    const { record: ordinal } = marksOf(path)[2] as RunMark;
    rewrite(path, copy, (one) => {
      if (one.ordinal === ordinal) one.bytes = one.bytes.map((byte) => byte ^ 1);
    });
    expect(await problems(copy)).toContain('has a digest that is not that of its records');
    for (const mode of ['machine', 'cpu'] as const) {
      const result = await replay(copy, 'interp', mode);
      expect(result).toMatchObject({ kind: 'divergence', divergence: { record: ordinal } });
    }
  });

  it('whose list has another digest does not verify', async () => {
    const copy = join(directory, 'listed');
    const bytes = readFileSync(path);
    const [mark] = marksOf(path);
    const at = bytes.lastIndexOf(Buffer.from((mark as RunMark).digest));
    expect(at).toBeGreaterThan(0);
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(copy, bytes);
    expect((await problems(copy)).length).toBeGreaterThan(0);
  });
});

describe('two traces', () => {
  it('are found to differ between two marks, whichever record differs', () => {
    const copy = join(directory, 'other');
    const marks = marksOf(path);
    for (const changed of [0, 4095, 4097, 9000, 12_400, 18_900]) {
      let isChanged = false;
      editTrace(path, copy, {
        record(one) {
          if (isChanged || one.ordinal < changed || one.kind !== RecordKind.IoWrite) return true;
          isChanged = true;
          one.data[0] = (one.data[0] as number) ^ 0x80;
          return true;
        },
      });
      const common = lastCommonMark(marks, marksOf(copy));
      expect(common?.a).toEqual(marks.filter(({ record: ordinal }) => ordinal <= changed).at(-1));
      expect(common?.b).toEqual(common?.a);
    }
  });

  it('without marks have none in common', () => {
    expect(lastCommonMark([], marksOf(path))).toBeUndefined();
  });
});
