/** Traces of each version of the format, kept in corpora/traces. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VmtapeError } from '../../src/base/errors.js';
import { blobHash } from '../../src/trace/blobs.js';
import { FrameFile } from '../../src/trace/frame-file.js';
import { openTrace } from '../../src/trace/open.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { replay } from '../helpers/tape.js';
import { linesOf, rewrite } from '../helpers/trace.js';

const corpus = new URL('../../corpora/traces', import.meta.url).pathname;

const known = [
  '#0 @515 io-write port 0x20 size 1 = 0x11',
  '#1 @516 io-write port 0xa0 size 1 = 0x11',
  '#2 @518 io-write port 0x21 size 1 = 0x20',
  '#1000 @361100 io-write port 0x80 size 1 = 0x49',
  '#18958 @7495221 io-write port 0xf4 size 1 = 0x10',
];

describe('a trace of version 0', () => {
  it('is refused with a sentence that says what to do', async () => {
    const error = await openTrace(join(corpus, 'version-0.vmtape')).catch((thrown: unknown) => thrown);
    if (!(error instanceof VmtapeError)) throw error;
    expect(error.code).toBe('VMTAPE_TRACE_VERSION');
    expect(error.exitCode).toBe(5);
    expect(error.message).toContain('is a trace of version 0; this vmtape reads version 1');
    expect(error.hint).toContain('record the guest again');
  });
});

describe('a trace of version 1', () => {
  const path = join(corpus, 'version-1.vmtape');

  it('is read', async () => {
    expect((await verifyTrace(path)).problems).toEqual([]);
    const trace = await openTrace(path);
    expect(trace.header).toMatchObject({ engine: 'interp', counting: true, memorySize: 0x40_0000, date: 0 });
    expect(trace.totals).toMatchObject({ records: 18_959, isComplete: true, isClosed: true });
    expect(trace.end).toMatchObject({ reason: 'exit-port', exitCode: 33, retired: 7_495_222 });
    const lines = linesOf(path);
    trace.close();
    expect([0, 1, 2, 1000, 18_958].map((ordinal) => lines[ordinal])).toEqual(known);
  });

  it('replays', async () => {
    for (const mode of ['cpu', 'machine'] as const) {
      expect(await replay(path, 'interp', mode)).toMatchObject({ kind: 'complete', records: 18_959, notes: [] });
    }
  });

  it('is written again byte by byte', () => expectRewritten(path, 48));
});

describe('a trace of version 1.1', () => {
  const path = join(corpus, 'version-1.1.vmtape');

  it('is read, with its digests', async () => {
    expect((await verifyTrace(path)).problems).toEqual([]);
    const trace = await openTrace(path);
    const digest = Uint8Array.of(0x43, 0xd0, 0x22, 0xc0, 0x68, 0x93, 0xa5, 0xa7);
    expect(trace.marks()).toEqual([{ architectural: 4096, record: 4096, digest }]);
    trace.close();
    const lines = linesOf(path);
    expect(lines).toHaveLength(5003);
    expect(lines[4096]).toBe('#4096 @16382 digest run 43d022c06893a5a7');
    expect(lines[5001]).toMatch(
      /^#5001 @10000000 digest run 450621053647f48f state 012e2fd072eedff12945ed22f79d3dce2e5d/,
    );
  });

  it('replays, and its digests are compared', async () => {
    for (const mode of ['cpu', 'machine'] as const) {
      const result = await replay(path, 'interp', mode);
      expect(result).toMatchObject({ kind: 'complete', records: 5003, notes: [], digests: { states: 1 } });
    }
  });

  it('is written again byte by byte', () => expectRewritten(path, 0));
});

/** Today's writer writes the trace again: the same frames, and, behind `start`, the same bytes. The prelude has the revision of the writer. */
function expectRewritten(path: string, start: number): void {
  const copy = join(mkdtempSync(join(tmpdir(), 'vmtape-golden-')), 'copy');
  try {
    rewrite(path, copy);
    const frames = (file: string) =>
      [...new FrameFile(file).frames()].map(({ kind, count, payload }) => ({
        kind,
        count,
        digest: blobHash(payload).toString('hex'),
      }));
    // The root has the sizes of compressed frames.
    const isSame = ({ kind }: { readonly kind: number }) => kind !== 9 && kind !== 10;
    expect(frames(copy).filter(isSame)).toEqual(frames(path).filter(isSame));
    // Another version of Brotli may compress the same payloads to other bytes.
    const bytes = (file: string) => readFileSync(file).subarray(start);
    if (process.versions['brotli'] === '1.1.0') expect(bytes(copy).equals(bytes(path))).toBe(true);
  } finally {
    rmSync(dirname(copy), { recursive: true });
  }
}
