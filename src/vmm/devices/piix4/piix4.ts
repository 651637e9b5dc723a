/**
 * The south bridge beside the 82441FX as far as firmware asks for it (registers.ts): an ISA bridge, and the function that says where the
 * registers of power management are. Those are other devices, acpi-pm1 and pm-timer, at 600h; here they are seen a second time, where PMBA says.
 *
 * Decisions:
 * - Nothing else can be written. No PIRQ is routed, as nothing on the bus has an interrupt.
 * - APMC_EN is set: SeaBIOS then takes system management mode, which this processor has not, for set up.
 */
import type { AddressRange, Device } from '../../device.js';
import type { Register } from '../../register.js';
import { stateError } from '../../state/check.js';
import type { StateOf } from '../../state/fields.js';
import type { PciFunction } from '../pci-host/function.js';
import { StateDevice } from '../state-device.js';
import * as bits from './registers.js';
import { piix4State } from './state.js';

/** Where the registers of power management always are. */
const PM_PORTS = 0x600;

/** The ports of the machine. */
export interface PortSpace {
  readPort(port: number, size: number): number;
  writePort(port: number, size: number, value: number): void;
  /** The register of whoever answers there; see Device. */
  registerAt(port: number, isWrite: boolean, value: number): Register | undefined;
}

/** Function 0. */
export const isaBridge: PciFunction = {
  readRegister: (offset) => bits.ISA_BRIDGE[offset] ?? 0,
  writeRegister() {},
};

/** See the head of the file. As a PciFunction it is function 3. */
export class Piix4 extends StateDevice<typeof piix4State> implements Device, PciFunction {
  /** Its ports move: {@link pmPorts}. */
  readonly ports: readonly AddressRange[] = [];
  readonly mmio: readonly AddressRange[] = [];
  readonly #space: PortSpace;

  constructor(space: PortSpace) {
    super('piix4', piix4State);
    this.#space = space;
  }

  /** Where the registers of power management are seen now; undefined: nowhere but at 600h. */
  get pmPorts(): AddressRange | undefined {
    const { base, isEnabled } = this.state;
    return isEnabled && base !== 0 && base !== PM_PORTS ? { base, length: bits.PM_LENGTH } : undefined;
  }

  readRegister(offset: number): number {
    if (offset === bits.PMBA) return this.state.base | 1;
    if (offset === bits.PMREGMISC) return this.state.isEnabled ? bits.PM_ENABLE : 0;
    return bits.POWER_MANAGEMENT[offset] ?? 0;
  }

  writeRegister(offset: number, value: number, bytes: number): void {
    const { state } = this;
    const written = ((bytes & 1) !== 0 ? 0xff : 0) | ((bytes & 2) !== 0 ? 0xff00 : 0);
    if (offset === bits.PMBA) state.base = ((state.base & ~written) | (value & written)) & bits.PMBA_MASK;
    else if (offset === bits.PMREGMISC && (bytes & 1) !== 0) state.isEnabled = (value & bits.PM_ENABLE) !== 0;
  }

  registerAt(port: number, isWrite: boolean, value: number): Register | undefined {
    return this.#space.registerAt(this.#fixed(port), isWrite, value);
  }

  readPort(port: number, size: number): number {
    return this.#space.readPort(this.#fixed(port), size);
  }

  writePort(port: number, size: number, value: number): void {
    this.#space.writePort(this.#fixed(port), size, value);
  }

  /** Where the register at `port` always is. */
  #fixed(port: number): number {
    return PM_PORTS + ((port - this.state.base) & (bits.PM_LENGTH - 1));
  }

  /** There is no MMIO: ones. */
  readMmio(_address: number, size: number, bytes: DataView, offset: number): void {
    for (let index = 0; index < size; index++) bytes.setUint8(offset + index, 0xff);
  }
  /** There is no MMIO: ignored. */
  writeMmio(): void {}

  protected override checkConsistency({ base }: StateOf<typeof piix4State>): void {
    if ((base & ~bits.PMBA_MASK) !== 0) throw stateError('piix4.base', 'has bits that are reserved');
  }
}
