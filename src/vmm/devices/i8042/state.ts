/** The state of the keyboard controller and of its keyboard. */
import { bool, bytes, listUpTo, oneOf, type StateOf, stateTable, u8 } from '../../state/fields.js';

/** Answers that the keyboard holds; a full keyboard drops what comes on top. */
export const QUEUE_SIZE = 16;

/** See registers.ts for the words. */
export const i8042State = stateTable('i8042', 1, {
  /** The controller's RAM; byte 0 is the command byte. */
  ram: bytes(32),
  outputFull: bool(),
  output: u8(),
  lastWasCommand: bool(),
  /** What the next byte at port 60h is for. */
  expects: oneOf(['keyboard', 'ram', 'output-port', 'output', 'aux']),
  /** The RAM byte that 'ram' writes. */
  ramIndex: u8({ max: 31 }),
  /** The keyboard's command that waits for its parameter; 0: none. */
  keyboardCommand: u8(),
  /** What the keyboard will send. */
  queue: listUpTo(u8(), QUEUE_SIZE),
  lastSent: u8(),
  scanCodeSet: u8({ min: 1, max: 3, initial: 2 }),
});

/** The state of the keyboard controller. */
export type I8042State = StateOf<typeof i8042State>;
