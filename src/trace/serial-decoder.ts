/**
 * The console bytes where no devices run, in a CPU replay and in exports: taken from the guest's writes to the serial port at
 * 3F8h (data sheet of the PC16550D: LCR bit 7 turns the data register into a divisor, MCR bit 4 loops it back) and to port E9h.
 */

/** Takes the bytes of a console. */
export interface ByteTarget {
  write(byte: number): void;
}

const DATA = 0x3f8;
/** The ports of LCR and MCR. */
export const LINE_CONTROL = 0x3fb;
export const MODEM_CONTROL = 0x3fc;
const DEBUG_CONSOLE = 0xe9;
const FIRMWARE_CONSOLE = 0x402;
const DLAB = 1 << 7;
const LOOP = 1 << 4;

/** See the head of the file. */
export class SerialDecoder {
  #lineControl = 0;
  #modemControl = 0;

  constructor(
    readonly serial: ByteTarget,
    readonly debugConsole: ByteTarget,
    /** Of the trace's header: with an i440fx, port 402h is the debug console too. */
    readonly chipset?: 'i440fx',
  ) {}

  /** The guest wrote `size` bytes at `offset` of `view` to `port`; a wide write is split into bytes. */
  write(port: number, size: number, view: DataView, offset: number): void {
    for (let index = 0; index < size; index++) this.writeByte(port + index, view.getUint8(offset + index));
  }

  /** The guest wrote a byte to `port`. */
  writeByte(port: number, value: number): void {
    if (port === DEBUG_CONSOLE || (port === FIRMWARE_CONSOLE && this.chipset !== undefined))
      this.debugConsole.write(value);
    else if (port === LINE_CONTROL) this.#lineControl = value;
    else if (port === MODEM_CONTROL) this.#modemControl = value;
    else if (port === DATA && !(this.#lineControl & DLAB) && !(this.#modemControl & LOOP)) this.serial.write(value);
  }
}
