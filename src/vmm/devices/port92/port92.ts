/**
 * Port 92h, "system control port A" (82371AB data sheet, section 4.2.4.2): bit 0 resets when it goes from 0 to 1, bit 1
 * is the alternate A20 gate. A20 is always enabled in this machine: the bit reads back as written and does nothing else.
 */
import type { ResetLine } from '../../device.js';
import { type Register, register } from '../../register.js';
import { bool, stateTable } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';

const RESET = 0b01;
const A20 = 0b10;

/** The two bits. */
export const port92State = stateTable('port92', 1, {
  reset: bool(),
  a20: bool({ initial: true }),
});

const CONTROL = register('control', 'FAST_INIT FAST_A20');

/** See the head of the file. */
export class Port92 extends ByteDevice<typeof port92State> {
  constructor(readonly resetLine: ResetLine) {
    super('port92', [{ base: 0x92, length: 1 }], port92State);
  }

  registerAt(): Register {
    return CONTROL;
  }

  protected readByte(): number {
    return (this.state.reset ? RESET : 0) | (this.state.a20 ? A20 : 0);
  }

  protected writeByte(_port: number, value: number): void {
    const reset = (value & RESET) !== 0;
    const rises = reset && !this.state.reset;
    this.state.reset = reset;
    this.state.a20 = (value & A20) !== 0;
    if (rises) this.resetLine.request();
  }
}
