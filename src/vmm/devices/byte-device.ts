/**
 * What the old devices of the PC have in common: they are 8 bits wide, and know ports only. The ISA bus splits a wider
 * access into bytes in ascending order (IEEE P996, 8-bit slaves); bytes past the device's ports read ones.
 *
 * All that changes in a device is the one object {@link ByteDevice.state}, whose shape is the device's table: so saving
 * and loading are copies, and a field that is not in the table does not exist.
 */
import type { AddressRange, Device } from '../device.js';
import { copyState } from '../state/compare.js';
import { initialState, type StateOf, type StateTable } from '../state/fields.js';

/** A device that answers bytes. Subclasses answer each port and drive their outputs; everything else is here. */
export abstract class ByteDevice<T extends StateTable> implements Device {
  readonly mmio: readonly AddressRange[] = [];
  protected state: StateOf<T>;

  constructor(
    readonly name: string,
    readonly ports: readonly AddressRange[],
    readonly stateTable: T,
  ) {
    this.state = initialState(stateTable);
  }

  /** The byte at `port`, which is one of {@link ports}. */
  protected abstract readByte(port: number): number;
  /** `value` is 0 to 255, `port` one of {@link ports}. */
  protected abstract writeByte(port: number, value: number): void;

  /** The state after power-on, if the initial values of the table do not say it all. */
  protected powerOn(): StateOf<T> {
    return initialState(this.stateTable);
  }
  /** Sets the device's lines as its state says. */
  protected driveLines(): void {}
  /** Throws VMTAPE_STATE if fields, each in range, contradict each other. */
  protected checkConsistency(_state: StateOf<T>): void {}
  /** The state was replaced by a saved one: makes again what is derived from it. Drives no line. */
  protected afterLoad(): void {}

  reset(): void {
    this.state = this.powerOn();
    this.afterLoad();
    this.driveLines();
  }

  saveState(): StateOf<T> {
    return copyState(this.stateTable, this.state);
  }

  loadState(state: Record<string, unknown>): void {
    const copy = copyState(this.stateTable, state);
    this.checkConsistency(copy);
    this.state = copy;
    this.afterLoad();
  }

  /** Nothing happens by itself. */
  nextDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }
  /** Nothing is ever due. */
  advance(_now: number): void {}

  readPort(port: number, size: number): number {
    let value = 0;
    for (let index = 0; index < size; index++) {
      const byte = this.#claims(port + index) ? this.readByte(port + index) : 0xff;
      value |= (byte & 0xff) << (8 * index);
    }
    return value >>> 0;
  }

  writePort(port: number, size: number, value: number): void {
    for (let index = 0; index < size; index++) {
      if (this.#claims(port + index)) this.writeByte(port + index, (value >>> (8 * index)) & 0xff);
    }
  }

  /** There is no MMIO: ones. */
  readMmio(_address: number, size: number, bytes: DataView, offset: number): void {
    for (let index = 0; index < size; index++) bytes.setUint8(offset + index, 0xff);
  }
  /** There is no MMIO: ignored. */
  writeMmio(_address: number, _size: number, _bytes: DataView, _offset: number): void {}

  #claims(port: number): boolean {
    for (const range of this.ports) if (port >= range.base && port < range.base + range.length) return true;
    return false;
  }
}
