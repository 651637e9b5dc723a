/** The readers of traces against hostile ones: a bounded part of `npm run fuzz -- --target traces`. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { lies } from '../../src/fuzz/trace-lies.js';
import { readHostile, type TraceReading, traceReadings } from '../../src/fuzz/trace-readers.js';
import { fuzzTraces, hostileTrace } from '../../src/fuzz/trace-run.js';
import { writeRunSeeds } from '../../src/fuzz/trace-run-seeds.js';
import { writeSeedTraces } from '../../src/fuzz/trace-seeds.js';
import { lyingTrace } from '../../src/fuzz/traces.js';
import { ReplaySession } from '../../src/replay/session.js';
import { TraceReader } from '../../src/trace/reader.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { top, workFolder } from '../helpers/cli.js';
import { replay } from '../helpers/tape.js';

const folder = workFolder();
const regressions = join(top, 'corpora/regressions');

describe('the corpus of traces', () => {
  const paths = writeSeedTraces(folder);

  it('has runs of a guest that replay, from a checkpoint too', async () => {
    const [run = '', checkpoints = ''] = await writeRunSeeds(folder);
    expect((await replay(run, 'interp', 'machine')).kind).toBe('complete');
    const session = await ReplaySession.open({ path: checkpoints, from: 200, host: realHost });
    expect(session.start).toBeGreaterThan(100);
    expect((await session.run()).kind).toBe('complete');
    session.close();
  });

  it.each(paths.map((path) => [path.replace(/^.*\//, ''), path]))('%s has nothing wrong', async (name, path) => {
    const { problems } = await verifyTrace(path);
    expect(problems.map(({ code }) => code)).toEqual(name === 'open.vmtape' ? ['VMTAPE_TRACE_TRUNCATED'] : []);
  });

  it('gives the same case for a seed', () => {
    const corpus = paths.map((path) => readFileSync(path));
    const whole = corpus[0] as Buffer;
    const cases = Array.from({ length: 200 }, (_, seed) => hostileTrace(corpus, seed));
    for (const [seed, bytes] of cases.entries()) expect(Buffer.compare(hostileTrace(corpus, seed), bytes)).toBe(0);
    expect(cases.filter((bytes) => Buffer.compare(bytes, whole) !== 0).length).toBeGreaterThan(190);
  });
});

describe('hostile traces', () => {
  it.each(Object.entries(lies))(
    'by design: %s',
    async (_name, lie) => {
      const paths = [...(await writeRunSeeds(folder)), ...writeSeedTraces(folder)];
      const changed = join(folder, 'lie.vmtape');
      for (const [index, path] of paths.entries()) {
        for (let seed = index; seed < 24; seed += paths.length) {
          writeFileSync(changed, lyingTrace(readFileSync(path), seed, lie));
          for (const [reader, reading] of Object.entries(traceReadings)) {
            expect(await readHostile(reading, changed), `${reader}, seed ${seed}, ${path}`).toBeUndefined();
          }
        }
      }
    },
    120_000,
  );

  it('are answered by every reader with a typed error or a result', async () => {
    const { finding } = await fuzzTraces({ seed: 4711, runs: 150 });
    expect(finding?.message).toBeUndefined();
  }, 120_000);

  it('find a reader that believes what a file says', async () => {
    // The planted bug: every trace is believed to have a memory.
    const careless: TraceReading = async (path) => {
      const reader = new TraceReader(path);
      try {
        if (reader.index.root.maps.length === 0) throw new RangeError('there is no memory');
      } finally {
        reader.close();
      }
    };
    const { finding } = await fuzzTraces({ seed: 1, runs: 1000, readings: { careless } });
    expect(finding).toMatchObject({ reader: 'careless', message: 'there is no memory' });
    const again = await fuzzTraces({ seed: finding?.seed ?? 0, runs: 1, readings: { careless } });
    expect(again.finding?.message).toBe('there is no memory');
  }, 120_000);
});

describe.skipIf(!existsSync('/proc/self/clear_refs'))('the bound on memory (Linux counts it)', () => {
  it('finds a reader that takes more than it has checked', async () => {
    const kept: Uint8Array[] = [];
    const greedy: TraceReading = async () => {
      kept.length = 0;
      kept.push(new Uint8Array(0x1000_0000).fill(1));
    };
    const { finding } = await fuzzTraces({ seed: 1, runs: 3, readings: { greedy } });
    expect(finding).toMatchObject({
      reader: 'greedy',
      message: expect.stringMatching(/^the process grew by 2\d{8} bytes/),
    });
  }, 60_000);
});

describe('findings of before', () => {
  const files = readdirSync(regressions).filter((name) => name.endsWith('.vmtape'));
  it.each(files)('%s', async (name) => {
    for (const [reader, reading] of Object.entries(traceReadings)) {
      expect(await readHostile(reading, join(regressions, name)), reader).toBeUndefined();
    }
  });
});
