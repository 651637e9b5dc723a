/** The guest corpora/guests/landmarks.s on KVM, with interrupts at random places. */
import { realHost } from '../../base/host.js';
import { Prng } from '../../base/prng.js';
import { bootGuest } from '../../vmm/boot/boot.js';
import { vmtape64Cpuid } from '../../vmm/cpu/cpuid.js';
import type { MachineOptions } from '../../vmm/machine-options.js';

/** Its loops, by number. */
export const landmarkLoops = ['register', 'memory', 'copy', 'nested', 'sse'] as const;
/** One of {@link landmarkLoops}. */
export type LandmarkLoop = (typeof landmarkLoops)[number];

const LOAD_AT = 0x10_0000;
const MIB = 0x10_0000;
/** Where the image has the number of its loop, its ring and its ticks. */
const LOOP = 4;
const RING = 8;
const TICKS = 12;
/** An interrupt waits for so many nanoseconds before the guest is kicked. */
const PATIENCE_MIN = 20_000;
const PATIENCE_MAX = 220_000;

/** What to run. */
export interface LandmarkRun {
  readonly loop: LandmarkLoop;
  readonly ring: 0 | 3;
  /** Interrupts until the guest ends. */
  readonly ticks: number;
  /** Decides how long each interrupt waits. */
  readonly seed: number;
}

/** The machine of one run; `image` is landmarks.bin. */
export function landmarkMachine(image: Uint8Array, run: LandmarkRun): MachineOptions {
  const bytes = Uint8Array.from(image);
  const view = new DataView(bytes.buffer);
  view.setUint32(LOOP, landmarkLoops.indexOf(run.loop), true);
  view.setUint32(RING, run.ring, true);
  view.setUint32(TICKS, run.ticks, true);
  const random = new Prng(run.seed);
  const guest = bootGuest({
    ramSize: (run.loop === 'copy' ? 160 : 4) * MIB,
    source: { kind: 'flat', image: { name: 'landmarks.bin', bytes }, loadAt: LOAD_AT, mode: 'long64' },
    hooks: new Set(),
  });
  const patience = (): number => PATIENCE_MIN + (random.u32() % (PATIENCE_MAX - PATIENCE_MIN));
  return { engine: 'kvm', guest, cpuid: vmtape64Cpuid(), host: realHost, landing: { patience } };
}
