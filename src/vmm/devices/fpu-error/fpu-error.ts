/**
 * How a PC reports x87 errors to software that leaves CR0.NE clear: the circuit of Intel SDM volume 1, section D.2.1.2, figure D-1 (so also
 * the "coprocessor error register" of the 82371AB). FERR# sets the first flip-flop, which is IRQ 13; any write to port F0h clears it and
 * clocks the second, which is IGNNE#. The second is cleared while FERR# is not asserted: the processor sees to that itself (FerrLine).
 */
import type { FerrLine, IrqLine } from '../../device.js';
import { type Register, register } from '../../register.js';
import { bool, stateTable } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';

const PORT = 0xf0;

/** Does a write of `size` bytes to `port` reach the device, and so assert IGNNE#? A replay without devices asks. */
export function assertsIgnne(port: number, size: number): boolean {
  return port <= PORT && PORT < port + size;
}

/** The first flip-flop. */
export const fpuErrorState = stateTable('fpu-error', 1, { latched: bool() });

const CLEAR = register('clear');

/** See the head of the file. */
export class FpuError extends ByteDevice<typeof fpuErrorState> {
  constructor(readonly wiring: { readonly irq: IrqLine; readonly processor: FerrLine }) {
    super('fpu-error', [{ base: PORT, length: 1 }], fpuErrorState);
  }

  /** The level of IRQ 13. */
  get latched(): boolean {
    return this.state.latched;
  }

  /**
   * The processor asserts FERR#, or still does: it waits for an interrupt. As IGNNE# is not asserted then, a flip-flop that is clear means that
   * FERR# has just come.
   */
  assertFerr(): void {
    this.state.latched = true;
    this.driveLines();
  }

  registerAt(): Register {
    return CLEAR;
  }

  /** The port is written only. */
  protected readByte(): number {
    return 0xff;
  }

  protected writeByte(): void {
    this.state.latched = false;
    this.driveLines();
    this.wiring.processor.ignoreFerr();
  }

  protected override driveLines(): void {
    this.wiring.irq.set(this.state.latched);
  }
}
