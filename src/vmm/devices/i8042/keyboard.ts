/** The keyboard behind the controller: it answers commands; nobody types on it. */
import * as bits from './registers.js';
import { type I8042State, QUEUE_SIZE } from './state.js';

/** The identification of an MF2 keyboard. */
const IDENTITY = [0xab, 0x83];

/** The controller sends `value` to the keyboard. */
export function sendToKeyboard(state: I8042State, value: number): void {
  const command = state.keyboardCommand;
  // A command may come where a parameter is due: it replaces the command before.
  if (command !== 0 && value < bits.SET_LEDS) {
    state.keyboardCommand = 0;
    takeParameter(state, command, value);
    return;
  }
  state.keyboardCommand = 0;
  switch (value) {
    case bits.SET_LEDS:
    case bits.SCAN_CODE_SET:
    case bits.SET_RATE:
      state.keyboardCommand = value;
      answer(state, bits.ACKNOWLEDGE);
      break;
    case bits.ECHO:
      answer(state, bits.ECHO);
      break;
    case bits.IDENTIFY:
      answer(state, bits.ACKNOWLEDGE, ...IDENTITY);
      break;
    case bits.ENABLE:
      answer(state, bits.ACKNOWLEDGE);
      break;
    case bits.DEFAULTS_OFF:
    case bits.DEFAULTS_ON:
      state.queue = [];
      state.scanCodeSet = 2;
      answer(state, bits.ACKNOWLEDGE);
      break;
    case bits.RESEND:
      answer(state, state.lastSent);
      break;
    case bits.KEYBOARD_RESET:
      state.queue = [];
      state.scanCodeSet = 2;
      answer(state, bits.ACKNOWLEDGE, bits.TEST_PASSED);
      break;
    default:
      answer(state, bits.RESEND);
  }
}

function takeParameter(state: I8042State, command: number, value: number): void {
  answer(state, bits.ACKNOWLEDGE);
  if (command !== bits.SCAN_CODE_SET) return;
  if (value === 0) answer(state, state.scanCodeSet);
  else if (value <= 3) state.scanCodeSet = value;
}

function answer(state: I8042State, ...bytes: number[]): void {
  for (const byte of bytes) if (state.queue.length < QUEUE_SIZE) state.queue.push(byte);
}
