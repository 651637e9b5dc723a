/** Sealing, and stopping at a place: instruction counts of traces whose recorder did not count. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { type SealResult, SealSession } from '../../src/replay/seal.js';
import { ReplaySession } from '../../src/replay/session.js';
import { AmendedFile } from '../../src/trace/amended-file.js';
import { COUNTS_PER_FRAME, CountsWriter, parseCounts } from '../../src/trace/counts.js';
import { editTrace } from '../../src/trace/edit.js';
import { TraceReader } from '../../src/trace/reader.js';
import { RecordKind } from '../../src/trace/record.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { recordKicked } from '../helpers/kicked-tape.js';
import { replay } from '../helpers/tape.js';

const SEED = 5;
let directory = '';
/** As KVM would record it, with landmarks; and the same sealed. */
let path = '';
let sealed = '';
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmtape-seal-'));
  path = join(directory, 'a');
  sealed = join(directory, 'b');
  await recordKicked(path, SEED);
  expect(await seal(path, sealed)).toMatchObject({ kind: 'sealed', isNew: true });
});
afterAll(() => rmSync(directory, { recursive: true }));

async function seal(from: string, output?: string): Promise<SealResult> {
  const session = await SealSession.open({ path: from, output, host: realHost });
  try {
    return await session.run();
  } finally {
    session.close();
  }
}

/** The instruction count of each record. */
function countsOf(file: string, from = 0): number[] {
  const reader = new TraceReader(file);
  try {
    const cursor = reader.cursor(from);
    const counts: number[] = [];
    while (cursor.next()) counts.push(cursor.record.retired);
    return counts;
  } finally {
    reader.close();
  }
}

/** The frames of a file, the kinds of them. */
const parts = () => readdirSync(directory).filter((name) => name.endsWith('.part'));

describe('sealing', () => {
  it('gives every record its count, and leaves the rest of the trace as it was', async () => {
    const counts = countsOf(sealed);
    expect(countsOf(path).every(Number.isNaN)).toBe(true);
    expect(counts.length).toBe(countsOf(path).length);
    expect(counts.every((count, index) => count >= (counts[index - 1] ?? 0))).toBe(true);
    expect(countsOf(sealed, 17)).toEqual(counts.slice(17));
    const before = readFileSync(path);
    expect(readFileSync(sealed).subarray(0, before.length).equals(before)).toBe(true);
    expect((await verifyTrace(sealed)).problems).toEqual([]);
    expect(parts()).toEqual([]);
  });

  it('lets replays compare the counts, with landmarks among the records', async () => {
    const reader = new TraceReader(sealed);
    const cursor = reader.cursor();
    let landmarks = 0;
    while (cursor.next()) if (cursor.record.kind === RecordKind.Inject && cursor.record.landing === 3) landmarks++;
    reader.close();
    expect(landmarks).toBeGreaterThan(5);
    for (const mode of ['machine', 'cpu'] as const) {
      expect(await replay(sealed, 'interp', mode)).toMatchObject({ kind: 'complete', notes: [] });
    }
  });

  it('done again writes nothing', async () => {
    const before = readFileSync(sealed);
    expect(await seal(sealed)).toMatchObject({ kind: 'sealed', isNew: false });
    expect(readFileSync(sealed).equals(before)).toBe(true);
  });

  it('in place replaces the trace', async () => {
    const copy = join(directory, 'c');
    copyFileSync(path, copy);
    expect(await seal(copy)).toMatchObject({ kind: 'sealed', isNew: true });
    expect(readFileSync(copy).equals(readFileSync(sealed))).toBe(true);
  });

  it('of a trace from which the replay differs writes nothing', async () => {
    const copy = join(directory, 'd');
    let isChanged = false;
    editTrace(path, copy, {
      record(one) {
        if (!isChanged && one.kind === RecordKind.IoWrite) one.data[0] = (one.data[0] as number) ^ 1;
        isChanged ||= one.kind === RecordKind.IoWrite;
        return true;
      },
    });
    const before = readFileSync(copy);
    expect(await seal(copy)).toMatchObject({ kind: 'unsealed', replay: { kind: 'divergence' } });
    expect(readFileSync(copy).equals(before)).toBe(true);
    expect(parts()).toEqual([]);
  });

  it('with a count that is wrong makes a trace that diverges there', async () => {
    const copy = join(directory, 'e');
    const counts = countsOf(sealed);
    // The last exit: what comes behind it, if anything does, is moved with it.
    const wrong = counts.length - 1;
    const writer = new CountsWriter();
    for (const [index, count] of counts.entries()) writer.add(index >= wrong ? count + 1 : count);
    const file = new AmendedFile(path, copy);
    file.append((appender) => appender.counts(writer.frames()));
    file.finish();
    file.discard();
    expect((await verifyTrace(copy)).problems).toEqual([]);
    const result = await replay(copy, 'interp', 'machine');
    expect(result).toMatchObject({ kind: 'divergence', divergence: { record: wrong } });
  });
});

describe('counts', () => {
  it('of more records than a frame has are several frames', () => {
    const writer = new CountsWriter();
    for (let index = 0; index <= COUNTS_PER_FRAME; index++) writer.add(index * 3);
    const frames = writer.frames();
    expect(frames.map(({ count }) => count)).toEqual([COUNTS_PER_FRAME, 1]);
    const [first, second] = frames.map(({ payload, count }) => parseCounts(payload, count));
    expect(first?.counts.at(-1)).toBe((COUNTS_PER_FRAME - 1) * 3);
    expect(second).toEqual({
      first: COUNTS_PER_FRAME,
      firstRetired: (COUNTS_PER_FRAME - 1) * 3,
      counts: [COUNTS_PER_FRAME * 3],
    });
  });
});

describe('a replay that is to stop', () => {
  it('at a count stops exactly there, wherever it is', async () => {
    for (const untilCount of [0, 1, 2, 999, 1500, 1501, 1502, 1503, 2900]) {
      const session = await ReplaySession.open({ path, host: realHost, untilCount });
      expect(await session.run()).toMatchObject({ kind: 'stopped', instructions: untilCount });
      expect(session.vcpu.retired).toBe(untilCount);
      session.close();
    }
  });
});
