/**
 * `node dist/scripts/trace-kills.js [--kills N] [--seed N] [--engine interp|kvm]`: kills a recorder with SIGKILL at random
 * moments, and looks at what it left behind each time: the trace must be one up to where it was written, replay to there,
 * and, repaired, be a trace as others. Ends with exit code 4 and the file that shows it when one was not.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { VmtapeError } from '../src/base/errors.js';
import { realHost } from '../src/base/host.js';
import { Prng } from '../src/base/prng.js';
import { ReplaySession } from '../src/replay/session.js';
import { FRAME_HEAD_SIZE, FrameKind, PRELUDE_SIZE } from '../src/trace/format.js';
import { FrameFile } from '../src/trace/frame-file.js';
import { repairTrace } from '../src/trace/repair.js';
import { verifyTrace } from '../src/trace/verify.js';

/** For ever: imul dx,dx,6255h; add dx,3619h; mov al,dh; out 80h,al. What is written is not easily compressed. */
const NOISE = Uint8Array.of(0x69, 0xd2, 0x55, 0x62, 0x81, 0xc2, 0x19, 0x36, 0x88, 0xf0, 0xe6, 0x80, 0xeb, 0xf2);
/** Milliseconds after the first frame of records within which the recorder is killed. */
const LIFE = 400;
/** A recorder has so many milliseconds to write that frame. */
const PATIENCE = 120_000;

/** What many kills left behind. */
export interface KillTotals {
  kills: number;
  /** The recorder died before the guest's memory was written. */
  before: number;
  /** Traces that had records, and how many records they had together. */
  traces: number;
  records: number;
  /** Traces that ended within a frame. */
  torn: number;
}

/** How to kill. */
export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  readonly engine: 'interp' | 'kvm';
  /** Where the package is: the folder of bin/vmtape.mjs. */
  readonly top: string;
  readonly onKill?: (totals: KillTotals) => void;
}

/** Kills recorders one after the other. Throws an Error that names the file for the first trace that is not as it must be. */
export async function killRecorders(options: KillOptions): Promise<KillTotals> {
  const folder = mkdtempSync(join(tmpdir(), 'vmtape-kills-'));
  const totals: KillTotals = { kills: 0, before: 0, traces: 0, records: 0, torn: 0 };
  const random = new Prng(options.seed);
  const guest = join(folder, 'noise.bin');
  writeFileSync(guest, NOISE);
  for (; totals.kills < options.kills; totals.kills++) {
    const path = join(folder, `${totals.kills}.vmtape`);
    await killOne(options, guest, path, random);
    try {
      await examine(path, totals);
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`);
    }
    rmSync(path, { force: true });
    options.onKill?.(totals);
  }
  rmSync(folder, { recursive: true });
  return totals;
}

async function killOne({ engine, top }: KillOptions, guest: string, path: string, random: Prng): Promise<void> {
  const recorder = spawn(
    process.execPath,
    [join(top, 'bin/vmtape.mjs'), 'record', '--engine', engine, '--mem', '1M', '--flat', guest, '-o', path],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => recorder.on('close', () => resolve()));
  // One in sixteen dies at any moment, the others while they write records.
  if (random.below(16) === 0) await delay(random.below(1500));
  else {
    for (let waited = 0; !hasRecords(path) && waited < PATIENCE && recorder.exitCode === null; waited += 5)
      await delay(5);
    await delay(random.below(LIFE));
  }
  recorder.kill('SIGKILL');
  await ended;
}

/** A frame of records was written. */
function hasRecords(path: string): boolean {
  try {
    const file = new FrameFile(path);
    try {
      for (let place = file.place(0, PRELUDE_SIZE); ; ) {
        const { kind, stored } = file.head(place);
        if (kind === FrameKind.Records) return true;
        place = file.place(place.frame + 1, place.byte + FRAME_HEAD_SIZE + stored);
      }
    } finally {
      file.close();
    }
  } catch {
    return false;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

async function examine(path: string, totals: KillTotals): Promise<void> {
  if (sizeOf(path) === 0) {
    totals.before++;
    return;
  }
  let replayed: number;
  try {
    replayed = await replays(path, true);
  } catch (error) {
    if (!(error instanceof VmtapeError) || error.code !== 'VMTAPE_TRACE_TRUNCATED') throw error;
    totals.before++;
    return;
  }
  const { records, lost } = repairTrace(path);
  if (records !== replayed) throw new Error(`${replayed} records were replayed, and ${records} repaired`);
  const { problems } = await verifyTrace(path);
  if (problems[0]) throw problems[0];
  if ((await replays(path, false)) !== records) throw new Error('the repaired trace replays fewer records');
  totals.traces += records > 0 ? 1 : 0;
  totals.records += records;
  totals.torn += lost > 0 ? 1 : 0;
}

/** Replays all there is; the number of records. */
async function replays(path: string, isCut: boolean): Promise<number> {
  const session = await ReplaySession.open({ path, host: realHost });
  try {
    const result = await session.run();
    if (result.kind !== 'complete') throw new Error(`it does not replay: ${JSON.stringify(result)}`);
    if ((result.damage?.code === 'VMTAPE_TRACE_TRUNCATED') !== isCut)
      throw new Error(`damage: ${result.damage?.message}`);
    return result.records;
  } finally {
    session.close();
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { kills: text, seed: text, engine: text } });
  const totals = await killRecorders({
    kills: Number(values.kills ?? 1000),
    seed: Number(values.seed ?? 1),
    engine: values.engine === 'kvm' ? 'kvm' : 'interp',
    top: fileURLToPath(new URL('../../', import.meta.url)),
    onKill: ({ kills, records }) => {
      if ((kills + 1) % 50 === 0) console.log(`${kills + 1} kills, ${records} records`);
    },
  });
  console.log(JSON.stringify(totals));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main().catch((error: unknown) => {
    console.error(`vmtape: ${(error as Error).message}`);
    process.exitCode = 4;
  });
}
