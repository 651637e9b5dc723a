/** What an exit costs, how fast the guest computes, and how late a kick comes. */
import type { HostPort } from '../../base/host.js';
import { ExitReason } from '../../vmm/cpu/vcpu.js';
import { PROBE_MODES, ProbeGuest, type ProbeMode } from './guest.js';
import { type ProbeResult, probe } from './result.js';

const KICK_MICROSECONDS = 2000;
const EXITS = 2000;
const LOOPS = 100_000;
const SHORT_LOOPS = 10_000;
/** With so many million instructions a second, a kernel keeps up with its own timers. */
const ENOUGH_MIPS = 100;
const TIME_SCALE_LIMIT = 64;

/** Figures of one mode; NaN where they could not be measured. */
export interface ProbeFigures {
  readonly mode: ProbeMode;
  readonly microsecondsPerExit: number;
  readonly millionInstructionsPerSecond: number;
}

/** Runs in one mode a port exit many times, and a loop of two instructions. */
export function measure(mode: ProbeMode, host: HostPort): ProbeFigures {
  const guest = new ProbeGuest(mode);
  try {
    // out 50h,al; jmp to the start
    guest.load([0xe6, 0x50, 0xeb, 0xfc]);
    guest.vcpu.armTimer(2_000_000);
    let exits = 0;
    const before = host.now();
    while (exits < EXITS && guest.vcpu.run(Number.POSITIVE_INFINITY) === ExitReason.Io) exits++;
    const perExit = exits === EXITS ? (host.now() - before) / EXITS / 1000 : Number.NaN;
    guest.vcpu.armTimer(0);
    return { mode, microsecondsPerExit: perExit, millionInstructionsPerSecond: measureLoop(guest, host) };
  } finally {
    guest.close();
  }
}

function measureLoop(guest: ProbeGuest, host: HostPort, loops = LOOPS): number {
  const count = [loops & 0xff, (loops >> 8) & 0xff, (loops >> 16) & 0xff, 0];
  // mov ecx,100000; dec ecx; jnz to the dec; out 51h,al
  const real = [0x66, 0xb9, ...count, 0x66, 0xff, 0xc9, 0x75, 0xfb, 0xe6, 0x51];
  const long = [0xb9, ...count, 0xff, 0xc9, 0x75, 0xfc, 0xe6, 0x51];
  guest.load(guest.mode === 'real' ? real : long);
  const before = host.now();
  const reason = guest.run();
  if (reason !== ExitReason.Io || guest.vcpu.exit.address !== 0x51) return Number.NaN;
  return (loops * 2) / ((host.now() - before) / 1000);
}

/**
 * How many times slower than the host's the time of a guest that computes should go on this host: 1 where its kernel has {@link
 * ENOUGH_MIPS} or more, which hardware has; dozens where KVM executes it by software.
 */
export function proposedTimeScale(host: HostPort): number {
  let best = 0;
  try {
    const guest = new ProbeGuest('cpl0');
    try {
      // The best of three: other work on the host makes it slower, never faster.
      for (let turn = 0; turn < 3; turn++) best = Math.max(best, measureLoop(guest, host, SHORT_LOOPS) || 0);
    } finally {
      guest.close();
    }
  } catch {
    return 1;
  }
  return best === 0 ? 1 : Math.min(TIME_SCALE_LIMIT, Math.max(1, Math.round(ENOUGH_MIPS / best)));
}

/** A guest that spins is kicked within its timer. */
export function probeKick(mode: ProbeMode, host: HostPort): ProbeResult {
  return probe(`kick.${mode}`, `a timer kicks a guest that spins (${mode})`, () => {
    const guest = new ProbeGuest(mode);
    try {
      guest.load([0xeb, 0xfe]);
      const late: number[] = [];
      for (let i = 0; i < 5; i++) {
        const before = host.now();
        guest.vcpu.armTimer(KICK_MICROSECONDS);
        if (guest.vcpu.run(Number.POSITIVE_INFINITY) !== ExitReason.Kicked)
          return { verdict: 'no', evidence: 'another exit came' };
        late.push((host.now() - before) / 1000 - KICK_MICROSECONDS);
      }
      late.sort((a, b) => a - b);
      return { verdict: 'yes', evidence: `asked for 2 ms, it came ${Math.round(late[2] ?? 0)} µs later (median of 5)` };
    } finally {
      guest.close();
    }
  });
}

/** All modes. */
export function measureAll(host: HostPort): ProbeFigures[] {
  return PROBE_MODES.map((mode) => {
    try {
      return measure(mode, host);
    } catch {
      return { mode, microsecondsPerExit: Number.NaN, millionInstructionsPerSecond: Number.NaN };
    }
  });
}
