/**
 * The real-time clock and CMOS memory: Motorola MC146818A (data sheet of 1984) at 70h and 71h, IRQ 8, with the PC's map
 * of its memory.
 *
 * Decisions: the date at guest time 0 is an option of the machine, the rest is guest time. The registers change at the
 * end of a second, and "update in progress" shows during the 2228 µs before (244 µs warning and 1984 µs update, figure
 * 12). Daylight saving is not performed. Any divider setting but that of the PC's crystal holds the chain; when it is set
 * to run, the first update is half a second away ("Divider Control"). Values that are no time count as the nearest that
 * are one, once the clock counts on.
 */
import type { Clock, IrqLine } from '../../device.js';
import type { Register } from '../../register.js';
import { stateError } from '../../state/check.js';
import { initialState, TIME_MAX } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';
import { addSeconds, secondsToAlarm, showUnixTime } from './calendar.js';
import { describeMemory } from './cmos.js';
import { rtcRegister } from './names.js';
import * as bits from './registers.js';
import { type RtcState, rtcState } from './state.js';

const SECOND = 1_000_000_000;
const CRYSTAL = 32_768;
const UPDATING = 2_228_000;

/** What the clock is wired to. */
export interface RtcPorts {
  /** IRQ 8. */
  readonly irq: IrqLine;
  readonly clock: Clock;
}

/** What the machine decides. */
export interface RtcOptions {
  /** Seconds since 1970 at guest time 0. */
  readonly startTime: number;
  /** Bytes of RAM. */
  readonly memorySize: number;
}

/** See the head of the file. */
export class Rtc extends ByteDevice<typeof rtcState> {
  #deadline = Number.POSITIVE_INFINITY;

  constructor(
    readonly wiring: RtcPorts,
    readonly options: RtcOptions,
  ) {
    super(
      'rtc',
      [
        { base: bits.INDEX, length: 1 },
        { base: bits.DATA, length: 1 },
      ],
      rtcState,
    );
    this.state = this.powerOn();
  }

  /** The guest switched non-maskable interrupts off. */
  get nmiOff(): boolean {
    return this.state.nmiOff;
  }

  override nextDeadline(): number {
    return this.#deadline;
  }

  override advance(now: number): void {
    this.#sync(now);
  }

  /** The battery keeps time: after a reset the clock shows what it would have shown without. */
  protected override powerOn(): RtcState {
    const state = initialState(rtcState);
    const now = this.wiring.clock.now();
    const seconds = Math.floor(now / SECOND);
    const { cells } = state;
    cells[bits.REGISTER_A] = A_POWER_ON;
    cells[bits.REGISTER_B] = bits.B_24;
    cells[bits.REGISTER_D] = bits.D_VALID;
    describeMemory(cells, this.options.memorySize);
    showUnixTime(cells, this.options.startTime + seconds);
    state.nextUpdate = (seconds + 1) * SECOND;
    state.seen = now;
    return state;
  }

  registerAt(port: number): Register {
    return rtcRegister(port, this.state.index);
  }

  protected readByte(port: number): number {
    // The index cannot be read: the bus floats.
    if (port === bits.INDEX) return 0xff;
    const { state } = this;
    const { index } = state;
    if (isClockRegister(index)) this.#sync(this.wiring.clock.now());
    const value = state.cells[index] as number;
    if (index === bits.REGISTER_A) return value | (this.#updating() ? bits.A_UPDATING : 0);
    if (index === bits.REGISTER_C) {
      state.cells[bits.REGISTER_C] = 0;
      this.driveLines();
      this.#plan();
    }
    return value;
  }

  protected writeByte(port: number, value: number): void {
    const { state } = this;
    if (port === bits.INDEX) {
      state.index = value & 0x7f;
      state.nmiOff = (value & bits.NMI_OFF) !== 0;
      return;
    }
    const { index } = state;
    if (!isClockRegister(index)) {
      state.cells[index] = value;
      return;
    }
    const now = this.wiring.clock.now();
    this.#sync(now);
    this.#writeClock(index, value, now);
    this.#raise(0);
    this.#plan();
  }

  protected override driveLines(): void {
    this.wiring.irq.set(((this.state.cells[bits.REGISTER_C] as number) & bits.C_IRQ) !== 0);
  }

  protected override checkConsistency(state: RtcState): void {
    const { cells, seen, nextUpdate } = state;
    if (seen > this.wiring.clock.now()) throw stateError('rtc.seen', 'is in the future');
    if (nextUpdate <= seen || nextUpdate > seen + SECOND) {
      throw stateError('rtc.nextUpdate', 'is not within a second');
    }
    if ((cells[bits.REGISTER_A] as number) & bits.A_UPDATING) throw stateError('rtc.cells[10]', 'has bit 7 set');
    const c = cells[bits.REGISTER_C] as number;
    const irq = (c & (cells[bits.REGISTER_B] as number) & bits.SOURCES) !== 0 ? bits.C_IRQ : 0;
    if ((c & ~bits.SOURCES) !== irq) throw stateError('rtc.cells[12]', 'contradicts register B');
    if (cells[bits.REGISTER_D] !== bits.D_VALID) throw stateError('rtc.cells[13]', 'says that the battery is empty');
  }

  protected override afterLoad(): void {
    this.#plan();
  }

  get #runs(): boolean {
    return ((this.state.cells[bits.REGISTER_A] as number) & bits.A_DIVIDER) === bits.A_DIVIDER_RUNS;
  }
  get #held(): boolean {
    return ((this.state.cells[bits.REGISTER_B] as number) & bits.B_SET) !== 0;
  }
  /** Ticks of the crystal in a period; 0: no periods (table 5). */
  get #period(): number {
    const rate = (this.state.cells[bits.REGISTER_A] as number) & bits.A_RATE;
    if (rate === 0) return 0;
    return rate < 3 ? 64 << rate : 1 << (rate - 1);
  }

  #updating(): boolean {
    return this.#runs && !this.#held && this.state.nextUpdate - this.state.seen <= UPDATING;
  }

  #writeClock(index: number, value: number, now: number): void {
    const { state } = this;
    switch (index) {
      case bits.REGISTER_A: {
        const ran = this.#runs;
        state.cells[index] = value & ~bits.A_UPDATING;
        if (this.#runs && !ran) state.nextUpdate = now + SECOND / 2;
        break;
      }
      case bits.REGISTER_B:
        // "SET … clears UIE" (register B).
        state.cells[index] = value & bits.B_SET ? value & ~bits.B_UPDATE : value;
        break;
      case bits.REGISTER_C:
      case bits.REGISTER_D:
        break;
      default:
        state.cells[index] = value;
    }
  }

  /** Carries out what happened until `now`. */
  #sync(now: number): void {
    const { state } = this;
    const from = state.seen;
    if (now <= from) return;
    state.seen = now;
    if (!this.#runs) {
      // The chain stands: its next end stays as far away as it is.
      state.nextUpdate = Math.min(TIME_MAX, now + SECOND);
      return;
    }
    let flags = this.#periodsBetween(from, now) ? bits.B_PERIODIC : 0;
    const updates = now < state.nextUpdate ? 0 : Math.floor((now - state.nextUpdate) / SECOND) + 1;
    if (updates > 0) {
      state.nextUpdate += updates * SECOND;
      if (!this.#held) {
        flags |= bits.B_UPDATE;
        if (secondsToAlarm(state.cells) <= updates) flags |= bits.B_ALARM;
        addSeconds(state.cells, updates);
      }
    }
    this.#raise(flags);
    this.#plan();
  }

  /** Whether a period ended in (from, to]. */
  #periodsBetween(from: number, to: number): boolean {
    const period = this.#period;
    if (period === 0) return false;
    if (to - from >= SECOND) return true;
    const origin = this.state.nextUpdate - SECOND;
    const count = (at: number) => Math.floor(Math.floor(((at - origin) * CRYSTAL) / SECOND) / period);
    return count(to) > count(from);
  }

  /** Sets flags of register C, and the interrupt if an enabled one is set. */
  #raise(flags: number): void {
    const { cells } = this.state;
    const all = ((cells[bits.REGISTER_C] as number) | flags) & bits.SOURCES;
    const wanted = (all & (cells[bits.REGISTER_B] as number)) !== 0;
    cells[bits.REGISTER_C] = all | (wanted ? bits.C_IRQ : 0);
    this.driveLines();
  }

  /** The next time at which an enabled source asks; none while the interrupt is on already. */
  #plan(): void {
    const { cells, nextUpdate, seen } = this.state;
    const enabled = cells[bits.REGISTER_B] as number;
    let next = Number.POSITIVE_INFINITY;
    if (this.#runs && !((cells[bits.REGISTER_C] as number) & bits.C_IRQ)) {
      if (enabled & bits.B_PERIODIC && this.#period > 0) next = this.#nextPeriod(seen);
      if (!this.#held) {
        if (enabled & bits.B_UPDATE) next = Math.min(next, nextUpdate);
        if (enabled & bits.B_ALARM) next = Math.min(next, nextUpdate + (secondsToAlarm(cells) - 1) * SECOND);
      }
    }
    this.#deadline = next <= TIME_MAX ? next : Number.POSITIVE_INFINITY;
  }

  #nextPeriod(after: number): number {
    const origin = this.state.nextUpdate - SECOND;
    const period = this.#period;
    const periods = Math.floor(Math.floor(((after - origin) * CRYSTAL) / SECOND) / period) + 1;
    return origin + Math.ceil((periods * period * SECOND) / CRYSTAL);
  }
}

/** 32768 Hz, 1024 periodic interrupts a second: as the PC's firmware sets it. */
const A_POWER_ON = bits.A_DIVIDER_RUNS | 6;

/** Registers that change with time, or change what time does: not the CMOS memory. */
function isClockRegister(index: number): boolean {
  return index <= bits.REGISTER_D || index === bits.CENTURY;
}
