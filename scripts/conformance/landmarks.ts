/**
 * `npm run conformance -- landmarks`: guests that make no exits, interrupted on KVM at random places, recorded, and replayed on the interpreter.
 * Every landmark must be found, and every replay be exact. 10,000 a guest take about half an hour.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { ExitCode } from '../../src/base/errors.js';
import { realHost } from '../../src/base/host.js';
import { whyNotKvm } from '../../src/cli/engine.js';
import { parseCount, parseWord } from '../../src/cli/values.js';
import { type LandmarkRun, landmarkLoops, landmarkMachine } from '../../src/compare/landmarks/guest.js';
import { RecordSession } from '../../src/record/session.js';
import { ReplaySession } from '../../src/replay/session.js';
import { Report } from './report.js';

/** Landmarks of each guest. */
const COUNT = 10_000;
/** Interrupts of one recording. */
const CHUNK = 250;
const EXIT_OK = 33;

interface Flags {
  readonly count: string;
  readonly seed: string;
  readonly name?: string;
  readonly json?: true;
}

/** Adds the suite. `setExit` takes the exit code. */
export function addLandmarks(program: Command, setExit: (code: number) => void): void {
  program
    .command('landmarks')
    .summary('interrupts in guests without exits, KVM against the interpreter')
    .description(
      'Records guests that make no exits and are interrupted on KVM at random places, and replays them on the interpreter; 10,000 landmarks a ' +
        'guest take about half an hour.',
    )
    .option('--count <number>', 'landmarks of each guest', `${COUNT}`)
    .option('--seed <number>', 'what the first run is made of', '1')
    .option('--name <loop>', `only this loop: ${landmarkLoops.join(', ')}`)
    .option('--json', 'print the findings as JSON')
    .action(async (flags: Flags) => setExit(await conformLandmarks(flags)));
}

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

async function conformLandmarks(flags: Flags): Promise<ExitCode> {
  const report = new Report('landmarks', flags.json === true);
  const count = parseCount('--count', flags.count);
  const firstSeed = parseCount('--seed', flags.seed, 0);
  const loops = flags.name === undefined ? landmarkLoops : [parseWord('--name', flags.name, landmarkLoops)];
  const reason = await whyNotKvm();
  if (reason !== undefined) return report.skip(reason);
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
    { seed: firstSeed, cases, different, seconds, guests },
    `${cases} landmarks of ${guests.length} guests, ${guests.length - different} guests exact (${seconds} s)`,
  );
}
