/**
 * The keyboard controller at 60h and 64h, IRQ 1 (IBM PS/2 Technical Reference), as far as reset and the probe of a kernel
 * need it.
 *
 * Decisions: commands and the keyboard answer at once. There is no auxiliary (mouse) port: its test reports a stuck
 * clock line, and what is sent to it gets no answer. A20 is always enabled; its bit reads as set.
 */
import type { IrqLine, ResetLine } from '../../device.js';
import type { Register } from '../../register.js';
import { initialState } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';
import { sendToKeyboard } from './keyboard.js';
import { i8042Register } from './names.js';
import * as bits from './registers.js';
import { type I8042State, i8042State } from './state.js';

/** What the controller is wired to. */
export interface I8042Ports {
  /** IRQ 1. */
  readonly irq: IrqLine;
  readonly resetLine: ResetLine;
}

/** See the head of the file. */
export class I8042 extends ByteDevice<typeof i8042State> {
  constructor(readonly wiring: I8042Ports) {
    const ports = [
      { base: bits.DATA, length: 1 },
      { base: bits.COMMAND, length: 1 },
    ];
    super('i8042', ports, i8042State);
    this.state = this.powerOn();
  }

  /** As firmware leaves it: keyboard on, with its interrupt, translating. */
  protected override powerOn(): I8042State {
    const state = initialState(i8042State);
    state.ram[0] = bits.CONTROL_IRQ1 | bits.CONTROL_SYSTEM | bits.CONTROL_TRANSLATE | bits.CONTROL_AUX_OFF;
    return state;
  }

  registerAt(port: number, isWrite: boolean): Register {
    return i8042Register(port, isWrite, this.state);
  }

  protected readByte(port: number): number {
    const { state } = this;
    if (port === bits.COMMAND) {
      return (
        (state.outputFull ? bits.STATUS_OUTPUT_FULL : 0) |
        (this.#control & bits.CONTROL_SYSTEM ? bits.STATUS_SYSTEM : 0) |
        (state.lastWasCommand ? bits.STATUS_COMMAND : 0) |
        bits.STATUS_UNLOCKED
      );
    }
    const value = state.output;
    state.outputFull = false;
    // The line falls between two bytes, so that the next one makes an edge.
    this.driveLines();
    this.#fetch();
    return value;
  }

  protected writeByte(port: number, value: number): void {
    this.state.lastWasCommand = port === bits.COMMAND;
    if (port === bits.COMMAND) this.#command(value);
    else this.#data(value);
    this.#fetch();
  }

  protected override driveLines(): void {
    this.wiring.irq.set(this.state.outputFull && (this.#control & bits.CONTROL_IRQ1) !== 0);
  }

  get #control(): number {
    return this.state.ram[0] as number;
  }
  set #control(value: number) {
    this.state.ram[0] = value;
  }

  /** Takes the keyboard's next byte if there is room, and drives IRQ 1. */
  #fetch(): void {
    const { state } = this;
    if (!state.outputFull && !(this.#control & bits.CONTROL_KEYBOARD_OFF)) {
      const byte = state.queue.shift();
      if (byte !== undefined) {
        state.lastSent = byte;
        this.#reply(this.#control & bits.CONTROL_TRANSLATE ? translate(byte) : byte);
        return;
      }
    }
    this.driveLines();
  }

  #reply(byte: number): void {
    this.state.output = byte;
    this.state.outputFull = true;
    this.driveLines();
  }

  #command(value: number): void {
    const { state } = this;
    state.expects = 'keyboard';
    if (value >= bits.READ_RAM && value < bits.READ_RAM + 32) {
      this.#reply(state.ram[value - bits.READ_RAM] as number);
      return;
    }
    if (value >= bits.WRITE_RAM && value < bits.WRITE_RAM + 32) {
      state.expects = 'ram';
      state.ramIndex = value - bits.WRITE_RAM;
      return;
    }
    if (value >= bits.PULSE) {
      if (!(value & bits.OUTPUT_NO_RESET)) this.wiring.resetLine.request();
      return;
    }
    switch (value) {
      case bits.AUX_OFF:
        this.#control |= bits.CONTROL_AUX_OFF;
        break;
      case bits.AUX_ON:
        this.#control &= ~bits.CONTROL_AUX_OFF;
        break;
      case bits.AUX_TEST:
        this.#reply(bits.CLOCK_STUCK_LOW);
        break;
      case bits.SELF_TEST:
        this.#reply(bits.SELF_TEST_PASSED);
        break;
      case bits.KEYBOARD_TEST:
        this.#reply(0);
        break;
      case bits.KEYBOARD_OFF:
        this.#control |= bits.CONTROL_KEYBOARD_OFF;
        break;
      case bits.KEYBOARD_ON:
        this.#control &= ~bits.CONTROL_KEYBOARD_OFF;
        break;
      case bits.READ_INPUT_PORT:
        // Bit 7: the keyboard is not locked.
        this.#reply(0x80);
        break;
      case bits.READ_OUTPUT_PORT:
        this.#reply(bits.OUTPUT_NO_RESET | bits.OUTPUT_A20 | (state.outputFull ? bits.OUTPUT_IRQ1 : 0));
        break;
      case bits.WRITE_OUTPUT_PORT:
        state.expects = 'output-port';
        break;
      case bits.WRITE_KEYBOARD_OUTPUT:
      case bits.WRITE_AUX_OUTPUT:
        state.expects = 'output';
        break;
      case bits.WRITE_AUX:
        state.expects = 'aux';
        break;
      default:
        // Not a command: ignored.
        break;
    }
  }

  #data(value: number): void {
    const { state } = this;
    const { expects } = state;
    state.expects = 'keyboard';
    switch (expects) {
      case 'ram':
        state.ram[state.ramIndex] = value;
        break;
      case 'output-port':
        if (!(value & bits.OUTPUT_NO_RESET)) this.wiring.resetLine.request();
        break;
      case 'output':
        this.#reply(value);
        break;
      case 'aux':
        break;
      case 'keyboard':
        // A byte for the keyboard switches it on again.
        this.#control &= ~bits.CONTROL_KEYBOARD_OFF;
        sendToKeyboard(state, value);
        break;
    }
  }
}

/** Translation from set 2 to set 1, of the only bytes below 84h that this keyboard sends: identity and set numbers. */
function translate(byte: number): number {
  switch (byte) {
    case 0x83:
      return 0x41;
    case 0x01:
      return 0x43;
    case 0x02:
      return 0x41;
    case 0x03:
      return 0x3f;
    default:
      return byte;
  }
}
