/**
 * `npm run conformance -- landmarks`: guests that make no exits, interrupted at random places, recorded, and replayed on the interpreter: on KVM, and
 * on the interpreter kicked as a KVM would be. Every landmark must be found, at its place, and every replay be exact.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { ExitCode } from '../../src/base/errors.js';
import { whyNotKvm } from '../../src/cli/engine.js';
import { parseCount, parseWord } from '../../src/cli/values.js';
import { checkLandmarks, type KickedEngine } from '../../src/compare/landmarks/check.js';
import { type LandmarkLoop, landmarkLoops } from '../../src/compare/landmarks/guest.js';
import { Report } from './report.js';

/** Landmarks of each guest. */
const COUNT = 10_000;
/** Interrupts of one recording. */
const CHUNK = 500;
/** The most instructions from one kick of the interpreter to the next. */
const DISTANCE = 50_000;
/** Microseconds. */
const PATIENCE = 220;
const PATIENCE_MIN = 21;

interface Flags {
  readonly count: string;
  readonly seed: string;
  readonly name?: string;
  readonly engine?: string;
  readonly ring?: string;
  readonly patience: string;
  readonly json?: true;
}

/** Adds the suite. `setExit` takes the exit code. */
export function addLandmarks(program: Command, setExit: (code: number) => void): void {
  program
    .command('landmarks')
    .summary('interrupts in guests without exits, KVM against the interpreter')
    .description(
      'Records guests that make no exits and are interrupted at random places, and replays them on the interpreter: on KVM, and on the interpreter, ' +
        'kicked as a KVM would be. 10,000 landmarks of each guest take about an hour.',
    )
    .option('--count <number>', 'landmarks of each guest', `${COUNT}`)
    .option('--seed <number>', 'what the first run is made of', '1')
    .option('--name <loop>', `only this loop: ${landmarkLoops.join(', ')}`)
    .option('--engine <engine>', `only interrupts of this engine: ${engines.join(', ')}`)
    .option('--ring <ring>', `only this ring: ${rings.join(', ')}`)
    .option('--patience <microseconds>', 'on KVM, an interrupt waits so long at most until the kick', `${PATIENCE}`)
    .option('--json', 'print the findings as JSON')
    .action(async (flags: Flags) => setExit(await conformLandmarks(flags)));
}

const engines = ['kvm', 'interp'] as const;
const rings = ['0', '3'] as const;

/** A guest, and what came of it. */
interface Totals {
  readonly engine: KickedEngine;
  readonly loop: LandmarkLoop;
  readonly ring: 0 | 3;
  readonly patience: number;
  landmarks: number;
  recordings: number;
  /** Interrupts that found an exit. */
  exits: number;
  /** Landmarks for which registers alone would not have done, and the boundaries with the same registers before them. */
  ambiguous: number;
  others: number;
  /** Hashes of pages in the landmarks. */
  pages: number;
  instructions: number;
  seconds: number;
  failure: string | undefined;
}

/** The guests that `flags` ask for. */
function guestsOf(flags: Flags, hasKvm: boolean): Totals[] {
  const loops = flags.name === undefined ? landmarkLoops : [parseWord('--name', flags.name, landmarkLoops)];
  const asked = flags.engine === undefined ? engines : [parseWord('--engine', flags.engine, engines)];
  const inRings = flags.ring === undefined ? rings : [parseWord('--ring', flags.ring, rings)];
  const patience = parseCount('--patience', flags.patience, PATIENCE_MIN) * 1000;
  const zero = {
    landmarks: 0,
    recordings: 0,
    exits: 0,
    ambiguous: 0,
    others: 0,
    pages: 0,
    instructions: 0,
    seconds: 0,
  };
  return asked.flatMap((engine) =>
    loops
      // The interpreter ends a REP instruction before it is kicked: each interrupt would wait for 64 MiB.
      .filter((loop) => (engine === 'kvm' ? hasKvm : loop !== 'copy'))
      .flatMap((loop) =>
        inRings.map((ring) => ({
          ...{ engine, loop, ring: ring === '0' ? (0 as const) : (3 as const), patience, failure: undefined },
          ...zero,
        })),
      ),
  );
}

/** One recording more. */
async function checkOne(image: Uint8Array, totals: Totals, left: number, seed: number, path: string): Promise<void> {
  const { engine, loop, ring, patience } = totals;
  const began = performance.now();
  const run = { loop, ring, ticks: Math.min(CHUNK, left), seed, patience, distance: DISTANCE };
  const findings = await checkLandmarks(engine, image, run, path);
  totals.seconds += (performance.now() - began) / 1000;
  if (typeof findings === 'string') {
    totals.failure = `seed ${seed}: ${findings}`;
    return;
  }
  totals.recordings++;
  totals.landmarks += findings.landmarks;
  totals.exits += run.ticks - findings.landmarks;
  totals.ambiguous += findings.ambiguous;
  totals.others += findings.others;
  totals.pages += findings.pages;
  totals.instructions += findings.instructions;
}

function describe(totals: Totals): string {
  const { engine, loop, ring, landmarks, recordings, exits, ambiguous, others, pages, failure } = totals;
  const { instructions, seconds } = totals;
  return (
    `${engine.padEnd(6)} ${loop.padEnd(8)} ring ${ring}: ${landmarks} landmarks in ${recordings} recordings, all found` +
    `${exits > 0 ? `, ${exits} interrupts at exits` : ''}; registers alone ambiguous at ${ambiguous} (${others} other boundaries); ` +
    `${pages} pages hashed, ${instructions} instructions, ${seconds.toFixed(1)} s${failure === undefined ? '' : `; FAILED: ${failure}`}`
  );
}

async function conformLandmarks(flags: Flags): Promise<ExitCode> {
  const report = new Report('landmarks', flags.json === true);
  const count = parseCount('--count', flags.count);
  const firstSeed = parseCount('--seed', flags.seed, 0);
  const reason = await whyNotKvm();
  const guests = guestsOf(flags, reason === undefined);
  if (guests.length === 0) return report.skip(reason ?? 'the interpreter has no landmarks in that loop');
  if (reason !== undefined) report.line(`kvm: skipped: ${reason}`);
  const image = readFileSync(new URL('../../../corpora/guests/landmarks.bin', import.meta.url));
  const directory = mkdtempSync(join(tmpdir(), 'vmtape-landmarks-'));
  try {
    for (const totals of guests) {
      for (let seed = firstSeed; totals.landmarks < count && totals.failure === undefined; seed++) {
        await checkOne(image, totals, count - totals.landmarks, seed, join(directory, 'tape'));
        report.progress(() => describe(totals));
      }
      report.line(describe(totals));
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
