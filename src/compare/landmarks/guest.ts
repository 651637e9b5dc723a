/** The guest corpora/guests/landmarks.s, with interrupts at random places. */
import { realHost } from '../../base/host.js';
import { Prng } from '../../base/prng.js';
import { bootGuest } from '../../vmm/boot/boot.js';
import { vmtape64Cpuid } from '../../vmm/cpu/cpuid.js';
import type { LandingOptions, MachineOptions } from '../../vmm/machine-options.js';
import type { GuestMemory } from '../../vmm/memory.js';
import { hastyHost, kickedVcpu } from './kicked-vcpu.js';

/** Its loops, by number. */
export const landmarkLoops = ['register', 'memory', 'copy', 'nested', 'sse'] as const;
/** One of {@link landmarkLoops}. */
export type LandmarkLoop = (typeof landmarkLoops)[number];

const LOAD_AT = 0x10_0000;
const MIB = 0x10_0000;
const PAGE = 0x1000;
/** Where the image has the number of its loop, its ring and its ticks. */
const LOOP = 4;
const RING = 8;
const TICKS = 12;
/** What the loop `copy` copies. */
const FROM = 0x100_0000;
const COPIED = 64 * MIB;
/** On KVM an interrupt waits for so many nanoseconds at least before the guest is kicked. */
const PATIENCE_MIN = 20_000;
/** Where the interpreter is kicked, it waits so long. */
const KICKED_PATIENCE = 10_000;

/** What to run. */
export interface LandmarkRun {
  readonly loop: LandmarkLoop;
  readonly ring: 0 | 3;
  /** Interrupts until the guest ends. */
  readonly ticks: number;
  /** Decides how long each interrupt waits, or where the interpreter is kicked. */
  readonly seed: number;
  /** On KVM: an interrupt waits for so many nanoseconds at most before the guest is kicked. */
  readonly patience?: number;
  /** A waypoint is taken at each kick behind which, and behind the one before, there was no exit. */
  readonly waypoints?: boolean;
  /** For {@link kickedMachine}: the most instructions from one kick to the next. */
  readonly distance?: number;
}

/** The machine of one run on KVM; `image` is landmarks.bin. */
export function landmarkMachine(image: Uint8Array, run: LandmarkRun): MachineOptions {
  const { patience: most = 220_000 } = run;
  const random = new Prng(run.seed);
  const patience = (): number => PATIENCE_MIN + random.below(most - PATIENCE_MIN);
  const landing = { patience, ...waypointsOf(run) };
  return { engine: 'kvm', guest: guestOf(image, run), cpuid: vmtape64Cpuid(), host: realHost, landing };
}

/**
 * The same on the interpreter, which is kicked as a KVM would be, and recorded without its counts. `landed` hears them: the instructions
 * retired at each interrupt.
 */
export function kickedMachine(image: Uint8Array, run: LandmarkRun, landed: (retired: number) => void): MachineOptions {
  const random = new Prng(run.seed);
  const { distance: most = 120 } = run;
  const guest = guestOf(image, run);
  // As many short distances as long ones.
  const distance = (): number => 1 + random.below(1 + random.below(most));
  const vcpu = kickedVcpu(guest.memory, distance, landed);
  // The guest's timer ticks every 50 µs.
  const landing = { patience: KICKED_PATIENCE, ...waypointsOf(run) };
  return { engine: 'kvm', guest, cpuid: vmtape64Cpuid(), host: hastyHost(random), vcpu, landing };
}

function waypointsOf({ waypoints = false }: LandmarkRun): Pick<LandingOptions, 'waypoints'> {
  return waypoints ? { waypoints: { pages: 1, distance: 0 } } : {};
}

function guestOf(image: Uint8Array, { loop, ring, ticks }: LandmarkRun): MachineOptions['guest'] {
  const bytes = Uint8Array.from(image);
  const view = new DataView(bytes.buffer);
  view.setUint32(LOOP, landmarkLoops.indexOf(loop), true);
  view.setUint32(RING, ring, true);
  view.setUint32(TICKS, ticks, true);
  const guest = bootGuest({
    ramSize: (loop === 'copy' ? 160 : 4) * MIB,
    source: { kind: 'flat', image: { name: 'landmarks.bin', bytes }, loadAt: LOAD_AT, mode: 'long64' },
    hooks: new Set(),
  });
  if (loop === 'copy') fillSource(guest.memory);
  return guest;
}

/** Each page of what is copied is another. */
function fillSource(memory: GuestMemory): void {
  const words = new Uint32Array(PAGE / 4);
  for (let page = 0; page < COPIED / PAGE; page++) {
    words.fill(0x0101_0101 + page);
    memory.write(FROM + page * PAGE, new Uint8Array(words.buffer));
  }
}
