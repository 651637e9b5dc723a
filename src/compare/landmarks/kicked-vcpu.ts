/** The interpreter behaving as a KVM whose timer kicks it: landmarks at chosen places, on any host. */
import type { HostPort } from '../../base/host.js';
import type { Prng } from '../../base/prng.js';
import { InterpVcpu } from '../../vmm/cpu/interp.js';
import { ExitReason, type Vcpu } from '../../vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../vmm/memory.js';

/**
 * It does not count, and is kicked after as many instructions as `next` says. `landed` hears how many instructions were retired at each
 * interrupt, which the recording does not know.
 */
export function kickedVcpu(memory: GuestMemory, next: () => number, landed?: (retired: number) => void): Vcpu {
  const interp = new InterpVcpu(memory);
  let left = next();
  const own: Partial<Vcpu> = {
    engine: 'kvm',
    retired: Number.NaN,
    run() {
      const start = interp.retired;
      const reason = interp.run(start + left);
      left -= interp.retired - start;
      if (reason !== ExitReason.Limit) return reason;
      left = next();
      return ExitReason.Kicked;
    },
    armTimer() {},
    injectInterrupt(vector) {
      landed?.(interp.retired);
      interp.injectInterrupt(vector);
    },
  };
  return new Proxy(interp, {
    get(target, name) {
      if (name in own) return own[name as keyof Vcpu];
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }) as unknown as Vcpu;
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
