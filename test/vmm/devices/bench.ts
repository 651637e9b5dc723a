/** Helpers of the device tests: a bench with short words for bytes in and out. */
import { Bench } from '../../../src/fuzz/rig.js';
import type { Device } from '../../../src/vmm/device.js';

/** A device on a bench. */
export interface OnBench<D extends Device> {
  readonly device: D;
  readonly bench: Bench;
  /** IN of a byte. */
  in(port: number): number;
  /** OUT of bytes, one after the other. */
  out(port: number, ...values: number[]): void;
  /** Guest time goes on by `ns`. */
  pass(ns: number): void;
  /** The level of an interrupt line. */
  level(irq: number): boolean;
  /** What happened since the last time: `irq 4=1`. */
  seen(): string[];
}

/** Puts a device on a bench at guest time 0. */
export function onBench<D extends Device>(make: (bench: Bench) => D): OnBench<D> {
  const bench = new Bench(0);
  const device = make(bench);
  return {
    device,
    bench,
    in: (port) => device.readPort(port, 1) & 0xff,
    out: (port, ...values) => {
      for (const value of values) device.writePort(port, 1, value);
    },
    pass: (ns) => {
      bench.clock.set(bench.clock.now() + ns);
      device.advance(bench.clock.now());
    },
    level: (irq) => bench.levels.get(irq) ?? false,
    seen: () => bench.take().map(({ what, value }) => `${what}=${value}`),
  };
}
