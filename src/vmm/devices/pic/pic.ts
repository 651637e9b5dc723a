/**
 * The PC's interrupt controller: two Intel 8259A, the slave's INT at input 2 of the master, with the edge/level control
 * registers of the PIIX. See chip.ts for one chip.
 */
import { assert } from '../../../base/assert.js';
import type { IrqLine } from '../../device.js';
import type { Register } from '../../register.js';
import { stateError } from '../../state/check.js';
import { initialState } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';
import { irr, pendingInput, poll, setLine, startService, writeCommand, writeData } from './chip.js';
import { picRegister } from './names.js';
import * as bits from './registers.js';
import { type ChipState, type PicState, picState } from './state.js';

/** The master's inputs at which another chip stands. */
const SLAVES = 1 << bits.CASCADE;

/** See the head of the file. */
export class Pic extends ByteDevice<typeof picState> {
  #intr = false;

  /** `output` is driven with {@link intr}: LINT0 of a local APIC. */
  constructor(readonly output?: IrqLine) {
    const ports = [
      { base: bits.MASTER_COMMAND, length: 2 },
      { base: bits.SLAVE_COMMAND, length: 2 },
      { base: bits.ELCR_MASTER, length: 2 },
    ];
    super('pic', ports, picState);
    this.state = this.powerOn();
  }

  /** The INTR pin of the processor: an interrupt waits. */
  get intr(): boolean {
    return this.#intr;
  }

  /** The master masks every input. */
  get isMasked(): boolean {
    return this.#master.imr === 0xff;
  }

  /** Input 0 to 15 but 2, for a device to drive. */
  line(irq: number): IrqLine {
    assert(irq >= 0 && irq < 16 && irq !== bits.CASCADE, 'an interrupt line is 0 to 15, and not the cascade');
    return {
      set: (level) => {
        const chip = irq < 8 ? this.#master : this.#slave;
        if (((chip.lines >> (irq & 7)) & 1) === (level ? 1 : 0)) return;
        setLine(chip, irq & 7, level);
        this.#settle();
      },
    };
  }

  /** The level of a line, as its device drove it last. */
  level(irq: number): boolean {
    const chip = irq < 8 ? this.#master : this.#slave;
    return ((chip.lines >> (irq & 7)) & 1) === 1;
  }

  /**
   * INTA: the vector of the interrupt that goes into service. With none waiting, the default of the data sheet: input 7,
   * without its ISR bit.
   */
  acknowledge(): number {
    const master = this.#master;
    const input = pendingInput(master, SLAVES);
    if (input >= 0) startService(master, input);
    let vector = master.vectorPage * 8 + (input < 0 ? 7 : input);
    if (input === bits.CASCADE && !master.single && master.icw3 & (1 << bits.CASCADE)) {
      const slave = this.#slave;
      const inner = pendingInput(slave, 0);
      if (inner >= 0) startService(slave, inner);
      // A slave that was given another identity does not answer: the data bus floats.
      const answers = (slave.icw3 & 7) === bits.CASCADE;
      vector = answers ? slave.vectorPage * 8 + (inner < 0 ? 7 : inner) : 0xff;
      // INT of the slave falls during INTA, so that what still waits makes an edge.
      setLine(master, bits.CASCADE, false);
    }
    this.#settle();
    return vector;
  }

  registerAt(port: number, isWrite: boolean, value: number): Register {
    const isMaster = port === bits.MASTER_COMMAND || port === bits.MASTER_DATA;
    return picRegister(port, isWrite, value, isMaster ? this.#master : this.#slave);
  }

  protected override powerOn(): PicState {
    const state = initialState(picState);
    // The wiring of every PC; software repeats it in ICW3.
    (state.chips[0] as ChipState).icw3 = 1 << bits.CASCADE;
    (state.chips[1] as ChipState).icw3 = bits.CASCADE;
    return state;
  }

  protected readByte(port: number): number {
    if (port === bits.ELCR_MASTER) return this.#master.elcr;
    if (port === bits.ELCR_SLAVE) return this.#slave.elcr;
    const isMaster = port === bits.MASTER_COMMAND || port === bits.MASTER_DATA;
    const chip = isMaster ? this.#master : this.#slave;
    if (chip.poll) {
      const answer = poll(chip, isMaster ? SLAVES : 0);
      this.#settle();
      return answer;
    }
    if (port === bits.MASTER_DATA || port === bits.SLAVE_DATA) return chip.imr;
    return chip.readIsr ? chip.isr : irr(chip);
  }

  protected writeByte(port: number, value: number): void {
    switch (port) {
      case bits.MASTER_COMMAND:
        writeCommand(this.#master, value);
        break;
      case bits.MASTER_DATA:
        writeData(this.#master, value);
        break;
      case bits.SLAVE_COMMAND:
        writeCommand(this.#slave, value);
        break;
      case bits.SLAVE_DATA:
        writeData(this.#slave, value);
        break;
      case bits.ELCR_MASTER:
        this.#master.elcr = value & bits.ELCR_MASTER_MASK;
        break;
      case bits.ELCR_SLAVE:
        this.#slave.elcr = value & bits.ELCR_SLAVE_MASK;
        break;
    }
    this.#settle();
  }

  protected override checkConsistency(state: PicState): void {
    const [master, slave] = state.chips as [ChipState, ChipState];
    if (((master.lines >> bits.CASCADE) & 1) !== (pendingInput(slave, 0) >= 0 ? 1 : 0)) {
      throw stateError('pic.chips[0].lines', 'contradicts what the slave asks for');
    }
    if (master.elcr & ~bits.ELCR_MASTER_MASK) throw stateError('pic.chips[0].elcr', 'has a bit that cannot be set');
    if (slave.elcr & ~bits.ELCR_SLAVE_MASK) throw stateError('pic.chips[1].elcr', 'has a bit that cannot be set');
  }

  protected override afterLoad(): void {
    this.#intr = pendingInput(this.#master, SLAVES) >= 0;
  }

  protected override driveLines(): void {
    this.output?.set(this.#intr);
  }

  get #master(): ChipState {
    return this.state.chips[0] as ChipState;
  }
  get #slave(): ChipState {
    return this.state.chips[1] as ChipState;
  }

  /** Carries the slave's INT to the master and the master's to the processor. */
  #settle(): void {
    setLine(this.#master, bits.CASCADE, pendingInput(this.#slave, 0) >= 0);
    this.#intr = pendingInput(this.#master, SLAVES) >= 0;
    this.output?.set(this.#intr);
  }
}
