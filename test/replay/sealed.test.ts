/** What the tools make of a trace that was sealed: the counts stay with their records. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { SealSession } from '../../src/replay/seal.js';
import { type SliceResult, sliceTrace } from '../../src/replay/slice.js';
import { TraceAppender } from '../../src/trace/append.js';
import { CountsWriter } from '../../src/trace/counts.js';
import { diffTraces } from '../../src/trace/diff.js';
import { editTrace } from '../../src/trace/edit.js';
import { openTrace } from '../../src/trace/open.js';
import { TraceReader } from '../../src/trace/reader.js';
import { formatRecord } from '../../src/trace/record.js';
import { repackTrace } from '../../src/trace/repack.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { vmtape } from '../helpers/cli.js';
import { recordKicked } from '../helpers/kicked-tape.js';
import { imageOf, replay } from '../helpers/tape.js';
import { linesOf, smallEnd, smallHeader } from '../helpers/trace.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-sealed-'));
afterAll(() => rmSync(directory, { recursive: true }));
const at = (name: string) => join(directory, name);
const guest = imageOf('landmarks');
const sha256 = createHash('sha256').update(guest).digest('hex');
const files = (hash: string) => (hash === sha256 ? guest : undefined);

beforeAll(async () => {
  await recordKicked(at('kicked'), 9);
  editTrace(at('kicked'), at('plain'), {
    header: (header) => ({ ...header, files: [{ role: 'flat', name: 'landmarks.bin', size: guest.length, sha256 }] }),
  });
  const session = await SealSession.open({ path: at('plain'), output: at('sealed'), host: realHost });
  expect(await session.run()).toMatchObject({ kind: 'sealed', isNew: true });
  session.close();
});

/** All records of a trace, as a library reads them. */
async function library(path: string, from = 0): Promise<string[]> {
  const trace = await openTrace(path);
  const lines: string[] = [];
  for await (const record of trace.records(from)) lines.push(formatRecord(record));
  trace.close();
  return lines;
}

describe('a sealed trace', () => {
  it('has its counts in the library, inspect and jsonl, from any record on', async () => {
    const lines = linesOf(at('sealed'));
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.every((line) => /^#\d+ @\d+ /.test(line))).toBe(true);
    expect(await library(at('sealed'))).toEqual(lines);
    expect(await library(at('sealed'), 11)).toEqual(lines.slice(11));
    expect(await library(at('plain'))).toEqual(lines.map((line) => line.replace(/ @\d+/, '')));
    const trace = await openTrace(at('sealed'));
    expect(formatRecord((await trace.record(12)) as never)).toBe(lines[12]);
    trace.close();
    const counts = lines.map((line) => Number(/@(\d+)/.exec(line)?.[1]));
    const shown = await vmtape(['inspect', at('sealed'), '--records', '0..', '--json']);
    const retired = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).retired);
    expect(retired(shown.stdout)).toEqual(counts);
    const { stdout } = await vmtape(['export', at('sealed'), '--format', 'jsonl']);
    expect(retired(stdout).filter((count) => count !== undefined)).toEqual(counts);
  });

  it('is unpacked and packed again to the bytes that it had', async () => {
    await repackTrace(at('sealed'), at('small'), { embed: false, files });
    expect((await verifyTrace(at('small'))).problems).toEqual([]);
    expect(linesOf(at('small'))).toEqual(linesOf(at('sealed')));
    const { after } = await repackTrace(at('small'), at('again'), { embed: true, files });
    expect(readFileSync(at('again')).equals(readFileSync(at('sealed')))).toBe(true);
    expect(after).toBe(readFileSync(at('sealed')).length);
  });

  it('gives slices that have the counts of the whole, and compare them', async () => {
    const whole = linesOf(at('sealed'));
    const made = (await sliceTrace(at('sealed'), at('slice'), { first: 8, last: 19 })) as SliceResult;
    const bare = (line: string) => line.replace(/^#\d+ /, '').replace(/(digest run) \w+/, '$1');
    expect(linesOf(at('slice')).map(bare)).toEqual(whole.slice(made.first, made.last + 1).map(bare));
    expect((await verifyTrace(at('slice'))).problems).toEqual([]);
    expect(await replay(at('slice'), 'interp', 'machine')).toMatchObject({ kind: 'complete' });
    // One that is wrong is found.
    const reader = new TraceReader(at('slice'));
    const writer = new CountsWriter(reader.checkpointBefore(0)?.checkpoint.retired);
    reader.close();
    const lines = linesOf(at('slice'));
    const wrong = lines.findLastIndex((line) => line.includes('inject'));
    for (const [index, line] of lines.entries()) writer.add(Number(/@(\d+)/.exec(line)?.[1]) + Number(index >= wrong));
    await sliceTrace(at('plain'), at('wrong'), { first: 8, last: 19 });
    const appender = new TraceAppender(at('wrong'));
    appender.counts(writer.frames());
    appender.finish();
    appender.close();
    const result = await replay(at('wrong'), 'interp', 'machine');
    expect(result).toMatchObject({ kind: 'divergence', divergence: { record: wrong } });
  });

  it('is equal to what it was before, for diff', async () => {
    for (const all of [false, true]) {
      const [a, b] = [new TraceReader(at('plain')), new TraceReader(at('sealed'))];
      expect(await diffTraces(a, b, { all })).toMatchObject({ same: true });
      a.close();
      b.close();
    }
    expect((await vmtape(['diff', at('sealed'), at('plain'), '--all'])).code).toBe(0);
  });
});

it('a trace of more records than a frame of counts has gives each record its own', async () => {
  const writer = new TraceWriter(at('long'), { ...smallHeader, counting: false, engine: 'kvm' }, { ram: [] });
  const counts = new CountsWriter();
  for (let index = 0; index < 70_000; index++) {
    writer.records.plain(7, 0);
    counts.add(index * 3);
    if (index % 1000 === 999) writer.flush();
  }
  writer.finish({ ...smallEnd, retired: -1 });
  const appender = new TraceAppender(at('long'));
  appender.counts(counts.frames());
  appender.finish();
  appender.close();
  const trace = await openTrace(at('long'));
  for (const ordinal of [65_535, 65_536, 2, 69_999, 0])
    expect((await trace.record(ordinal))?.retired).toBe(ordinal * 3);
  trace.close();
  expect(linesOf(at('long'), 65_530).slice(0, 8)).toEqual(linesOf(at('long')).slice(65_530, 65_538));
});
