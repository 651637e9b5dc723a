/** A recording as KVM makes it, with landmarks and without counts, made without KVM. */
import { kickedMachine } from '../../src/compare/landmarks/guest.js';
import { imageOf, record } from './tape.js';

/** Records a guest of nested loops to `path`, interrupted where `seed` says; with `waypoints` also kicked for nothing. */
export async function recordKicked(path: string, seed: number, waypoints = false): Promise<void> {
  const run = { loop: 'nested', ring: 0, ticks: 20, seed, waypoints } as const;
  await record(
    kickedMachine(imageOf('landmarks'), run, () => {}),
    path,
  );
}
