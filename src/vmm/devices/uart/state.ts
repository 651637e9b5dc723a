/** The state of the serial port. */
import { bool, bytesUpTo, listUpTo, type StateOf, stateTable, u8, u16 } from '../../state/fields.js';
import { FIFO_SIZE, MCR_MASK } from './registers.js';

/** Bytes of the host that wait for room in the receiver. */
export const BACKLOG_SIZE = 4096;

/** See registers.ts for the registers. */
export const uartState = stateTable('uart', 1, {
  ier: u8({ max: 0b1111 }),
  lcr: u8(),
  mcr: u8({ max: MCR_MASK }),
  scratch: u8(),
  /** Any value, 0 too: nothing is divided by it. 12 is 9600 baud. */
  divisor: u16({ initial: 12 }),
  /** FCR bit 0. */
  fifoEnabled: bool(),
  /** FCR bits 7:6. */
  trigger: u8({ max: 3 }),
  /** Received and not yet read. */
  fifo: listUpTo(u8(), FIFO_SIZE),
  overrun: bool(),
  /** "Transmitter holding register empty" waits to be told. */
  transmitPending: bool(),
  /** Bits 3:0 of MSR: what changed. */
  modemChanges: u8({ max: 0b1111 }),
  backlog: bytesUpTo(BACKLOG_SIZE),
});

/** The state of the serial port. */
export type UartState = StateOf<typeof uartState>;
