/** The campaign of hostile traces: `npm run fuzz -- --target traces`. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memorySizeOf, PeakMemory } from './peak-memory.js';
import { MEMORY_MAX, readHostile, type TraceReading, traceReadings } from './trace-readers.js';
import { writeRunSeeds } from './trace-run-seeds.js';
import { writeSeedTraces } from './trace-seeds.js';
import { mutateTrace } from './traces.js';

/** How many cases, from which seed on: case i has the seed `seed + i`. */
export interface TraceFuzzOptions {
  readonly seed: number;
  readonly runs: number;
  /** Default: all readers. */
  readonly readings?: Readonly<Record<string, TraceReading>>;
  readonly onRun?: (runs: number) => void;
}

/** A case that a reader did not answer as it must. */
export interface TraceFinding {
  readonly seed: number;
  readonly reader: string;
  readonly message: string;
  /** The trace. */
  readonly bytes: Uint8Array;
  /** Shows it again. */
  readonly command: string;
}

/** What a campaign saw. */
export interface TraceFuzzResult {
  readonly runs: number;
  readonly slowest: { readonly seed: number; readonly milliseconds: number };
  /** By how many bytes the process grew at most while a reader read a case; 0 where the system does not tell. */
  readonly memory: { readonly seed: number; readonly reader: string; readonly bytes: number; readonly allowed: number };
  readonly finding?: TraceFinding;
}

/** A case that takes longer than this, in processor time, is a finding. */
const MILLISECONDS_MAX = 20_000;
/**
 * So does one for which the process grows by more than this, and by so many times the file and the memory of the machine that its header
 * declares, if that could be read (docs/trace-format.md, A file of a stranger).
 */
const MEMORY_FIXED = 64 * 2 ** 20;
const MEMORY_TIMES = 4;

/** Deterministic for a seed, but for the times. Stops at the first finding. */
export async function fuzzTraces(options: TraceFuzzOptions): Promise<TraceFuzzResult> {
  const folder = mkdtempSync(join(tmpdir(), 'vmtape-fuzz-'));
  try {
    const corpus = [...(await writeRunSeeds(folder)), ...writeSeedTraces(folder)].map((path) => readFileSync(path));
    return await campaign(options, corpus, join(folder, 'case'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function campaign(
  { seed, runs, readings = traceReadings, onRun }: TraceFuzzOptions,
  corpus: readonly Uint8Array[],
  path: string,
): Promise<TraceFuzzResult> {
  let slowest = { seed, milliseconds: 0 };
  let memory: TraceFuzzResult['memory'] = { seed, reader: '', bytes: 0, allowed: 0 };
  const peak = new PeakMemory();
  for (let run = 0; run < runs; run++) {
    const bytes = hostileTrace(corpus, seed + run);
    writeFileSync(path, bytes);
    const allowed = MEMORY_FIXED + MEMORY_TIMES * (bytes.length + memorySizeOf(path, MEMORY_MAX));
    for (const [name, reading] of Object.entries(readings)) {
      const start = processor();
      peak.begin();
      const error = await readHostile(reading, path);
      let bytesGrown = peak.grown;
      const milliseconds = processor() - start;
      // What is garbage of cases before may have been in the way: once more, without it.
      if (bytesGrown > allowed) {
        peak.begin(true);
        await readHostile(reading, path);
        bytesGrown = peak.grown;
      }
      if (bytesGrown / allowed > memory.bytes / Math.max(1, memory.allowed))
        memory = { seed: seed + run, reader: name, bytes: bytesGrown, allowed };
      if (milliseconds > slowest.milliseconds) slowest = { seed: seed + run, milliseconds };
      const message = error?.message ?? tooMuch(milliseconds, bytesGrown, allowed);
      if (message === undefined) continue;
      const command = `npm run fuzz -- --target traces --seed ${seed + run} --runs 1`;
      return { runs: run + 1, slowest, memory, finding: { seed: seed + run, reader: name, message, bytes, command } };
    }
    onRun?.(run + 1);
  }
  return { runs, slowest, memory };
}

/** Milliseconds of processor time: the clock says how busy the host is. */
function processor(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function tooMuch(milliseconds: number, grown: number, allowed: number): string | undefined {
  if (milliseconds > MILLISECONDS_MAX) return `it took ${Math.round(milliseconds)} ms`;
  if (grown > allowed) return `the process grew by ${grown} bytes, and ${allowed} are allowed`;
  return undefined;
}

/** The trace of a case. Mostly of the small ones of the corpus. */
export function hostileTrace(corpus: readonly Uint8Array[], seed: number): Uint8Array {
  const number = Math.abs(seed);
  const large = corpus.length - 1;
  return mutateTrace(corpus[number % 64 === 63 ? large : number % large] as Uint8Array, seed);
}
