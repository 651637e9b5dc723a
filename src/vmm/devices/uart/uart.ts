/**
 * The serial port COM1: National Semiconductor PC16550D (data sheet of June 1995), at 3F8h, IRQ 4.
 *
 * Decisions: a character is transmitted at once, whatever the divisor, so the holding register is empty again when the
 * OUT is done; the interrupt line falls and rises for each, so that an edge-triggered controller sees it. The character
 * timeout is due at once: the host's bytes come in bursts. Bytes that find no room wait at the host's end and are never
 * overrun; only the loopback can overrun.
 */
import type { ByteSink, IrqLine } from '../../device.js';
import type { Register } from '../../register.js';
import { stateError } from '../../state/check.js';
import { ByteDevice } from '../byte-device.js';
import { uartRegister } from './names.js';
import * as bits from './registers.js';
import { BACKLOG_SIZE, type UartState, uartState } from './state.js';

/** What the serial port is wired to. */
export interface UartPorts {
  readonly irq: IrqLine;
  readonly out: ByteSink;
}

/** See the head of the file. */
export class Uart extends ByteDevice<typeof uartState> {
  readonly #irq: IrqLine;
  readonly #out: ByteSink;
  readonly #base: number;

  constructor(wiring: UartPorts, base = 0x3f8) {
    super('uart', [{ base, length: 8 }], uartState);
    this.#irq = wiring.irq;
    this.#out = wiring.out;
    this.#base = base;
  }

  /** Bytes from the host. Returns how many were taken: the rest finds no room, offer it again later. */
  receive(bytes: Uint8Array): number {
    const { backlog } = this.state;
    const taken = bytes.subarray(0, BACKLOG_SIZE - backlog.length);
    const joined = new Uint8Array(backlog.length + taken.length);
    joined.set(backlog);
    joined.set(taken, backlog.length);
    this.state.backlog = joined;
    this.#fillFifo();
    this.driveLines();
    return taken.length;
  }

  registerAt(port: number, isWrite: boolean): Register | undefined {
    return uartRegister(port - this.#base, isWrite, this.#dlab);
  }

  protected readByte(port: number): number {
    const { state } = this;
    switch (port - this.#base) {
      case bits.DATA:
        return this.#dlab ? state.divisor & 0xff : this.#readData();
      case bits.IER:
        return this.#dlab ? state.divisor >> 8 : state.ier;
      case bits.IIR_FCR:
        return this.#readIdentification();
      case bits.LCR:
        return state.lcr;
      case bits.MCR:
        return state.mcr;
      case bits.LSR:
        return this.#readLineStatus();
      case bits.MSR: {
        const value = this.#modemLevels() | state.modemChanges;
        state.modemChanges = 0;
        this.driveLines();
        return value;
      }
      default:
        return state.scratch;
    }
  }

  protected writeByte(port: number, value: number): void {
    const { state } = this;
    switch (port - this.#base) {
      case bits.DATA:
        if (this.#dlab) state.divisor = (state.divisor & 0xff00) | value;
        else this.#transmit(value);
        break;
      case bits.IER:
        if (this.#dlab) state.divisor = (state.divisor & 0xff) | (value << 8);
        else this.#writeEnable(value & 0b1111);
        break;
      case bits.IIR_FCR:
        this.#writeFifoControl(value);
        break;
      case bits.LCR:
        state.lcr = value;
        break;
      case bits.MCR:
        this.#writeModemControl(value & bits.MCR_MASK);
        break;
      case bits.SCR:
        state.scratch = value;
        break;
      default:
        // LSR and MSR are for factory tests when written (8.4, 8.8): ignored.
        break;
    }
    this.driveLines();
  }

  protected override driveLines(): void {
    const connected = (this.state.mcr & (bits.MCR_OUT2 | bits.MCR_LOOP)) === bits.MCR_OUT2;
    this.#irq.set(connected && this.#source() !== bits.IIR_NONE);
  }

  protected override checkConsistency(state: UartState): void {
    if (!state.fifoEnabled && state.fifo.length > 1) {
      throw stateError('uart.fifo', 'has more than one byte though the FIFOs are off');
    }
  }

  get #dlab(): boolean {
    return (this.state.lcr & bits.LCR_DLAB) !== 0;
  }
  get #loop(): boolean {
    return (this.state.mcr & bits.MCR_LOOP) !== 0;
  }
  get #capacity(): number {
    return this.state.fifoEnabled ? bits.FIFO_SIZE : 1;
  }

  /** The source of the interrupt that has the highest priority (8.6, table IV). */
  #source(): number {
    const { ier, overrun, fifo, fifoEnabled, trigger, transmitPending, modemChanges } = this.state;
    if (ier & bits.IER_LINE && overrun) return bits.IIR_LINE;
    if (ier & bits.IER_RECEIVED && fifo.length > 0) {
      const enough = !fifoEnabled || fifo.length >= (bits.TRIGGER_LEVELS[trigger] as number);
      return enough ? bits.IIR_RECEIVED : bits.IIR_TIMEOUT;
    }
    if (ier & bits.IER_TRANSMIT && transmitPending) return bits.IIR_TRANSMIT;
    if (ier & bits.IER_MODEM && modemChanges !== 0) return bits.IIR_MODEM;
    return bits.IIR_NONE;
  }

  #readIdentification(): number {
    const source = this.#source();
    if (source === bits.IIR_TRANSMIT) {
      this.state.transmitPending = false;
      this.driveLines();
    }
    return source | (this.state.fifoEnabled ? bits.IIR_FIFOS : 0);
  }

  #readData(): number {
    const byte = this.state.fifo.shift() ?? 0;
    this.#fillFifo();
    this.driveLines();
    return byte;
  }

  #readLineStatus(): number {
    const { state } = this;
    let value = bits.LSR_HOLDING_EMPTY | bits.LSR_EMPTY;
    if (state.fifo.length > 0) value |= bits.LSR_READY;
    if (state.overrun) value |= bits.LSR_OVERRUN;
    state.overrun = false;
    this.driveLines();
    return value;
  }

  #transmit(byte: number): void {
    // The line falls with the write and rises when the register is empty again.
    this.state.transmitPending = false;
    this.driveLines();
    if (!this.#loop) this.#out.write(byte);
    else if (this.state.fifo.length < this.#capacity) this.state.fifo.push(byte);
    else this.state.overrun = true;
    this.state.transmitPending = true;
  }

  #writeEnable(value: number): void {
    const { state } = this;
    // Enabling the interrupt while the register is empty makes it at once.
    if (value & ~state.ier & bits.IER_TRANSMIT) state.transmitPending = true;
    state.ier = value;
  }

  #writeFifoControl(value: number): void {
    const { state } = this;
    const enable = (value & bits.FCR_ENABLE) !== 0;
    // "Data is cleared from the FIFOs when changing … to 16450 mode and vice versa"; the other bits need bit 0.
    if (enable !== state.fifoEnabled || (enable && value & bits.FCR_CLEAR_RECEIVER)) state.fifo = [];
    state.fifoEnabled = enable;
    state.trigger = enable ? value >> 6 : 0;
    this.#fillFifo();
  }

  #writeModemControl(value: number): void {
    const before = this.#modemLevels();
    this.state.mcr = value;
    const after = this.#modemLevels();
    const changed = (before ^ after) & (bits.MSR_CTS | bits.MSR_DSR | bits.MSR_DCD);
    // RI counts when it ends ("trailing edge", 8.8).
    const ended = before & ~after & bits.MSR_RI;
    this.state.modemChanges |= (changed | ended) >> 4;
    this.#fillFifo();
  }

  /** A terminal is always there: CTS, DSR, DCD. In loopback the four outputs come back (8.7, bit 4). */
  #modemLevels(): number {
    if (!this.#loop) return bits.MSR_CTS | bits.MSR_DSR | bits.MSR_DCD;
    const { mcr } = this.state;
    let levels = 0;
    if (mcr & bits.MCR_RTS) levels |= bits.MSR_CTS;
    if (mcr & bits.MCR_DTR) levels |= bits.MSR_DSR;
    if (mcr & bits.MCR_OUT1) levels |= bits.MSR_RI;
    if (mcr & bits.MCR_OUT2) levels |= bits.MSR_DCD;
    return levels;
  }

  #fillFifo(): void {
    const { state } = this;
    if (this.#loop || state.backlog.length === 0) return;
    const count = Math.min(this.#capacity - state.fifo.length, state.backlog.length);
    if (count <= 0) return;
    state.fifo.push(...state.backlog.subarray(0, count));
    state.backlog = state.backlog.slice(count);
  }
}
