/**
 * PCI configuration mechanism #1 and the host bridge at 00:00.0, the only function on the bus (sources: registers.ts). What is
 * absent reads all ones and ignores writes, as a configuration cycle does that ends in a master abort.
 *
 * Decisions:
 * - The bridge shows itself as an 82441FX, which every guest knows. Its registers are read-only: it decodes nothing, has no
 *   shadow RAM to switch (the first MiB is RAM but for a ROM), and reports no errors.
 * - CONFIG_ADDRESS takes aligned dwords only; the byte at CF9h within it is another device, reset-control, which claims bytes.
 */
import type { AddressRange, Device } from '../../device.js';
import type { Register } from '../../register.js';
import { stateError } from '../../state/check.js';
import { copyState } from '../../state/compare.js';
import { initialState } from '../../state/fields.js';
import type { PciFunction } from './function.js';
import { pciRegister } from './names.js';
import * as bits from './registers.js';
import { pciHostState } from './state.js';

const ONES = 0xffff_ffff;

/** The bridge of a machine that has nothing to switch. */
const BRIDGE: PciFunction = {
  readRegister: (offset) => bits.HOST_BRIDGE[offset] ?? 0,
  writeRegister() {},
};
const BRIDGE_ALONE: ReadonlyMap<number, PciFunction> = new Map([[0, BRIDGE]]);

/** See the head of the file. */
export class PciHost implements Device {
  readonly name = 'pci-host';
  readonly ports: readonly AddressRange[] = [{ base: bits.ADDRESS_PORT, length: 8 }];
  readonly mmio: readonly AddressRange[] = [];
  readonly stateTable = pciHostState;
  readonly #functions: ReadonlyMap<number, PciFunction>;
  #state = initialState(pciHostState);

  /** `functions`: what is on bus 0, by bus, device and function as CONFIG_ADDRESS has them; by default the host bridge alone. */
  constructor(functions: ReadonlyMap<number, PciFunction> = BRIDGE_ALONE) {
    this.#functions = functions;
  }

  readPort(port: number, size: number): number {
    if (port === bits.ADDRESS_PORT && size === 4) return this.#state.address;
    let value = 0;
    for (let index = 0; index < size; index++) value |= this.#dataByte(port + index) << (8 * index);
    return value >>> 0;
  }

  writePort(port: number, size: number, value: number): void {
    const lane = port - bits.DATA_PORT;
    if (port === bits.ADDRESS_PORT && size === 4) this.#state.address = (value & bits.ADDRESS_MASK) >>> 0;
    else if (lane >= 0) this.#writeRegister(lane, size, value);
  }

  #writeRegister(lane: number, size: number, value: number): void {
    const bytes = (((1 << size) - 1) << lane) & 0xf;
    this.#function?.writeRegister(this.#state.address & bits.REGISTER_MASK, (value << (8 * lane)) >>> 0, bytes);
  }

  /** What CONFIG_ADDRESS names; undefined: nothing, or it is not enabled. */
  get #function(): PciFunction | undefined {
    const { address } = this.#state;
    return address >= bits.ENABLE ? this.#functions.get(address & bits.FUNCTION_MASK) : undefined;
  }

  registerAt(port: number): Register | undefined {
    return pciRegister(port, this.#state.address);
  }

  /** The byte at `port`: of the register that CONFIG_ADDRESS names, if it is CONFIG_DATA's. */
  #dataByte(port: number): number {
    const lane = port - bits.DATA_PORT;
    if (lane < 0 || lane > 3) return 0xff;
    return (this.#register() >>> (8 * lane)) & 0xff;
  }

  #register(): number {
    return this.#function?.readRegister(this.#state.address & bits.REGISTER_MASK) ?? ONES;
  }

  /** There is no MMIO: ones. */
  readMmio(_address: number, size: number, bytes: DataView, offset: number): void {
    for (let index = 0; index < size; index++) bytes.setUint8(offset + index, 0xff);
  }
  /** There is no MMIO: ignored. */
  writeMmio(): void {}
  nextDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }
  advance(): void {}
  reset(): void {
    this.#state = initialState(pciHostState);
  }
  saveState(): Record<string, unknown> {
    return copyState(pciHostState, this.#state);
  }
  loadState(state: Record<string, unknown>): void {
    const copy = copyState(pciHostState, state);
    if ((copy.address & ~bits.ADDRESS_MASK) !== 0) throw stateError('pci-host.address', 'has bits that are reserved');
    this.#state = copy;
  }
}
