/**
 * The ACPI power management timer at 608h (ACPI 6.5, sections 4.8.2.1 and 4.8.3.3): 3.579545 MHz, read only, 24 bits, or 32 bits
 * with TMR_VAL_EXT. Its overflow interrupt is part of the PM1 event block: see acpi-pm1.
 */
import type { Clock } from '../../device.js';
import { type Register, register } from '../../register.js';
import { stateTable } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';
import { TickScale } from '../ticks.js';

const PORT = 0x608;
const scale = new TickScale(3_579_545);

/** It has no state of its own: it is the clock. */
export const pmTimerState = stateTable('pm-timer', 1, {});

const TIMER = register('PM_TMR', '', 4);

/** See the head of the file. */
export class PmTimer extends ByteDevice<typeof pmTimerState> {
  readonly #clock: Clock;
  readonly #mask: number;

  constructor(wiring: { readonly clock: Clock }, bits: 24 | 32 = 24) {
    super('pm-timer', [{ base: PORT, length: 4 }], pmTimerState);
    this.#clock = wiring.clock;
    this.#mask = bits === 24 ? 0xff_ffff : 0xffff_ffff;
  }

  registerAt(port: number): Register | undefined {
    return port === PORT ? TIMER : undefined;
  }

  protected readByte(port: number): number {
    const value = scale.at(this.#clock.now()) % 0x1_0000_0000;
    return ((value & this.#mask) >>> (8 * (port - PORT))) & 0xff;
  }

  /** "This is a read-only field." */
  protected writeByte(): void {}
}
