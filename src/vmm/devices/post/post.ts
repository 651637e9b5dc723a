/**
 * Ports 80h to 8Fh: the POST code and the DMA page registers (82371AB data sheet, section 4.2.1.9), as sixteen bytes that
 * can be written and read back. There is no DMA controller behind them. Linux writes port 80h to wait a little.
 */

import { type Register, register } from '../../register.js';
import { bytes, stateTable } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';

const BASE = 0x80;

/** The state of the page registers. */
export const postState = stateTable('post', 1, {
  /** Byte 0 is the POST code. */
  registers: bytes(16),
});

const REGISTERS = Array.from({ length: 16 }, (_, index) =>
  register(index === 0 ? 'code' : `page[0x8${index.toString(16)}]`),
);

/** See the head of the file. */
export class PostPort extends ByteDevice<typeof postState> {
  constructor() {
    super('post', [{ base: BASE, length: 16 }], postState);
  }

  /** The last byte written to port 80h. */
  get code(): number {
    return this.state.registers[0] as number;
  }

  registerAt(port: number): Register | undefined {
    return REGISTERS[port - BASE];
  }

  protected readByte(port: number): number {
    return this.state.registers[port - BASE] as number;
  }

  protected writeByte(port: number, value: number): void {
    this.state.registers[port - BASE] = value;
  }
}
