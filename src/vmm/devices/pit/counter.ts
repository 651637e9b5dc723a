/**
 * One counter of an Intel 8254 (data sheet 231164-005, "Mode Definitions"), as a function of time: nothing is done tick
 * by tick. `elapsed` is the number of ticks since the counting element was loaded; it is -1 between the write of the
 * count and the next CLK pulse, which loads it.
 */
import { assert } from '../../../base/assert.js';
import type { CounterState } from './state.js';

/** Ticks since loading. */
function elapsedAt(counter: CounterState, tick: number): number {
  return counter.phase === 'running' ? tick - counter.start : counter.elapsed;
}

/** The ticks for which mode 3 is high in a period: (N + 1) / 2 for odd N. */
function highTicks(period: number): number {
  return (period + 1) >> 1;
}

/** OUT at `tick`, which {@link sync} was called with. */
export function out(counter: CounterState, tick: number): boolean {
  const { mode, phase, loaded } = counter;
  if (phase === 'idle' || phase === 'armed') return mode !== 0;
  const elapsed = elapsedAt(counter, tick);
  switch (mode) {
    case 0:
      return elapsed >= loaded;
    case 1:
      return elapsed < 0 || elapsed >= loaded;
    case 2:
      // "If GATE goes low … OUT is set high immediately."
      return phase === 'frozen' || elapsed < 0 || elapsed % loaded !== loaded - 1;
    case 3:
      return phase === 'frozen' || elapsed < 0 || elapsed % loaded < highTicks(loaded);
    default:
      return elapsed !== loaded;
  }
}

/** The counting element at `tick`, as it is read: 16 bits, binary or BCD. */
export function readCount(counter: CounterState, tick: number): number {
  const { mode, loaded, phase } = counter;
  if (phase === 'idle') return 0;
  const elapsed = Math.max(0, elapsedAt(counter, tick));
  let value: number;
  if (mode === 2) {
    value = loaded - (elapsed % loaded);
  } else if (mode === 3) {
    // Decremented by two; an odd count is first decremented by one.
    const within = elapsed % loaded;
    const half = highTicks(loaded);
    value = (loaded & ~1) - 2 * (within < half ? within : within - half);
  } else {
    // The other modes count on after the end.
    value = loaded - elapsed;
  }
  return counter.bcd ? toBcd(value) : value & 0xffff;
}

/**
 * Carries out what happened by itself until `tick`: a new count of modes 2 and 3 is taken over at the end of the period
 * (of the half period). Returns whether OUT rose meanwhile.
 */
export function sync(counter: CounterState, tick: number): boolean {
  assert(tick >= counter.seen, 'the ticks of a counter never go back');
  const from = counter.seen;
  counter.seen = tick;
  if (counter.phase !== 'running') return false;
  const { takeOver } = counter;
  if (takeOver > tick) {
    // Modes 0 and 4 load with the CLK pulse after the write.
    if (tick >= counter.start && !isPeriodic(counter)) counter.nullCount = false;
    return roseBetween(counter, from, tick);
  }
  const before = roseBetween(counter, from, takeOver);
  const atPeriod = counter.mode === 2 || out(counter, takeOver);
  counter.loaded = counter.count;
  counter.nullCount = false;
  counter.takeOver = Number.POSITIVE_INFINITY;
  // In mode 3 the count may change in the middle of a period: what follows is then the low half.
  counter.start = atPeriod ? takeOver : takeOver - highTicks(counter.loaded);
  const after = roseBetween(counter, takeOver, tick);
  return before || after;
}

/** The next tick at which OUT rises, not counting one that already happened; Infinity if it does not by itself. */
export function nextRise(counter: CounterState): number {
  if (counter.phase !== 'running') return Number.POSITIVE_INFINITY;
  const { mode, loaded, start, seen } = counter;
  switch (mode) {
    case 0:
    case 1:
      return later(start + loaded, seen);
    case 4:
    case 5:
      return later(start + loaded + 1, seen);
    default: {
      const periods = Math.floor(Math.max(0, seen - start) / loaded) + 1;
      return Math.min(counter.takeOver, loaded === 1 ? Number.POSITIVE_INFINITY : start + periods * loaded);
    }
  }
}

/** The control word: the counter waits for its count. */
export function configure(counter: CounterState, access: CounterState['access'], mode: number, bcd: boolean): void {
  counter.access = access;
  counter.mode = mode;
  counter.bcd = bcd;
  counter.phase = 'idle';
  counter.takeOver = Number.POSITIVE_INFINITY;
  counter.nullCount = true;
  counter.writeHigh = false;
  counter.readHigh = false;
  counter.countLatched = false;
  counter.statusLatched = false;
}

/** A byte of the count was written. */
export function writeByte(counter: CounterState, value: number, tick: number): void {
  if (counter.access === 'low') {
    writeCount(counter, value, tick);
  } else if (counter.access === 'high') {
    writeCount(counter, value << 8, tick);
  } else if (counter.writeHigh) {
    counter.writeHigh = false;
    writeCount(counter, counter.writeLow | (value << 8), tick);
  } else {
    counter.writeHigh = true;
    counter.writeLow = value;
    // Mode 0: "Writing the first byte disables counting. OUT is set low immediately."
    if (counter.mode === 0) counter.phase = 'idle';
  }
}

/** The next byte that a read of the counter gives: latched status, latched count, or the count as it goes by. */
export function readByte(counter: CounterState, tick: number): number {
  if (counter.statusLatched) {
    counter.statusLatched = false;
    return counter.statusLatch;
  }
  const value = counter.countLatched ? counter.countLatch : readCount(counter, tick);
  if (counter.access !== 'both') {
    counter.countLatched = false;
    return counter.access === 'low' ? value & 0xff : value >> 8;
  }
  if (counter.readHigh) counter.countLatched = false;
  counter.readHigh = !counter.readHigh;
  return counter.readHigh ? value & 0xff : value >> 8;
}

/** The counter latch command; a latch that was not read yet stays. */
export function latchCount(counter: CounterState, tick: number): void {
  if (counter.countLatched) return;
  counter.countLatched = true;
  counter.countLatch = readCount(counter, tick);
}

/** GATE changes ("Gate Pin Operations Summary"). */
export function setGate(counter: CounterState, gate: boolean, tick: number): void {
  if (gate === counter.gate) return;
  counter.gate = gate;
  const { mode, phase } = counter;
  if (mode === 1 || mode === 5) {
    // A rising edge triggers, at any time.
    if (gate && phase !== 'idle') start(counter, tick);
    return;
  }
  if (!gate && phase === 'running') {
    counter.phase = 'frozen';
    counter.takeOver = Number.POSITIVE_INFINITY;
    counter.elapsed = Math.max(0, tick - counter.start);
    // The strobe of mode 4 lasts one clock whatever the gate does.
    if (mode === 4 && counter.elapsed === counter.loaded) counter.elapsed++;
  } else if (gate && phase === 'frozen') {
    if (mode === 2 || mode === 3) {
      start(counter, tick);
    } else {
      counter.phase = 'running';
      counter.start = tick - counter.elapsed;
      counter.elapsed = 0;
    }
  }
}

/** A whole count was written to the count register. */
function writeCount(counter: CounterState, value: number, tick: number): void {
  counter.count = counter.bcd ? fromBcd(value) || 10_000 : value || 0x1_0000;
  counter.nullCount = true;
  const { mode, phase } = counter;
  if (mode === 1 || mode === 5) {
    if (phase === 'idle') {
      counter.phase = 'armed';
      counter.loaded = counter.count;
    }
    return;
  }
  // Modes 2 and 3: "writing a new count while counting does not affect the current counting sequence".
  if (isPeriodic(counter) && phase !== 'idle') {
    if (phase === 'running') counter.takeOver = takeOverTick(counter, tick);
    return;
  }
  start(counter, tick);
}

/** Loads the counting element with the next CLK pulse. */
function start(counter: CounterState, tick: number): void {
  const triggered = counter.mode === 1 || counter.mode === 5;
  counter.loaded = counter.count;
  counter.elapsed = 0;
  counter.takeOver = Number.POSITIVE_INFINITY;
  if (counter.gate || triggered) {
    counter.phase = 'running';
    counter.start = tick + 1;
    if (counter.mode !== 0 && counter.mode !== 4) counter.nullCount = false;
  } else {
    counter.phase = 'frozen';
    counter.nullCount = false;
  }
}

/** Modes 2 and 3 go round by themselves. */
function isPeriodic(counter: CounterState): boolean {
  return counter.mode === 2 || counter.mode === 3;
}

/** The tick at which a count written at `tick` is taken over: the end of the period, in mode 3 of the half period. */
function takeOverTick(counter: CounterState, tick: number): number {
  const { mode, loaded, start: begin } = counter;
  const period = begin + Math.floor(Math.max(0, tick - begin) / loaded) * loaded;
  const half = period + highTicks(loaded);
  return mode === 3 && half > tick ? half : period + loaded;
}

/** Whether OUT rose in (from, to], with no count taken over in between. */
function roseBetween(counter: CounterState, from: number, to: number): boolean {
  const { mode, loaded, start: begin } = counter;
  switch (mode) {
    case 0:
    case 1:
      return begin + loaded > from && begin + loaded <= to;
    case 4:
    case 5:
      return begin + loaded + 1 > from && begin + loaded + 1 <= to;
    default:
      // A count of 1 is not allowed: OUT stays as it is.
      return (
        loaded > 1 && to > begin && Math.floor((to - begin) / loaded) > Math.floor(Math.max(0, from - begin) / loaded)
      );
  }
}

function later(tick: number, seen: number): number {
  return tick > seen ? tick : Number.POSITIVE_INFINITY;
}

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  const rest = ((value % 10_000) + 10_000) % 10_000;
  return (
    (Math.floor(rest / 1000) << 12) |
    ((Math.floor(rest / 100) % 10) << 8) |
    ((Math.floor(rest / 10) % 10) << 4) |
    (rest % 10)
  );
}
