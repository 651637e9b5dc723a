/** Intel 8254, 231164-005, "Mode Definitions". A tick is 838.095… ns. */
import { describe, expect, it } from 'vitest';
import { Pit } from '../../../src/vmm/devices/pit/pit.js';
import { type OnBench, onBench } from './bench.js';

const make = (): OnBench<Pit> => onBench((bench) => new Pit({ irq: bench.irq(0), clock: bench.clock }));
/** To the nanosecond at which tick `n` has just happened. */
const toTick = (pit: OnBench<Pit>, n: number): void =>
  pit.pass(Math.ceil((n * 1e9) / 1_193_182) - pit.bench.clock.now());
const count = (pit: OnBench<Pit>, counter: number): number => {
  pit.out(0x43, counter << 6);
  return pit.in(0x40 + counter) | (pit.in(0x40 + counter) << 8);
};
const status = (pit: OnBench<Pit>, counter: number): number => {
  pit.out(0x43, 0xe0 | (2 << counter));
  return pit.in(0x40 + counter);
};
const out2 = (pit: OnBench<Pit>): number => (pit.in(0x61) >> 5) & 1;

describe('mode 0, interrupt on terminal count', () => {
  it('OUT goes high N + 1 CLK pulses after the count was written', () => {
    const pit = make();
    pit.out(0x43, 0x30);
    pit.out(0x40, 100, 0);
    toTick(pit, 100);
    expect(pit.level(0)).toBe(false);
    toTick(pit, 101);
    expect(pit.level(0)).toBe(true);
    pit.pass(1_000_000_000);
    expect(pit.seen()).toEqual(['irq 0=1']);
  });

  it('the first byte of a count sets OUT low', () => {
    const pit = make();
    pit.out(0x43, 0x30);
    pit.out(0x40, 1, 0);
    toTick(pit, 10);
    pit.out(0x40, 5);
    expect(pit.level(0)).toBe(false);
  });

  it('the gate holds the count', () => {
    const pit = make();
    pit.out(0x61, 1);
    pit.out(0x43, 0xb0);
    pit.out(0x42, 100, 0);
    toTick(pit, 41);
    pit.out(0x61, 0);
    expect(count(pit, 2)).toBe(60);
    toTick(pit, 1000);
    expect(count(pit, 2)).toBe(60);
    pit.out(0x61, 1);
    toTick(pit, 1059);
    expect(out2(pit)).toBe(0);
    toTick(pit, 1060);
    expect(out2(pit)).toBe(1);
  });
});

it('mode 1, one-shot: low for N ticks from the trigger, which can be repeated', () => {
  const pit = make();
  pit.out(0x43, 0xb2);
  pit.out(0x42, 10, 0);
  toTick(pit, 20);
  expect(out2(pit)).toBe(1);
  pit.out(0x61, 1);
  toTick(pit, 21);
  expect(out2(pit)).toBe(0);
  toTick(pit, 25);
  pit.out(0x61, 0);
  pit.out(0x61, 1);
  toTick(pit, 35);
  expect(out2(pit)).toBe(0);
  toTick(pit, 36);
  expect(out2(pit)).toBe(1);
});

describe('mode 2, rate generator', () => {
  it('is low for the last tick of each period and interrupts every N ticks', () => {
    const pit = make();
    pit.out(0x43, 0x34);
    pit.out(0x40, 100, 0);
    expect(pit.level(0)).toBe(true);
    toTick(pit, 100);
    expect(pit.level(0)).toBe(false);
    toTick(pit, 101);
    expect(pit.level(0)).toBe(true);
  });

  it('its deadlines lead from period to period without drift: 1000 Hz for a minute', () => {
    const pit = make();
    pit.out(0x43, 0x34);
    pit.out(0x40, 1193 & 0xff, 1193 >> 8);
    pit.seen();
    for (let period = 0; period < 60_000; period++) pit.pass(pit.device.nextDeadline() - pit.bench.clock.now());
    expect(pit.seen().filter((event) => event === 'irq 0=1')).toHaveLength(60_000);
    // Tick 1 loads the count; the edge of period n is at tick 1 + 1193 n.
    expect(pit.bench.clock.now()).toBe(Math.ceil(((1 + 1193 * 60_000) * 1e9) / 1_193_182));
  });

  it('edges do not pile up: one after any number of missed periods', () => {
    const pit = make();
    pit.out(0x43, 0x34);
    pit.out(0x40, 100, 0);
    pit.seen();
    pit.pass(10_000_000);
    expect(pit.seen()).toEqual(['irq 0=0', 'irq 0=1']);
  });

  it('"a new count … does not affect the current counting sequence"', () => {
    const pit = make();
    pit.out(0x43, 0x34);
    pit.out(0x40, 100, 0);
    toTick(pit, 50);
    pit.out(0x40, 10, 0);
    expect(count(pit, 0)).toBe(51);
    toTick(pit, 101);
    expect(count(pit, 0)).toBe(10);
  });
});

describe('mode 3, square wave', () => {
  it('an even count: high for N/2, low for N/2, counting by two', () => {
    const pit = make();
    pit.out(0x43, 0x36);
    pit.out(0x40, 10, 0);
    const levels: number[] = [];
    const counts: number[] = [];
    for (let tick = 1; tick <= 11; tick++) {
      toTick(pit, tick);
      levels.push(pit.level(0) ? 1 : 0);
      counts.push(count(pit, 0));
    }
    expect(levels).toEqual([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1]);
    expect(counts).toEqual([10, 8, 6, 4, 2, 10, 8, 6, 4, 2, 10]);
  });

  it('an odd count: high for (N + 1)/2, low for (N - 1)/2', () => {
    const pit = make();
    pit.out(0x43, 0x36);
    pit.out(0x40, 5, 0);
    const levels: number[] = [];
    for (let tick = 1; tick <= 11; tick++) {
      toTick(pit, tick);
      levels.push(pit.level(0) ? 1 : 0);
    }
    expect(levels).toEqual([1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1]);
  });
});

it('mode 4, software strobe: low for one tick, N + 1 ticks after the write', () => {
  const pit = make();
  pit.out(0x43, 0x38);
  pit.out(0x40, 10, 0);
  pit.seen();
  pit.pass(pit.device.nextDeadline());
  // The strobe ended one tick after it began.
  expect(pit.bench.clock.now()).toBe(Math.ceil((12 * 1e9) / 1_193_182));
  expect(pit.seen()).toEqual(['irq 0=0', 'irq 0=1']);
  expect(pit.device.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
});

it('mode 5, hardware strobe: low for one tick, N + 1 ticks after the trigger', () => {
  const pit = make();
  pit.out(0x43, 0xba);
  pit.out(0x42, 10, 0);
  pit.out(0x61, 1);
  const levels: number[] = [];
  for (let tick = 10; tick <= 12; tick++) {
    toTick(pit, tick);
    levels.push(out2(pit));
  }
  expect(levels).toEqual([1, 0, 1]);
});

describe('reading', () => {
  it('a latched count stays until it is read', () => {
    const pit = make();
    pit.out(0x43, 0x34);
    pit.out(0x40, 0, 1);
    toTick(pit, 11);
    pit.out(0x43, 0x00);
    toTick(pit, 50);
    pit.out(0x43, 0x00);
    expect(pit.in(0x40) | (pit.in(0x40) << 8)).toBe(246);
  });

  it('read-back gives OUT, null count and the control word, then the count', () => {
    const pit = make();
    pit.out(0x43, 0x34);
    pit.out(0x40, 0, 1);
    toTick(pit, 2);
    expect(status(pit, 0)).toBe(0b1011_0100);
    pit.out(0x43, 0xc2);
    expect(pit.in(0x40)).toBe(0b1011_0100);
    expect(pit.in(0x40) | (pit.in(0x40) << 8)).toBe(255);
  });

  it('counts in BCD', () => {
    const pit = make();
    pit.out(0x43, 0x31);
    pit.out(0x40, 0x00, 0x10);
    toTick(pit, 2);
    expect(count(pit, 0)).toBe(0x0999);
  });

  it('a count of 0 is 65536, in BCD 10000', () => {
    const pit = make();
    pit.out(0x43, 0x34);
    pit.out(0x40, 0, 0);
    toTick(pit, 2);
    expect(count(pit, 0)).toBe(0xffff);
    pit.out(0x43, 0x35);
    pit.out(0x40, 0, 0);
    toTick(pit, 4);
    expect(count(pit, 0)).toBe(0x9999);
  });
});

it('the refresh bit of port 61h toggles every 18 ticks', () => {
  const pit = make();
  const bits: number[] = [];
  for (const tick of [0, 17, 18, 35, 36]) {
    toTick(pit, tick);
    bits.push((pit.in(0x61) >> 4) & 1);
  }
  expect(bits).toEqual([0, 0, 1, 1, 0]);
});
