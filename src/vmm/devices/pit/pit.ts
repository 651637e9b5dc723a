/**
 * The interval timer: Intel 8254 (data sheet 231164-005) at 40h to 43h and port 61h (PIIX4), OUT of counter 0 on IRQ 0.
 *
 * Decisions. Time is guest time, turned into ticks of 1.193182 MHz by whole-number arithmetic. Edges do not pile up: if
 * OUT rose several times since the device was last looked at, IRQ 0 gets one edge. After power-on, which the data sheet
 * leaves undefined, the counters are in mode 0, without a count and OUT low. A count of 1 in modes 2 and 3, which is not
 * allowed, gives no edges. The speaker has no sound; only its bits are kept.
 */
import type { Clock, IrqLine } from '../../device.js';
import type { Register } from '../../register.js';
import { stateError } from '../../state/check.js';
import { initialState } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';
import { TickScale } from '../ticks.js';
import * as counters from './counter.js';
import { pitRegister } from './names.js';
import * as bits from './registers.js';
import { type CounterState, type PitState, pitState, TICK_ORIGIN } from './state.js';

const scale = new TickScale(bits.FREQUENCY);
const ACCESS: readonly CounterState['access'][] = ['both', 'low', 'high', 'both'];

/** What the timer is wired to. */
export interface PitPorts {
  /** IRQ 0. */
  readonly irq: IrqLine;
  readonly clock: Clock;
}

/** See the head of the file. */
export class Pit extends ByteDevice<typeof pitState> {
  readonly #irq: IrqLine;
  readonly #clock: Clock;
  #deadline = Number.POSITIVE_INFINITY;

  constructor(wiring: PitPorts) {
    const ports = [
      { base: bits.COUNTER_0, length: 4 },
      { base: bits.PORT_61, length: 1 },
    ];
    super('pit', ports, pitState);
    this.#irq = wiring.irq;
    this.#clock = wiring.clock;
    this.state = this.powerOn();
  }

  override nextDeadline(): number {
    return this.#deadline;
  }

  override advance(now: number): void {
    this.#sync(now);
  }

  registerAt(port: number, isWrite: boolean, value: number): Register {
    return pitRegister(port, isWrite, value, this.state.counters);
  }

  protected override powerOn(): PitState {
    const state = initialState(pitState);
    const tick = tickAt(this.#clock.now());
    for (const [index, counter] of state.counters.entries()) {
      // The gates of counters 0 and 1 are wired high.
      counter.gate = index !== 2;
      counter.seen = tick;
    }
    return state;
  }

  protected readByte(port: number): number {
    const tick = this.#sync(this.#clock.now());
    if (port === bits.PORT_61) return this.#readPort61(tick);
    // The control word cannot be read: the data bus floats.
    if (port === bits.CONTROL) return 0xff;
    return counters.readByte(this.#counter(port - bits.COUNTER_0), tick);
  }

  protected writeByte(port: number, value: number): void {
    const tick = this.#sync(this.#clock.now());
    if (port === bits.PORT_61) {
      this.state.port61 = value & bits.PORT_61_WRITABLE;
      counters.setGate(this.#counter(2), (value & bits.GATE_2) !== 0, tick);
    } else if (port === bits.CONTROL) {
      this.#writeControl(value, tick);
    } else {
      counters.writeByte(this.#counter(port - bits.COUNTER_0), value, tick);
    }
    this.#drive(false, tick);
  }

  protected override driveLines(): void {
    this.#irq.set(this.state.irq);
  }

  protected override checkConsistency(state: PitState): void {
    const now = tickAt(this.#clock.now());
    for (const [index, counter] of state.counters.entries()) {
      const path = `pit.counters[${index}]`;
      const gate = index !== 2 || (state.port61 & bits.GATE_2) !== 0;
      if (counter.gate !== gate) throw stateError(`${path}.gate`, 'contradicts its wiring');
      if (counter.seen > now || counter.seen < TICK_ORIGIN) throw stateError(`${path}.seen`, 'is not in the past');
      if (counter.start > counter.seen + 1) throw stateError(`${path}.start`, 'is in the future');
      if (counter.takeOver < counter.seen) throw stateError(`${path}.takeOver`, 'is in the past');
      if (counter.elapsed >= counter.seen) throw stateError(`${path}.elapsed`, 'began before the first tick');
    }
  }

  protected override afterLoad(): void {
    this.#plan();
  }

  #counter(index: number): CounterState {
    return this.state.counters[index] as CounterState;
  }

  #readPort61(tick: number): number {
    let value = this.state.port61;
    if (Math.floor((tick - TICK_ORIGIN) / bits.REFRESH_TICKS) % 2 === 1) value |= bits.REFRESH;
    if (counters.out(this.#counter(2), tick)) value |= bits.OUT_2;
    return value;
  }

  #writeControl(value: number, tick: number): void {
    const select = value >> 6;
    if (select === bits.READ_BACK) {
      for (let index = 0; index < 3; index++) {
        if (value & (2 << index)) this.#readBack(this.#counter(index), value, tick);
      }
      return;
    }
    const counter = this.#counter(select);
    const access = (value >> 4) & 3;
    if (access === 0) {
      counters.latchCount(counter, tick);
      return;
    }
    // Modes 6 and 7 are modes 2 and 3.
    const mode = (value >> 1) & 7;
    counters.configure(
      counter,
      ACCESS[access] as CounterState['access'],
      mode > 5 ? mode - 4 : mode,
      (value & 1) !== 0,
    );
  }

  #readBack(counter: CounterState, command: number, tick: number): void {
    if (!(command & bits.READ_BACK_NO_COUNT)) counters.latchCount(counter, tick);
    if (command & bits.READ_BACK_NO_STATUS || counter.statusLatched) return;
    const access = counter.access === 'both' ? 3 : counter.access === 'low' ? 1 : 2;
    counter.statusLatched = true;
    counter.statusLatch =
      (counters.out(counter, tick) ? bits.STATUS_OUT : 0) |
      (counter.nullCount ? bits.STATUS_NULL : 0) |
      (access << 4) |
      (counter.mode << 1) |
      (counter.bcd ? 1 : 0);
  }

  /** Brings the counters to `now` and returns its tick. */
  #sync(now: number): number {
    const tick = tickAt(now);
    const rose = counters.sync(this.#counter(0), tick);
    counters.sync(this.#counter(1), tick);
    counters.sync(this.#counter(2), tick);
    this.#drive(rose, tick);
    return tick;
  }

  /** Drives IRQ 0; `rose`: there was an edge since the last time, even if the level is the same again. */
  #drive(rose: boolean, tick: number): void {
    const level = counters.out(this.#counter(0), tick);
    if (rose && level === this.state.irq) this.#irq.set(!level);
    this.state.irq = level;
    this.#irq.set(level);
    this.#plan();
  }

  #plan(): void {
    const tick = counters.nextRise(this.#counter(0));
    this.#deadline = tick === Number.POSITIVE_INFINITY ? tick : scale.timeOf(tick - TICK_ORIGIN);
  }
}

function tickAt(ns: number): number {
  return scale.at(ns) + TICK_ORIGIN;
}
