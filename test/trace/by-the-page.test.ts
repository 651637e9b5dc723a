/** docs/trace-format.md is enough to write a reader: one that was written from it reads what we write, and the golden traces. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { SealSession } from '../../src/replay/seal.js';
import { sliceTrace } from '../../src/replay/slice.js';
import { openTrace } from '../../src/trace/open.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { top, vmtape, workFolder } from '../helpers/cli.js';
import { recordKicked } from '../helpers/kicked-tape.js';
import { type PageTrace, readByThePage } from '../helpers/page-reader.js';
import { guests, imageOf, machineOf, record } from '../helpers/tape.js';
import { smallEnd, smallHeader } from '../helpers/trace.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  for (const version of ['version-1', 'version-1.1'])
    copyFileSync(join(top, 'corpora/traces', `${version}.vmtape`), at(version));
  for (const name of ['apics', 'clocks', 'real-strings']) {
    const [mode, loadAt] = guests[name] as (typeof guests)[string];
    await record(machineOf('interp', imageOf(name), mode, loadAt, { limits: { exits: 6000 } }), at(name));
  }
  await vmtape(['replay', at('apics'), '--checkpoint-every', '300', '-o', at('checkpoints')]);
  const flat = join(top, 'corpora/guests/prot32-ticks.bin');
  const flags = ['--engine', 'interp', '--flat', flat, '--load-at', '0x100000', '--mode', 'prot32', '--serial', 'none'];
  await vmtape(['record', ...flags, '--no-embed', '-o', at('placed')]);
  await recordKicked(at('landmarks'), 3);
  await recordKicked(at('waypoints'), 4, true);
  const session = await SealSession.open({ path: at('landmarks'), output: at('sealed'), host: realHost });
  await session.run();
  session.close();
  await sliceTrace(at('apics'), at('slice'), { first: 200, last: 700 });
  await sliceTrace(at('sealed'), at('sealed slice'), { first: 8, last: 20 });
  writeRare(at('rare'));
}, 120_000);

/** What no guest of ours does: many frames, vCPUs, DMA in all its ways, far addresses, refused MSRs. */
function writeRare(path: string): void {
  const writer = new TraceWriter(path, smallHeader, { ram: [{ gpa: 0x3000, bytes: new Uint8Array(0x3000).fill(7) }] });
  const view = new DataView(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer);
  for (let index = 0; index < 9000; index++) {
    const retired = index * 10;
    writer.records.vcpu = (index >> 4) % 3;
    if (index % 9 === 0) writer.records.msr(5, retired, 0x1b, index % 2 === 0, view, 0);
    else if (index % 9 === 1) writer.dma(retired, index * 8, new Uint8Array(700).fill(index % 5));
    else if (index % 9 === 2) writer.dma(retired, index, Uint8Array.of(index & 255, 3));
    else if (index % 9 === 3) writer.records.time(retired, index * 1000);
    else if (index % 9 === 4) writer.records.assist(retired, Uint8Array.of(0x0f, 0x0b, index & 255), 64);
    else writer.records.access(4, retired, 0xfee0_0000 + index * 8, 8, view, 0);
    if (index % 4 === 0) writer.flush();
  }
  writer.finish({ ...smallEnd, retired: 90_000 });
}

async function lines(path: string): Promise<unknown[]> {
  const { stdout } = await vmtape(['export', path, '--format', 'jsonl']);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe.each([
  ...['version-1', 'version-1.1', 'apics', 'clocks', 'real-strings'],
  ...['checkpoints', 'placed', 'landmarks', 'waypoints', 'sealed', 'slice', 'sealed slice', 'rare'],
])('a reader written from the page reads the trace %s', (name) => {
  let page: PageTrace;
  beforeAll(() => {
    page = readByThePage(at(name));
  });

  it('with the records that export tells', async () => {
    expect(page.records.length).toBeGreaterThan(5);
    const expected = await lines(at(name));
    expect(page.records).toHaveLength(expected.length);
    const wrong = page.records.findIndex((found, index) => !isDeepStrictEqual(found, expected[index]));
    expect(page.records[wrong]).toEqual(expected[wrong]);
    expect(wrong).toBe(-1);
  });

  it('with its header, its end, its marks and its checkpoints', async () => {
    const trace = await openTrace(at(name));
    const { engine, memorySize, counting, files } = trace.header;
    expect(page.header).toMatchObject({ engine, memorySize, counting });
    expect(page.header['files']).toEqual(files.map(({ role, name: file, size, sha256 }) => [role, file, size, sha256]));
    expect(page.id).toEqual(trace.header.id);
    expect(page.date).toBe(trace.header.date);
    const { reason, records, retired, memoryDigest } = trace.end as NonNullable<typeof trace.end>;
    expect(page.end).toMatchObject({ reason, records, retired, memoryDigest });
    const marks = trace
      .marks()
      .map(({ architectural, record: ordinal, digest }) => [
        ...[architectural, ordinal, Buffer.from(digest).toString('hex')],
      ]);
    expect(page.marks).toEqual(marks);
    expect(page.reckoned).toBe(marks.length);
    const found = page.checkpoints.map(({ record: ordinal, set, parts }) => ({ ordinal, set, parts }));
    const known = trace.checkpoints().map(({ record: ordinal, set, parts }) => ({
      ...{ ordinal, set, parts: Object.entries(parts).map(([part, bytes]) => [part, Uint8Array.from(bytes)]) },
    }));
    expect(found).toEqual(known);
    trace.close();
  });

  it('with all its memories', async () => {
    const trace = await openTrace(at(name));
    if (page.placements.length > 0) expect(page.header['embedded']).toBe(false);
    else {
      for (const [set, memory] of page.memories.entries()) {
        const whole = Buffer.alloc(trace.header.memorySize);
        trace.loadMemory((gpa, bytes) => whole.set(bytes, gpa), set);
        const ours = Buffer.alloc(trace.header.memorySize);
        for (const [number, bytes] of memory) ours.set(bytes, number * 4096);
        expect(ours.equals(whole), `memory ${set}`).toBe(true);
      }
    }
    expect(page.memories.length).toBe(1 + Math.max(0, ...page.checkpoints.map(({ set }) => set as number)));
    trace.close();
  });
});

it('these traces have what is rare', () => {
  expect(page('apics').records.length).toBeGreaterThan(100);
  expect(page('checkpoints').checkpoints.length).toBeGreaterThan(1);
  expect(page('placed').placements.length).toBeGreaterThan(0);
});

function page(name: string): PageTrace {
  return readByThePage(at(name));
}
