/** A recording as KVM makes it, with landmarks and without counts, made without KVM. */
import { kickedMachine } from '../../src/compare/landmarks/guest.js';
import { imageOf, record } from './tape.js';

/** Records a guest of nested loops to `path`, interrupted where `seed` says. */
export async function recordKicked(path: string, seed: number): Promise<void> {
  await record(
    kickedMachine(imageOf('landmarks'), { loop: 'nested', ring: 0, ticks: 20, seed }, () => {}),
    path,
  );
}
