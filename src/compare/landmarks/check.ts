/** One run of the landmark guest: recorded with interrupts at random places, replayed on the interpreter, and held against the recording. */
import { realHost } from '../../base/host.js';
import { RecordSession } from '../../record/session.js';
import { ReplaySession } from '../../replay/session.js';
import { TraceReader } from '../../trace/reader.js';
import { isWaypoint } from '../../trace/record.js';
import type { Vcpu } from '../../vmm/cpu/vcpu.js';
import type { MachineOptions } from '../../vmm/machine-options.js';
import type { GuestMemory } from '../../vmm/memory.js';
import { DigestForm, StateDigest } from '../../vmm/state-digest.js';
import { kickedMachine, type LandmarkRun, landmarkMachine } from './guest.js';

const EXIT_OK = 33;

/** Who is interrupted: KVM by the timer signal of its thread, or the interpreter at instruction counts. */
export type KickedEngine = 'kvm' | 'interp';

/** What a run has shown. */
export interface LandmarkFindings {
  /** Landmarks in the recording, all of them found; and of them those that deliver nothing. */
  readonly landmarks: number;
  readonly waypoints: number;
  /** Those of them for which registers alone would not have done, and the boundaries with the same registers before them. */
  readonly ambiguous: number;
  readonly others: number;
  /** Hashes of pages in the landmarks. */
  readonly pages: number;
  /** Instructions of the replay. */
  readonly instructions: number;
}

/**
 * Records `run` to `path` and replays it in both respects that can go wrong: a landmark that is not found, and one that is found elsewhere. The
 * latter is seen by what the guest says of its memory at each interrupt, by the whole state at the end and, where the interpreter was interrupted,
 * by the instruction counts. Returns what failed, in words, or the findings.
 */
export async function checkLandmarks(
  engine: KickedEngine,
  image: Uint8Array,
  run: LandmarkRun,
  path: string,
): Promise<LandmarkFindings | string> {
  const recorded: number[] = [];
  const machine =
    engine === 'kvm' ? landmarkMachine(image, run) : kickedMachine(image, run, (retired) => recorded.push(retired));
  const state = await record(machine, path);
  if (typeof state === 'string') return state;
  const session = await ReplaySession.open({ path, engine: 'interp', mode: 'machine', host: realHost });
  try {
    const replayed = injections(session.vcpu);
    const result = await session.run();
    if (result.kind === 'divergence') return `${result.divergence.what}: ${result.divergence.actual}`;
    if (result.kind !== 'complete' || result.notes.length > 0) return `the replay is ${result.kind}`;
    const digest = digestOf(session.vcpu, session.guest.memory);
    const names = digest.difference(state, digest.take());
    if (names !== undefined) return `the state at the end differs: ${names.join(', ')}`;
    const elsewhere = engine === 'interp' ? recorded.findIndex((count, index) => count !== replayed[index]) : -1;
    if (elsewhere >= 0)
      return `interrupt ${elsewhere} at instruction ${replayed[elsewhere]} instead of ${recorded[elsewhere]}`;
    const { landmarks, waypoints, pages } = countLandmarks(path);
    const { found, ambiguous, others } = session.landmarks;
    if (found !== landmarks) return `${found} landmarks found of ${landmarks}`;
    return { landmarks, waypoints, ambiguous, others, pages, instructions: result.instructions ?? 0 };
  } finally {
    session.close();
  }
}

/** Records to the guest's end; the digest of the whole state there, or what failed. */
async function record(machine: MachineOptions, path: string): Promise<Uint8Array | string> {
  const about = { id: new Uint8Array(16), date: 0, options: {}, tsc: 'hook', ledger: null, host: {} } as const;
  const session = await RecordSession.open({ machine, path, ...about });
  try {
    const { end } = await session.run();
    if (end.exitCode !== EXIT_OK) return `the recording ended: ${end.message}`;
    return digestOf(session.machine.vcpu, session.machine.memory).take();
  } finally {
    session.close();
  }
}

/** The digest of a state alone, not of changes. */
function digestOf(vcpu: Vcpu, memory: GuestMemory): StateDigest {
  return new StateDigest(vcpu, memory, { take: () => new Uint32Array(0) }, DigestForm.Portable);
}

/** Fills with the instructions retired at each interrupt from now on. */
function injections(vcpu: Vcpu): readonly number[] {
  const counts: number[] = [];
  const inject = vcpu.injectInterrupt.bind(vcpu);
  vcpu.injectInterrupt = (vector) => {
    counts.push(vcpu.retired);
    inject(vector);
  };
  return counts;
}

function countLandmarks(path: string): Pick<LandmarkFindings, 'landmarks' | 'waypoints' | 'pages'> {
  const reader = new TraceReader(path);
  const cursor = reader.cursor();
  let [landmarks, waypoints, pages] = [0, 0, 0];
  while (cursor.next()) {
    const { landmark } = cursor.record;
    if (landmark === undefined) continue;
    landmarks++;
    if (isWaypoint(cursor.record)) waypoints++;
    pages += landmark.pages.length;
  }
  reader.close();
  return { landmarks, waypoints, pages };
}
