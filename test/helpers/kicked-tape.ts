/** A recording as KVM makes it, with landmarks and without counts, made without KVM. */
import type { HostPort } from '../../src/base/host.js';
import { Prng } from '../../src/base/prng.js';
import { landmarkMachine } from '../../src/compare/landmarks/guest.js';
import { kickedVcpu } from './kicked-vcpu.js';
import { imageOf, record } from './tape.js';

/** Records a guest of nested loops to `path`, interrupted where `seed` says. */
export async function recordKicked(path: string, seed: number): Promise<void> {
  const machine = landmarkMachine(imageOf('landmarks'), { loop: 'nested', ring: 0, ticks: 20, seed });
  const random = new Prng(seed);
  const host = hastyHost(random);
  const vcpu = kickedVcpu(machine.guest.memory, () => 1 + (random.u32() % 60));
  await record({ ...machine, host, vcpu, landing: { patience: 10_000 } }, path);
}

/** A host whose clock goes on by up to 20 µs whenever it is read, as `random` says. */
export function hastyHost(random: Prng): HostPort {
  let now = 0;
  return {
    now() {
      now += random.u32() % 20_000;
      return now;
    },
    sleep: () => Promise.resolve(),
  };
}
