/**
 * The PM1 registers of ACPI fixed hardware (ACPI 6.5, section 4.8.3): the event block, whose interrupt is the SCI, and the
 * control block, through which a guest switches the machine off.
 *
 * Decisions:
 * - The machine has no SMI and no legacy mode: the FADT's SMI_CMD is 0, and SCI_EN always reads 1 (section 5.2.9: zero on "a
 *   system that does not support System Management mode").
 * - The only event is the PM timer's. There are no fixed buttons, no RTC wake, no global lock shared with firmware: the FADT
 *   says so, and those status bits stay 0. WAK_STS too: S5 is the only sleep, and nothing wakes from it.
 * - SLP_EN with another SLP_TYPx than that of \_S5 does nothing.
 */
import type { Clock, IrqLine, PowerLine } from '../../device.js';
import type { Register } from '../../register.js';
import { stateError } from '../../state/check.js';
import { initialState } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';
import { TickScale } from '../ticks.js';
import { acpiPm1Register } from './names.js';
import * as bits from './registers.js';
import { type AcpiPm1State, acpiPm1State } from './state.js';

const scale = new TickScale(3_579_545);
/** Ticks between two changes of bit 23. */
const HALF_PERIOD = 2 ** 23;

/** What the registers are wired to. */
export interface AcpiPm1Ports {
  /** The SCI, level-triggered. */
  readonly irq: IrqLine;
  readonly clock: Clock;
  readonly power: PowerLine;
}

/** See the head of the file. */
export class AcpiPm1 extends ByteDevice<typeof acpiPm1State> {
  constructor(readonly wiring: AcpiPm1Ports) {
    super(
      'acpi-pm1',
      [
        { base: bits.EVENT_BLOCK, length: bits.EVENT_BLOCK_LENGTH },
        { base: bits.CONTROL_BLOCK, length: bits.CONTROL_BLOCK_LENGTH },
      ],
      acpiPm1State,
    );
    this.state = this.powerOn();
  }

  override nextDeadline(): number {
    return (this.state.enable & bits.TIMER) === 0 ? Number.POSITIVE_INFINITY : this.state.timerChange;
  }

  override advance(now: number): void {
    if (now < this.state.timerChange) return;
    this.state.timerChange = Number.POSITIVE_INFINITY;
    this.driveLines();
  }

  protected override powerOn(): AcpiPm1State {
    return { ...initialState(acpiPm1State), timerChange: this.#nextChange() };
  }

  protected override driveLines(): void {
    this.wiring.irq.set((this.#status() & this.state.enable) !== 0);
  }

  registerAt(port: number): Register | undefined {
    return acpiPm1Register(port);
  }

  protected readByte(port: number): number {
    this.advance(this.wiring.clock.now());
    return (this.#register(port & ~1) >> (8 * (port & 1))) & 0xff;
  }

  protected writeByte(port: number, value: number): void {
    this.advance(this.wiring.clock.now());
    const shift = 8 * (port & 1);
    const written = value << shift;
    const kept = 0xff00 >> shift;
    const { state } = this;
    switch (port & ~1) {
      case bits.EVENT_BLOCK:
        // "The software clears these bits by writing a 1."
        if ((written & bits.TIMER) !== 0 && this.#status() !== 0) state.timerChange = this.#nextChange();
        break;
      case bits.EVENT_BLOCK + 2:
        state.enable = ((state.enable & kept) | written) & bits.ENABLE_MASK;
        break;
      default:
        state.control = ((state.control & kept) | written) & bits.CONTROL_MASK;
        if ((written & bits.SLEEP_ENABLE) !== 0) this.#sleep();
    }
    this.driveLines();
  }

  protected override checkConsistency(state: AcpiPm1State): void {
    if ((state.enable & ~bits.ENABLE_MASK) !== 0) throw stateError('acpi-pm1.enable', 'has bits that are reserved');
    if ((state.control & ~bits.CONTROL_MASK) !== 0) throw stateError('acpi-pm1.control', 'has bits that are reserved');
  }

  #register(port: number): number {
    if (port === bits.EVENT_BLOCK) return this.#status();
    if (port === bits.EVENT_BLOCK + 2) return this.state.enable;
    return this.state.control | bits.SCI_ENABLED;
  }

  #status(): number {
    return this.state.timerChange === Number.POSITIVE_INFINITY ? bits.TIMER : 0;
  }

  #sleep(): void {
    const type = (this.state.control >> bits.SLEEP_TYPE_SHIFT) & bits.SLEEP_TYPE_MASK;
    if (type === bits.SLEEP_TYPE_S5) this.wiring.power.off();
  }

  /** The time of the first change of the timer's bit 23 after now. */
  #nextChange(): number {
    const ticks = scale.at(this.wiring.clock.now());
    return scale.timeOf((Math.floor(ticks / HALF_PERIOD) + 1) * HALF_PERIOD);
  }
}
