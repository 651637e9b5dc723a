/**
 * `npm run conformance -- landmarks`: guests that make no exits, interrupted on KVM at random places, recorded, and replayed on the interpreter.
 * Every landmark must be found, and every replay be exact. 10,000 a guest take about half an hour.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { ExitCode } from '../../src/base/errors.js';
import { realHost } from '../../src/base/host.js';
import { whyNotKvm } from '../../src/cli/engine.js';
import { type LandmarkRun, landmarkLoops, landmarkMachine } from '../../src/compare/landmarks/guest.js';
import { RecordSession } from '../../src/record/session.js';
import { ReplaySession } from '../../src/replay/session.js';
import { noOracle, Report, usageError, wholeNumber } from './report.js';

/** Landmarks of each guest. */
const COUNT = 10_000;
/** Interrupts of one recording. */
const CHUNK = 250;
const EXIT_OK = 33;
const USAGE = `npm run conformance -- landmarks [--count N] [--seed N] [--name ${landmarkLoops.join('|')}] [--json]`;

/** What came of one guest. */
interface Totals {
  readonly loop: string;
  readonly ring: number;
  landmarks: number;
  /** Interrupts that found an exit. */
  exits: number;
  /** Landmarks for which registers alone would not have done, and the boundaries with the same registers before them. */
  ambiguous: number;
  others: number;
  instructions: number;
  failure: string | undefined;
}

/** Records and replays one run; what failed, in words. */
async function check(image: Uint8Array, run: LandmarkRun, path: string, totals: Totals): Promise<string | undefined> {
  const about = { id: new Uint8Array(16), date: 0, options: {}, tsc: 'hook', ledger: null, host: {} } as const;
  const recording = await RecordSession.open({ machine: landmarkMachine(image, run), path, ...about });
  const { end } = await recording.run();
  recording.close();
  if (end.exitCode !== EXIT_OK) return `the recording ended: ${end.message}`;
  const session = await ReplaySession.open({ path, engine: 'interp', mode: 'machine', host: realHost });
  const result = await session.run();
  const { found, ambiguous, others } = session.landmarks;
  session.close();
  if (result.kind === 'divergence') return `${result.divergence.what}: ${result.divergence.actual}`;
  if (result.kind !== 'complete' || result.notes.length > 0) return `the replay is ${result.kind}`;
  totals.landmarks += found;
  totals.exits += run.ticks - found;
  totals.ambiguous += ambiguous;
  totals.others += others;
  totals.instructions += result.instructions ?? 0;
  return undefined;
}

function describe({ loop, ring, landmarks, exits, ambiguous, others, instructions, failure }: Totals): string {
  return (
    `${loop.padEnd(8)} ring ${ring}: ${landmarks} landmarks found, ${exits} interrupts at exits; registers alone ambiguous at ` +
    `${ambiguous} (${others} other boundaries); ${instructions} instructions${failure === undefined ? '' : `; ${failure}`}`
  );
}

/** Runs the suite. */
export async function conformLandmarks(args: string[]): Promise<ExitCode> {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: 'string' },
      seed: { type: 'string' },
      name: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const report = new Report(values.json);
  const count = wholeNumber(values.count, COUNT, '--count', USAGE);
  const firstSeed = wholeNumber(values.seed, 1, '--seed', USAGE);
  const loops = landmarkLoops.filter((loop) => values.name === undefined || loop === values.name);
  if (loops.length === 0) throw usageError(`there is no loop ${values.name}`, USAGE);
  const reason = await whyNotKvm();
  if (reason !== undefined) throw noOracle(reason);
  const image = readFileSync(new URL('../../../corpora/guests/landmarks.bin', import.meta.url));
  const directory = mkdtempSync(join(tmpdir(), 'vmtape-landmarks-'));
  const guests: Totals[] = [];
  try {
    for (const loop of loops) {
      for (const ring of [0, 3] as const) {
        const start = { landmarks: 0, exits: 0, ambiguous: 0, others: 0, instructions: 0, failure: undefined };
        const totals: Totals = { loop, ring, ...start };
        for (let seed = firstSeed; totals.landmarks < count && totals.failure === undefined; seed++) {
          const run = { loop, ring, ticks: Math.min(CHUNK, count - totals.landmarks), seed };
          const failure = await check(image, run, join(directory, 'tape'), totals);
          if (failure !== undefined) totals.failure = `seed ${seed}: ${failure}`;
          report.progress(() => describe(totals));
        }
        guests.push(totals);
        report.line(describe(totals));
      }
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  const cases = guests.reduce((sum, { landmarks }) => sum + landmarks, 0);
  const different = guests.filter(({ failure }) => failure !== undefined).length;
  const { seconds } = report;
  return report.finish(
    { suite: 'landmarks', seed: firstSeed, cases, different, seconds, guests },
    `${cases} landmarks of ${guests.length} guests, ${guests.length - different} guests exact (${seconds} s)`,
  );
}
